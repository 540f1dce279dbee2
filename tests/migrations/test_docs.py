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


def _sql(index: str) -> str:
    page = ROOT / "docs" / "migrations.md"
    (text,) = [fence.text for fence in fences(page) if fence.language == "sql" and f"{index} ON" in fence.text]
    return text
