"""What docs/migrations.md tells to do in SQL. Its Python is run by tests/docs."""

import psycopg
import pytest
from riverqueue_migrations import upgrade

from tests.docs.fences import ROOT, fences
from tests.migrations.conftest import Database, golden


@pytest.mark.parametrize("version", [5, 6])
def test_indexes_built_concurrently_are_kept(default_database: Database, version: int):
    upgrade(default_database.engine, version - 1)
    statements = {5: _sql("river_job_kind_unique_key_idx"), 6: _sql("river_job_unique_idx")}[version]
    with psycopg.connect(default_database.url, autocommit=True) as connection:
        for statement in statements.split(";\n\n"):
            connection.execute(statement.encode())
    index = {5: "river_job_kind_unique_key_idx", 6: "river_job_unique_idx"}[version]
    built = default_database.execute(f"SELECT '{index}'::regclass::oid::int")
    upgrade(default_database.engine, version)
    assert default_database.describe() == golden(version)
    assert default_database.execute(f"SELECT '{index}'::regclass::oid::int") == built


def test_what_closes_the_table(default_database: Database):
    closed = []
    for version in range(1, 9):
        if version > 2:  # before that there is no table
            with default_database.engine.connect() as connection:
                upgrade(connection, version)
                modes = connection.exec_driver_sql(_LOCKS).scalars().all()
                closed += [version] if "AccessExclusiveLock" in modes else []
        upgrade(default_database.engine, version)
    assert closed == [3, 4, 5, 6, 7]


_LOCKS = "SELECT mode FROM pg_locks WHERE pid = pg_backend_pid() AND relation = 'river_job'::regclass"


def _sql(index: str) -> str:
    page = ROOT / "docs" / "migrations.md"
    (text,) = [fence.text for fence in fences(page) if fence.language == "sql" and f"{index} ON" in fence.text]
    return text
