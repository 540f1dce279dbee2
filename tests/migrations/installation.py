"""This project installed into an environment of its own, as a wheel or editable; without a network if need be."""

import fcntl
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Installation:
    """An environment with this project and everything that the tests' own environment has.

    Attributes:
        python: Its interpreter.
        source: The copy of this project that it was installed from.
    """

    python: Path
    source: Path

    def run(self, *arguments: str, cwd: Path, check: bool = True, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run Python there, isolated from this directory and this process's variables."""
        environ = {key: value for key, value in os.environ.items() if not re.match("PYTHON|PG|DATABASE_URL", key)}
        command = [str(self.python), "-P", *arguments]
        done = subprocess.run(command, cwd=cwd, env=environ | variables, check=False, capture_output=True, text=True)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def alembic(self, *arguments: str, cwd: Path, check: bool = True, **variables: str) -> str:
        """Run Alembic there and return what it prints."""
        done = self.run("-m", "alembic", *arguments, cwd=cwd, check=check, **variables)
        return done.stdout + (done.stderr if not check else "")


def install(directory: Path, way: str) -> Installation:
    """Install into a directory, once; several processes may ask.

    Parameters:
        directory: Where everything goes.
        way: ``wheel`` or ``editable``.
    """
    directory.mkdir(exist_ok=True)
    made = Installation(directory / "venv" / "bin" / "python", directory / "source")
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / "done").exists():
            _copy_source(made.source)
            _make_environment(directory / "venv")
            _install(made, way)
            (directory / "done").touch()
    return made


def _copy_source(target: Path) -> None:
    # A copy, for a build leaves directories behind, and stale ones get into wheels.
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    mapped = project["package-dir"]
    folders = {mapped.get(name.partition(".")[0], name.partition(".")[0]) for name in project["packages"]}
    shutil.rmtree(target, ignore_errors=True)
    for folder in folders:
        shutil.copytree(ROOT / folder, target / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "alembic.ini", "LICENSE"):
        shutil.copy(ROOT / file, target / file)
    (target / "README.md").touch()


def _make_environment(target: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", str(target)], check=True)
    (site,) = target.glob("lib/python*/site-packages")
    ours = [sysconfig.get_path("purelib"), *(path for path in sys.path if path.endswith("site-packages"))]
    (site / "borrowed.pth").write_text("\n".join(ours) + "\n")


def _install(made: Installation, way: str) -> None:
    what = ["--editable", str(made.source)] if way == "editable" else [str(made.source)]
    if shutil.which("uv"):
        command = ["uv", "pip", "install", "--quiet", "--no-deps", "--python", str(made.python), *what]
    else:
        # Isolated builds fetch setuptools; do without where it is here already.
        isolation = ["--no-build-isolation"] if importlib.util.find_spec("setuptools") else []
        pip = [sys.executable, "-m", "pip", "--python", str(made.python)]
        command = [*pip, "install", "--quiet", "--no-deps", *isolation, *what]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
