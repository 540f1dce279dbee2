"""What the tests of the examples look at."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg

ROOT = Path(__file__).parent.parent.parent


def rows(database_url: str, query: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query, seen from outside of the example."""
    with psycopg.connect(database_url) as connection:
        return connection.execute(query.encode()).fetchall()


def jobs(database_url: str) -> list[tuple[Any, ...]]:
    """Return kind and args of all jobs, in the order of their insertion."""
    return rows(database_url, "SELECT kind, args FROM river_job ORDER BY id")


def run(command: Sequence[object], *, cwd: Path = ROOT, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a program with this Python, in an environment like ours."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    env: Mapping[str, str] = {**os.environ, "PYTHONPATH": path, **environ}
    words = [sys.executable, *map(str, command)]
    return subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, timeout=50, check=False)
