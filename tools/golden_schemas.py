"""Write ``tests/migrations/golden/``: River's tables as Go's migrator makes them, one file a version.

    python -m tools.golden_schemas postgresql://localhost/empty_database

Needs Go and an empty database, which it leaves empty. Run it when River gets a new version.
"""

import subprocess
import sys
from pathlib import Path

import psycopg

from tests.support import go
from tests.support.schema import describe

GOLDEN = Path(__file__).parent.parent / "tests" / "migrations" / "golden"


def main(url: str) -> None:
    """Write every version's file.

    Parameters:
        url: The libpq URL of an empty database.
    """
    version = 0
    while "applied" in _go("migrate-up", url, "--max-steps=1"):
        version += 1
        _write(url, f"version_{version}.txt")
    for below in range(version - 1, 0, -1):
        _go("migrate-down", url, "--max-steps=1")
        _write(url, f"version_{below}_from_above.txt")
    _go("migrate-down", url, "--max-steps=1")


def _write(url: str, name: str) -> None:
    with psycopg.connect(url) as connection:
        (GOLDEN / name).write_text(describe(connection), encoding="utf-8")


def _go(command: str, url: str, *options: str) -> str:
    arguments = [str(go.peer()), command, "--database-url", url, *options]
    return subprocess.run(arguments, check=True, capture_output=True, text=True).stdout  # noqa: S603


if __name__ == "__main__":
    main(sys.argv[1])
