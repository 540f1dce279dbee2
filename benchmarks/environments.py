"""The programs that run the contestants: our interpreter, one for the peers, and Go's.

The peers have an environment of their own because the existing package is also called ``riverqueue``. It is
made on first use and kept in the cache directory.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path

from benchmarks.contestants import Environment
from tests.support import go

#: The peers, and what they share with ours in the very same version.
_PEERS = ("riverqueue==0.7.0", "pgqueuer==1.6.0")
_SHARED = ("asyncpg", "psycopg", "psycopg-binary", "psycopg-pool", "psycopg2-binary", "sqlalchemy", "greenlet")

ROOT = Path(__file__).parent.parent


class MissingError(Exception):
    """A peer cannot run here; the message says why."""


@cache
def program(environment: Environment) -> Path:
    """Return the interpreter or program of an environment, made if need be.

    Raises:
        MissingError: if it cannot be made here.
    """
    if environment == "ours":
        return Path(sys.executable)
    try:
        return _peers() if environment == "peers" else go.peer()
    except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
        raise MissingError(str(error)) from error


def variables(environment: Environment) -> dict[str, str]:
    """Return the variables a contestant runs with: of ours, the sources beside this folder."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return inherited | ({"PYTHONPATH": str(ROOT)} if environment == "ours" else {})


def _peers() -> Path:
    packages = [*_PEERS, *[f"{name}=={version(name)}" for name in _SHARED]]
    name = hashlib.sha256(" ".join([sys.version, *packages]).encode()).hexdigest()[:12]
    cache_home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    directory = cache_home / "riverqueue-benchmarks" / f"peers-{name}"
    python, complete = directory / "bin" / "python", directory / "complete"
    if not complete.exists():
        _install(directory, python, packages)
        complete.touch()
    return python


def _install(directory: Path, python: Path, packages: list[str]) -> None:
    print(f"making an environment for the peers: {' '.join(packages)}", file=sys.stderr)
    if shutil.which("uv"):
        _run("uv", "venv", "-q", "--clear", "--python", sys.executable, str(directory))
        _run("uv", "pip", "install", "-q", "--python", str(python), *packages)
    else:
        _run(sys.executable, "-m", "venv", "--clear", str(directory))
        _run(str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages)


def _run(*command: str) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise RuntimeError(f"`{' '.join(command)}` failed:\n{result.stdout}{result.stderr}")
