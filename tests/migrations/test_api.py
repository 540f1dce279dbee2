import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from riverqueue_migrations import current, downgrade, lock, pending, sql, upgrade
from sqlalchemy import NullPool, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import Session

from riverqueue.errors import ConfigurationError, SchemaError, TransactionError
from tests.migrations.conftest import Database, golden
from tests.support.server import sqlalchemy_url


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_every_driver(database: Database, driver: str):
    engine = create_engine(sqlalchemy_url(database.url, driver), poolclass=NullPool)
    assert current(engine, database.schema) == 0
    upgrade(engine, schema=database.schema)
    assert current(engine, database.schema) == 8
    assert database.describe() == golden(8)
    downgrade(engine, 0, database.schema)
    assert database.describe() == golden(0)


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
async def test_every_asynchronous_driver(database: Database, driver: str):
    engine = create_async_engine(sqlalchemy_url(database.url, driver), poolclass=NullPool)
    assert await current(engine, database.schema) == 0
    assert len(await upgrade(engine, schema=database.schema)) == 8
    assert await pending(engine, schema=database.schema) == []
    assert database.describe() == golden(8)
    async with engine.connect() as connection:
        assert len(await downgrade(connection, 0, database.schema)) == 8
        assert await current(connection, database.schema) == 0
        await connection.rollback()
    assert await current(engine, database.schema) == 8
    assert database.describe() == golden(8)


def test_the_callers_transaction_is_the_callers(database: Database):
    with database.engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE boats ()")
        upgrade(connection, schema=database.schema)
        assert current(connection, database.schema) == 8
        assert connection.in_transaction()
        connection.rollback()
    assert current(database.engine, database.schema) == 0
    assert database.execute("SELECT to_regclass('public.boats')") == [(None,)]


def test_inside_a_savepoint(default_database: Database):
    with default_database.engine.begin() as connection:
        with connection.begin_nested() as savepoint:
            upgrade(connection)
            savepoint.rollback()
        assert current(connection) == 0
        with connection.begin_nested():
            upgrade(connection)
    assert default_database.describe() == golden(8)


def test_on_a_sessions_connection(default_database: Database):
    with Session(default_database.engine) as session, session.begin():
        upgrade(session.connection())
    assert current(default_database.engine) == 8


def test_a_failure_leaves_everything_as_it_was(default_database: Database):
    default_database.execute("CREATE TABLE river_notification ()")  # in version 7's way
    with pytest.raises(DBAPIError, match="already exists"):
        upgrade(default_database.engine)
    assert current(default_database.engine) == 0


def test_eight_threads_at_once(database: Database):
    start = threading.Barrier(8)

    def migrate(_: int) -> int:
        start.wait()
        return len(upgrade(database.engine, schema=database.schema))

    with ThreadPoolExecutor(8) as pool:
        done = sorted(pool.map(migrate, range(8)))
    assert done == [0] * 7 + [8]
    assert database.describe() == golden(8)


def test_waiting_for_the_lock_does_not_fix_what_is_seen(default_database: Database):
    strict = default_database.engine.execution_options(isolation_level="REPEATABLE READ")
    with ThreadPoolExecutor(1) as pool, default_database.engine.connect() as first:
        upgrade(first)
        second = pool.submit(upgrade, strict)
        _until_waiting(default_database)
        first.commit()
        assert second.result() == []


def test_a_lock_timeout_passes_through(default_database: Database):
    with default_database.engine.connect() as first, default_database.engine.connect() as second:
        lock(first)
        second.exec_driver_sql("SET LOCAL lock_timeout = '10ms'")
        with pytest.raises(DBAPIError) as raised:
            upgrade(second)
    assert isinstance(raised.value.orig, psycopg.errors.LockNotAvailable)


def test_schemas_do_not_wait_for_each_other(default_database: Database):
    default_database.execute("CREATE SCHEMA other")
    with default_database.engine.connect() as first, default_database.engine.connect() as second:
        upgrade(first)
        second.exec_driver_sql("SET LOCAL lock_timeout = '5s'")
        upgrade(second, schema="other")


def test_no_lock_lasts_in_autocommit(default_database: Database):
    engine = default_database.engine.execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection, pytest.raises(TransactionError, match="autocommit"):
        upgrade(connection)
    upgrade(engine)  # its connection is ours
    assert current(engine) == 8


def test_a_missing_schema_is_not_created(default_database: Database):
    with pytest.raises(SchemaError, match='Run first: CREATE SCHEMA "a""b"$'):
        upgrade(default_database.engine, schema='a"b')
    assert current(default_database.engine, 'a"b') == 0
    assert downgrade(default_database.engine, schema='a"b') == []
    with default_database.engine.connect() as connection:
        connection.exec_driver_sql("SET LOCAL search_path = nowhere")
        with pytest.raises(SchemaError, match="search_path"):
            upgrade(connection)


def test_versions_that_are_none(default_database: Database):
    for call in (upgrade, downgrade, pending):
        with pytest.raises(ConfigurationError, match="version 9 is not a valid River migration version; valid are 1–8"):
            call(default_database.engine, 9)
    with pytest.raises(ConfigurationError, match="version 9"):
        sql(to_version=9)


def test_something_else_than_an_engine():
    with pytest.raises(TypeError, match="not str"):
        upgrade("postgresql://localhost")  # type: ignore[call-overload]


def test_newer_versions_are_ignored_aloud(default_database: Database):
    upgrade(default_database.engine, 7)
    default_database.execute("INSERT INTO river_migration (line, version) VALUES ('main', 9), ('pro', 3)")
    with pytest.warns(UserWarning, match=r"has River migrations \[9\], this release knows 1–8"):
        assert len(upgrade(default_database.engine)) == 1
    assert current(default_database.engine) == 8
    with pytest.warns(UserWarning, match="ignored"):
        assert [one.version for one in downgrade(default_database.engine)] == [8]


def test_steps_are_limited(default_database: Database):
    engine = default_database.engine
    assert [one.version for one in upgrade(engine, max_steps=3)] == [1, 2, 3]
    assert [one.version for one in upgrade(engine, 5, max_steps=9)] == [4, 5]
    assert [one.version for one in downgrade(engine, max_steps=2)] == [5, 4]
    assert [one.version for one in downgrade(engine, 0, max_steps=1)] == [3]
    assert [one.version for one in downgrade(engine)] == [2]
    assert default_database.describe() == golden(1)


@pytest.mark.parametrize("call", [upgrade, downgrade])
def test_no_steps_are_no_limit(default_database: Database, call):
    with pytest.raises(ConfigurationError, match="max_steps must be 1 or more, or None for no limit, not 0"):
        call(default_database.engine, max_steps=0)


def test_a_dry_run_changes_nothing(database: Database):
    dry = {"schema": database.schema, "dry_run": True}
    assert [one.version for one in upgrade(database.engine, 7, **dry)] == [1, 2, 3, 4, 5, 6, 7]
    assert [one.version for one in upgrade(database.engine, max_steps=2, **dry)] == [1, 2]
    assert database.describe() == golden(0)
    upgrade(database.engine, schema=database.schema)
    (would,) = downgrade(database.engine, **dry)
    assert (would.version, would.name, would.direction) == (8, "job id autoincrement", "down")
    assert not would.duration
    assert database.describe() == golden(8)


def test_a_dry_run_waits_for_nobody(default_database: Database):
    with default_database.engine.connect() as first, default_database.engine.connect() as second:
        upgrade(first)
        second.exec_driver_sql("SET LOCAL lock_timeout = '10ms'")
        assert len(upgrade(second, dry_run=True)) == 8


def test_a_dry_run_needs_no_right_to_write(default_database: Database):
    upgrade(default_database.engine, 7)
    with default_database.engine.connect() as connection:
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")
        assert [one.version for one in upgrade(connection, dry_run=True)] == [8]


async def test_a_dry_run_on_an_event_loop(default_database: Database):
    engine = create_async_engine(sqlalchemy_url(default_database.url, "asyncpg"), poolclass=NullPool)
    assert len(await upgrade(engine, max_steps=2, dry_run=True)) == 2
    assert await current(engine) == 0


def test_other_lines_keep_version_5(default_database: Database):
    upgrade(default_database.engine)
    default_database.execute("INSERT INTO river_migration (line, version) VALUES ('pro', 1)")
    with pytest.raises(DBAPIError, match="Found non-main migration lines in the database; version 005"):
        downgrade(default_database.engine, 4)
    assert current(default_database.engine) == 8


def test_other_lines_are_not_ours(default_database: Database):
    upgrade(default_database.engine, 5)
    default_database.execute("INSERT INTO river_migration (line, version) VALUES ('pro', 6), ('pro', 8)")
    assert [one.version for one in upgrade(default_database.engine)] == [6, 7, 8]
    downgrade(default_database.engine, 5)
    rows = default_database.execute("SELECT version FROM river_migration WHERE line = 'pro' ORDER BY 1")
    assert rows == [(6,), (8,)]


def _until_waiting(database: Database) -> None:
    waiting = [(0,)]
    while waiting == [(0,)]:
        waiting = database.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
