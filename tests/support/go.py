"""The Go peer of our tests: the program in `tests/interop/go`, built when it is first needed."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

SOURCES = Path(__file__).parent.parent / "interop" / "go"


def go_missing_reason() -> str | None:
    """Say why the peer can't be built here, or None when it can."""
    if shutil.which("go") is None:
        return "there is no `go` command on the PATH"
    return None


@functools.cache
def peer() -> Path:
    """Build the peer, unless these very sources are built already, and return the program's path.

    Safe to call from several processes at once: one builds and the others wait.
    """
    if reason := go_missing_reason():
        raise RuntimeError(f"the Go peer can't be built: {reason}; install Go from https://go.dev/dl/")
    directory = Path(tempfile.gettempdir()) / f"river-peer-{os.getuid()}-{_fingerprint()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    program = directory / "river-peer"
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            _build(program)
    return program


def _fingerprint() -> str:
    """Hash the sources and Go's version, which together decide what is built."""
    digest = hashlib.sha256(subprocess.check_output(["go", "version"], cwd=SOURCES))
    for source in sorted(SOURCES.iterdir()):
        content = source.read_bytes()
        digest.update(f"{source.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]


def _build(program: Path) -> None:
    unfinished = program.with_suffix(".unfinished")
    # No VCS stamp: it would make the build depend on git and on who owns the checkout.
    command = ["go", "build", "-buildvcs=false", "-o", str(unfinished), "."]
    result = subprocess.run(command, cwd=SOURCES, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise RuntimeError(f"`{' '.join(command)}` failed in {SOURCES}:\n{result.stdout}{result.stderr}")
    unfinished.replace(program)
