"""The command line in this process, on a real database."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from click.testing import CliRunner, Result

from riverqueue.cli.app import app
from riverqueue.cli.settings import Settings

if TYPE_CHECKING:
    from tests.cli.working import Worker


@dataclass
class CommandLine:
    """Runs commands on one database.

    Parameters:
        database_url: What ``DATABASE_URL`` says.
    """

    database_url: str

    def __call__(self, *words: object, code: int = 0, **options: Any) -> Result:
        """Run a command and check its exit code."""
        result = self.run(*words, **options)
        assert result.exit_code == code, result.output
        return result

    def run(
        self,
        *words: object,
        stdin: str | None = None,
        settings: Settings | None = None,
        env: dict[str, str] | None = None,
    ) -> Result:
        env = {"DATABASE_URL": self.database_url} if env is None else env
        arguments = [str(word) for word in words]
        return CliRunner().invoke(app, arguments, input=stdin, env=env, obj=settings or Settings())

    def sql(self, statement: str, *params: object) -> list[tuple[Any, ...]]:
        """Run a statement beside the command line."""
        with psycopg.connect(self.database_url) as connection:
            cursor = connection.execute(statement.encode(), params or None)
            return cursor.fetchall() if cursor.description else []


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no variable of the developer's say which database is meant."""
    for name in [*os.environ]:
        if name.startswith("PG") or name == "DATABASE_URL":
            monkeypatch.delenv(name)


@pytest.fixture
def cli(database_url: str) -> CommandLine:
    """The command line on a database with River's tables."""
    return CommandLine(database_url)


@pytest.fixture
def bare_cli(empty_database_url: str) -> CommandLine:
    """The command line on a database without them."""
    return CommandLine(empty_database_url)


@pytest.fixture
def insert(cli: CommandLine) -> Callable[..., int]:
    """Inserts a job and changes columns of its row."""

    def inserted(kind: str = "ship", args: str = "{}", *options: str, **columns: object) -> int:
        cli("insert", kind, args, *options)
        ((job_id,),) = cli.sql("SELECT max(id) FROM river_job")
        for name, value in columns.items():
            cli.sql(f"UPDATE river_job SET {name} = %s WHERE id = {job_id}", value)
        return int(job_id)

    return inserted


@pytest.fixture
def worker(cli: CommandLine, tmp_path: Path) -> "Iterator[Worker]":
    """Runs ``riverqueue work``."""
    from tests.cli.working import worker

    with worker(cli, tmp_path) as made:
        yield made
