"""Every version, reached in every way, is the schema that Go's migrator makes."""

import subprocess
from dataclasses import replace

import psycopg
import pytest
from riverqueue_migrations import downgrade, sql, upgrade

from tests.migrations.conftest import Database, Go, golden
from tests.migrations.programs import program, run_text

VERSIONS = range(1, 9)


def test_up_one_by_one_and_down_one_by_one(database: Database):
    for version in VERSIONS:
        applied = upgrade(database.engine, version, database.schema)
        assert [(one.version, one.direction) for one in applied] == [(version, "up")]
        assert database.describe() == golden(version)
        assert database.versions() == list(range(1, version + 1))
    for version in reversed(range(8)):
        applied = downgrade(database.engine, schema=database.schema)
        assert [(one.version, one.direction) for one in applied] == [(version + 1, "down")]
        assert database.describe() == golden(version, from_above=True)
        assert database.versions() == list(range(1, version + 1))
    assert downgrade(database.engine, schema=database.schema) == []


@pytest.mark.parametrize("start", range(8))
def test_from_any_version_to_any_in_one_transaction(default_database: Database, start: int):
    for end in range(start + 1, 9):
        database = replace(default_database, schema=f"from_{start}_to_{end}")
        database.execute(f"CREATE SCHEMA {database.schema}")
        if start:
            upgrade(database.engine, start, database.schema)
        upgrade(database.engine, end, database.schema)
        assert database.describe() == golden(end)
        downgrade(database.engine, start, database.schema)
        # Only the way down from version 4 does not restore all that was there.
        assert database.describe() == golden(start, from_above=end > 3)
        upgrade(database.engine, schema=database.schema)
        assert database.describe() == golden(8)


def test_up_down_and_up_in_one_transaction(database: Database):
    with database.engine.begin() as connection:
        upgrade(connection, schema=database.schema)
        downgrade(connection, 3, database.schema)
        upgrade(connection, schema=database.schema)
        downgrade(connection, 0, database.schema)
        upgrade(connection, schema=database.schema)
    assert database.describe() == golden(8)


@pytest.mark.parametrize("start", [2, 3])
def test_jobs_survive_the_new_enum_type(default_database: Database, start: int):
    upgrade(default_database.engine, start)
    default_database.execute("""
        INSERT INTO river_job (state, finalized_at, kind, max_attempts, args)
        SELECT state, CASE WHEN state IN ('cancelled', 'completed', 'discarded') THEN now() END, 'k', 1, NULL
        FROM unnest(enum_range(NULL::river_job_state)) AS state""")
    before = default_database.execute("SELECT id, state::text, finalized_at FROM river_job ORDER BY id")
    upgrade(default_database.engine)
    assert default_database.execute("SELECT id, state::text, finalized_at FROM river_job ORDER BY id") == before
    assert default_database.describe() == golden(8)


@pytest.mark.parametrize("start", [0, 2, 4])
def test_jobs_can_be_inserted_in_the_transaction_that_migrates(default_database: Database, start: int):
    insert = """
        INSERT INTO river_job (kind, max_attempts, args, unique_key, unique_states, state)
        VALUES ('k', 1, '{}', '\\x01', B'11111111', 'pending')
        ON CONFLICT (unique_key) WHERE unique_key IS NOT NULL AND unique_states IS NOT NULL
            AND river_job_state_in_bitmask(unique_states, state)
        DO UPDATE SET kind = 'again' RETURNING kind"""
    if start:
        upgrade(default_database.engine, start)
    with default_database.engine.begin() as connection:
        upgrade(connection)
        kinds = [connection.exec_driver_sql(insert).scalar() for _ in range(2)]
    assert kinds == ["k", "again"]


@pytest.mark.parametrize("options", [["-1"], []], ids=["one-transaction", "autocommit"])
def test_text_run_by_psql(database: Database, options: list[str]):
    def run(text: str) -> None:
        run_text(database.url, text, *options)

    run(sql(schema=database.schema))
    assert database.describe() == golden(8)
    assert database.versions() == list(VERSIONS)
    run(sql("down", 8, 3, database.schema))
    assert database.describe() == golden(3, from_above=True)
    assert database.versions() == [1, 2, 3]
    run(sql("up", 3, 8, database.schema))
    assert database.describe() == golden(8)
    run(sql("down", schema=database.schema))
    assert database.describe() == golden(0)


def test_text_without_bookkeeping(default_database: Database):
    # As people do whose tool keeps its own: River's version 1 is left out.
    text = sql(from_version=1, bookkeeping=False)
    default_database.execute(text)
    assert "river_migration" not in default_database.describe()
    default_database.execute(sql("down", to_version=1, bookkeeping=False))
    assert default_database.describe() == golden(0)


def test_pg_dump_shows_what_it_shows_after_go(database: Database, golang: Go):
    for version in VERSIONS:
        golang.up(database, version)
        rows = database.versions()
        theirs = dump(database)
        golang.down(database, 0)
        upgrade(database.engine, version, database.schema)
        assert dump(database) == theirs
        assert database.versions() == rows
        downgrade(database.engine, 0, database.schema)


def dump(database: Database) -> str:
    with psycopg.connect(database.url) as connection:
        server = connection.info.server_version // 10000
    done = subprocess.run(
        [program("pg_dump", server), "-s", "-O", database.url], check=True, capture_output=True, text=True
    )
    # PostgreSQL 18 wraps a dump in a random key.
    return "\n".join(line for line in done.stdout.splitlines() if "restrict " not in line)


@pytest.mark.parametrize("version", [7, 8])
def test_jobs_survive_the_way_down(default_database: Database, version: int):
    upgrade(default_database.engine, version)
    default_database.execute("INSERT INTO river_job (args, kind, max_attempts) VALUES ('{}', 'k', 1)")
    downgrade(default_database.engine, 6)
    assert default_database.execute("SELECT kind FROM river_job") == [("k",)]


def test_queues_get_their_times_by_themselves_since_version_7(default_database: Database):
    upgrade(default_database.engine, 6)
    default_database.execute("INSERT INTO river_queue (name, updated_at) VALUES ('old', now())")
    before = default_database.execute("SELECT * FROM river_queue")
    upgrade(default_database.engine)
    assert default_database.execute("SELECT * FROM river_queue") == before
    default_database.execute("INSERT INTO river_queue (name) VALUES ('new')")
    assert default_database.execute("SELECT updated_at = created_at FROM river_queue WHERE name = 'new'") == [(True,)]
