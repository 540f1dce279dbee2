import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import NullPool, create_engine
from sqlalchemy.engine import Engine

from tests.support import go
from tests.support.schema import describe, migration_rows
from tests.support.server import sqlalchemy_url

GOLDEN = Path(__file__).parent / "golden"
ODD_SCHEMA = 'My "odd" schema-é: 100%'
DID_NOT_RUN = "MIGRATIONS WERE NOT COMPARED WITH GO"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly if only the golden files stood for Go."""
    skipped = [str(report.longrepr) for report in terminalreporter.stats.get("skipped", [])]
    if any(DID_NOT_RUN in reason for reason in skipped):
        terminalreporter.section(f"{DID_NOT_RUN}: {go.go_missing_reason()}", sep="!", red=True, bold=True)


@dataclass(frozen=True)
class Database:
    """An empty database and the schema in it in which a test migrates; None for the default."""

    url: str
    engine: Engine
    schema: str | None

    def describe(self) -> str:
        with psycopg.connect(self.url) as connection:
            return describe(connection, self.schema or "public")

    def versions(self) -> list[int]:
        with psycopg.connect(self.url) as connection:
            return [version for _, version in migration_rows(connection, self.schema or "public")]

    def execute(self, statement: str) -> list[tuple[object, ...]]:
        """Run a statement with the schema in the search_path."""
        path = sql.Identifier(self.schema or "public")
        with psycopg.connect(self.url) as connection:
            connection.execute(sql.SQL("SET LOCAL search_path = {}").format(path))
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


@dataclass(frozen=True)
class Go:
    """Go's migrator."""

    program: Path

    def __call__(self, command: str, database: Database, *options: str, check: bool = True) -> str:
        arguments = [str(self.program), command, "--database-url", database.url, *options]
        if database.schema:
            arguments += ["--schema", database.schema]
        done = subprocess.run(arguments, check=False, capture_output=True, text=True)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def up(self, database: Database, version: int) -> str:
        return self("migrate-up", database, f"--target-version={version}")

    def down(self, database: Database, version: int) -> str:
        return self("migrate-down", database, f"--target-version={version or -1}")


@pytest.fixture(scope="session")
def golang() -> Go:
    if reason := go.go_missing_reason():
        pytest.skip(f"{DID_NOT_RUN}: {reason}")
    return Go(go.peer())


@pytest.fixture
def default_database(empty_database_url: str) -> Iterator[Database]:
    yield from _database(empty_database_url, None)


@pytest.fixture(params=[None, ODD_SCHEMA], ids=["default", "named"])
def database(request: pytest.FixtureRequest, empty_database_url: str) -> Iterator[Database]:
    yield from _database(empty_database_url, request.param)


def _database(url: str, schema: str | None) -> Iterator[Database]:
    if schema:
        with psycopg.connect(url) as connection:
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
    engine = create_engine(sqlalchemy_url(url, "psycopg"), poolclass=NullPool)
    yield Database(url, engine, schema)
    engine.dispose()


def golden(version: int, *, from_above: bool = False) -> str:
    """Return what Go's migrator makes of an empty database at a version."""
    if version == 0:
        return "".join(f"-- {title}\n" for title in _TITLES)
    suffix = "_from_above" if from_above and version < 8 else ""
    return (GOLDEN / f"version_{version}{suffix}.txt").read_text(encoding="utf-8")


_TITLES = ["tables", "columns", "constraints", "indexes", "sequences", "types", "functions", "triggers"]
