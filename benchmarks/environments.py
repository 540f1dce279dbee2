"""The programs that run the contestants: our interpreter, one for the peers, and Go's.

The peers have environments of their own, because the existing package is also called ``riverqueue`` and because each
wants its own versions of what it needs. They are made on first use and kept in the cache directory.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path

from benchmarks.contestants import Environment
from tests.support import go

_PSYCOPG = ("psycopg", "psycopg-binary", "psycopg-pool")

#: The peers of each environment, and what they share with ours in the very same version.
_PEERS: dict[Environment, tuple[Sequence[str], Sequence[str]]] = {
    "peers": (
        ("riverqueue==0.7.0", "pgqueuer==1.6.0"),
        ("asyncpg", *_PSYCOPG, "psycopg2-binary", "sqlalchemy", "greenlet"),
    ),
    "oban": (("oban==0.7.0",), _PSYCOPG),
    "chancy": (("chancy==0.26.0",), _PSYCOPG),
    "procrastinate": (("procrastinate==3.10.0",), _PSYCOPG),
}

#: Least version of Python where it is more than ours.
_PYTHON: dict[Environment, tuple[int, int]] = {"oban": (3, 12)}

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
        return go.peer() if environment == "go" else _peers(environment)
    except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
        raise MissingError(str(error)) from error


def variables(environment: Environment) -> dict[str, str]:
    """Return the variables a contestant runs with: of ours, the sources beside this folder."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return inherited | ({"PYTHONPATH": str(ROOT)} if environment == "ours" else {})


def _peers(environment: Environment) -> Path:
    peers, shared = _PEERS[environment]
    packages = [*peers, *[f"{name}=={version(name)}" for name in shared]]
    interpreter, its_version = _interpreter(_PYTHON.get(environment, (0, 0)))
    name = hashlib.sha256(" ".join([its_version, *packages]).encode()).hexdigest()[:12]
    cache_home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    directory = cache_home / "riverqueue-benchmarks" / f"{environment}-{name}"
    python, complete = directory / "bin" / "python", directory / "complete"
    if not complete.exists():
        _install(directory, interpreter, python, packages)
        complete.touch()
    return python


def _interpreter(least: tuple[int, int]) -> tuple[str, str]:
    """Find a Python that is new enough, ours if it is; return it and its version."""
    if sys.version_info >= least:
        return sys.executable, sys.version
    names = [f"python{least[0]}.{minor}" for minor in range(least[1], least[1] + 4)]
    installed = sorted(Path.home().glob(".pyenv/versions/*/bin/python"))
    for candidate in [*filter(None, map(shutil.which, names)), *map(str, installed)]:
        code = f"import sys; print(sys.version); sys.exit(sys.version_info < {least})"
        result = subprocess.run([candidate, "-c", code], capture_output=True, text=True, check=False)
        if result.returncode == 0:
            return candidate, result.stdout.rstrip("\n")
    raise RuntimeError(f"it needs Python {least[0]}.{least[1]}, which is not found")


def _install(directory: Path, interpreter: str, python: Path, packages: list[str]) -> None:
    print(f"making an environment for the peers: {' '.join(packages)}", file=sys.stderr)
    if shutil.which("uv"):
        _run("uv", "venv", "-q", "--clear", "--python", interpreter, str(directory))
        _run("uv", "pip", "install", "-q", "--python", str(python), *packages)
    else:
        _run(interpreter, "-m", "venv", "--clear", str(directory))
        _run(str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages)


def _run(*command: str) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise RuntimeError(f"`{' '.join(command)}` failed:\n{result.stdout}{result.stderr}")
