"""PostgreSQL's own programs, wherever they are."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from riverqueue.embedded import local_directories, wheel_directories


def run_text(url: str, text: str, *options: str) -> None:
    """Run SQL with psql, which stops at the first error."""
    command = [program("psql"), "-Xq", "-v", "ON_ERROR_STOP=1", *options, url]
    done = subprocess.run(command, input=text, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def program(name: str, version: int = 0) -> str:
    """Find a program of PostgreSQL, of at least a major version."""
    places = [*wheel_directories(), *local_directories(), Path(shutil.which(name) or "/nowhere").parent]
    for place in places:
        if (place / name).exists() and _major(place / name) >= version:
            return str(place / name)
    pytest.skip(f"NOT RUN: there is no {name} of PostgreSQL {version or 'any version'} here")


def _major(path: Path) -> int:
    text = subprocess.run([str(path), "--version"], check=True, capture_output=True, text=True).stdout
    return int(re.findall(r"\d+", text)[0])
