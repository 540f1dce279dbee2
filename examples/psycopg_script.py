"""A plain psycopg script: ``DATABASE_URL=… python -m examples.psycopg_script DIRECTORY``.

Stores each text file of a directory and inserts a job to summarise it, file by file, each in a transaction of
its own; then one job for each line of them all, in one go.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeAlias

import psycopg

from riverqueue import Client, InsertOpts
from riverqueue_psycopg import Driver

River: TypeAlias = Client[psycopg.Connection, psycopg.Connection]


@dataclass
class Summarise:
    """A job's args: summarise one file."""

    kind: ClassVar[str] = "summarise"

    document_id: int


@dataclass
class CheckSpelling:
    """A job's args: check one line."""

    kind: ClassVar[str] = "check_spelling"

    name: str
    line: int


def main(database_url: str, directory: Path) -> None:
    """Store the files of a directory, and insert the jobs."""
    with psycopg.connect(database_url) as connection, Driver(database_url) as driver:
        client = Client(driver)
        connection.execute(
            "CREATE TABLE IF NOT EXISTS document (id serial PRIMARY KEY, name text UNIQUE, content text NOT NULL)"
        )
        connection.commit()
        paths = sorted(directory.glob("*.txt"))
        new = [path for path in paths if store(client, connection, path)]
        lines = [
            CheckSpelling(path.name, number)
            for path in new
            for number, _ in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        ]
        if lines:
            client.insert_many_fast(lines)
        print(f"{len(new)} of {len(paths)} files are new; {len(lines)} lines to check")


def store(client: River, connection: psycopg.Connection, path: Path) -> bool:
    """Store one file and insert its job, both or neither; tell whether it was new."""
    try:
        with connection.transaction():
            row = connection.execute(
                "INSERT INTO document (name, content) VALUES (%s, %s) RETURNING id",
                [path.name, path.read_text(encoding="utf-8")],
            ).fetchone()
            assert row is not None  # RETURNING returns what was inserted
            result = client.insert(Summarise(row[0]), InsertOpts(tags=["documents"]), tx=connection)
    except psycopg.errors.UniqueViolation:
        return False
    print(f"{path.name}: row {row[0]}, job {result.job.id}")
    return True


if __name__ == "__main__":
    main(os.environ["DATABASE_URL"], Path(sys.argv[1]))
