"""What docs/pgbouncer.md warns of does happen, and what it advises does help."""

from typing import Any

import psycopg
import pytest
import riverqueue_migrations
from sqlalchemy import text

from riverqueue import AsyncClient, Client, UnavailableError
from riverqueue.testing.conformance.expect import raises
from riverqueue.testing.conformance.sample import SORT, SetClock
from riverqueue_psycopg import AsyncDriver, Driver
from riverqueue_sqlalchemy import AsyncDriver as AsyncSqlalchemyDriver
from tests.pgbouncer.stacks import ASYNC, ASYNCPG, SYNC, async_engine, connect, engine, in_the_way
from tests.support.pgbouncer import PgBouncer

#: So many that psycopg prepares: it does so at the sixth time, on each of up to eight connections.
MANY = 50


def insert_here_and_there(driver: Any, url: str) -> None:
    """Insert over one session with the server and then over another."""
    client = Client(driver, clock=SetClock())  # the clock, so that all but the first send the same statement
    for _ in range(MANY):
        client.insert(SORT)
    with in_the_way(url):
        client.insert(SORT)


async def insert_here_and_there_async(driver: Any, url: str) -> None:
    client = AsyncClient(driver, clock=SetClock())
    for _ in range(MANY):
        await client.insert(SORT)
    with in_the_way(url):
        await client.insert(SORT)


@pytest.mark.parametrize("stack", SYNC)
def test_documented_settings(pooled_url: str, stack: str) -> None:
    with SYNC[stack](pooled_url) as driver:
        insert_here_and_there(driver, pooled_url)


@pytest.mark.parametrize("stack", ASYNC)
async def test_documented_settings_async(pooled_url: str, stack: str) -> None:
    async with ASYNC[stack](pooled_url) as driver:
        await insert_here_and_there_async(driver, pooled_url)


@pytest.mark.parametrize("stack", ["psycopg", "sqlalchemy-psycopg"])
def test_default_settings_fail(pooled_url: str, stack: str) -> None:
    with SYNC[stack](pooled_url, {}) as driver, raises(state="26000"):  # invalid_sql_statement_name
        insert_here_and_there(driver, pooled_url)


@pytest.mark.parametrize("stack", ["psycopg", "sqlalchemy-psycopg", "sqlalchemy-asyncpg"])
async def test_default_settings_fail_async(pooled_url: str, stack: str) -> None:
    async with ASYNC[stack](pooled_url, {}) as driver:
        with raises(state="26000"):
            await insert_here_and_there_async(driver, pooled_url)


async def test_ping_before_use_by_asyncpg(pooled_url: str) -> None:
    async with async_engine(pooled_url, "asyncpg", pool_pre_ping=True) as made:
        await insert_here_and_there_async(AsyncSqlalchemyDriver(made), pooled_url)


def test_two_programs_with_default_settings_use_the_same_names(pooled_url: str) -> None:
    with psycopg.connect(pooled_url) as first, psycopg.connect(pooled_url) as second:
        with raises(state="42P05"):  # duplicate_prepared_statement
            for connection in (first, second):
                for _ in range(MANY):
                    Client(Driver(connection)).insert(SORT)
                connection.commit()


def test_our_own_connections_prepare_without_a_pooler(database_url: str) -> None:
    """To leave it off everywhere would cost every insert a third of its time or more."""
    with Driver(database_url) as driver:
        client = Client(driver, clock=SetClock())
        for _ in range(MANY):
            client.insert(SORT)
        with client.transaction() as tx:
            prepared = tx.execute("SELECT count(*) FROM pg_prepared_statements").fetchone()
    assert prepared == (1,)


async def test_our_own_connections_prepare_without_a_pooler_async(database_url: str) -> None:
    async with AsyncDriver(database_url) as driver:
        client = AsyncClient(driver, clock=SetClock())
        for _ in range(MANY):
            await client.insert(SORT)
        async with client.transaction() as tx:
            cursor = await tx.execute("SELECT count(*) FROM pg_prepared_statements")
            assert await cursor.fetchone() == (1,)


async def test_unique_names_for_asyncpg_stay_with_the_server(pooled_url: str) -> None:
    """What SQLAlchemy's documentation says of PgBouncer helps only where the server's sessions are reset as well."""
    names = iter(range(1000))
    settings = {"prepared_statement_cache_size": 0, "prepared_statement_name_func": lambda: f"statement_{next(names)}"}
    async with async_engine(pooled_url, "asyncpg", settings) as made:
        await AsyncClient(AsyncSqlalchemyDriver(made)).insert(SORT)
    with connect(pooled_url) as connection:
        found = connection.execute("SELECT count(*) FROM pg_prepared_statements WHERE name ~ '^statement_'").fetchone()
    assert found != (0,)


# --- The session ---


def test_listening_hears_nothing_and_disturbs_others(pooled_url: str, database_url: str) -> None:
    heard: list[tuple[str, str]] = []
    with (
        connect(pooled_url, autocommit=True) as listener,
        connect(pooled_url, autocommit=True) as other,
        psycopg.connect(database_url) as inserting,
    ):
        listener.add_notify_handler(lambda note: heard.append(("listener", note.payload)))
        other.add_notify_handler(lambda note: heard.append(("other", note.payload)))
        listener.execute('LISTEN "public.river_insert"')
        other.execute("BEGIN")  # in the session with the server that listens
        Client(Driver(inserting)).insert(SORT)
        inserting.commit()
        other.execute("COMMIT")
        listener.execute("SELECT 1")
    assert heard == [("other", '{"queue": "default"}')]


def test_what_is_set_stays_with_the_server(pooled_url: str) -> None:
    with connect(pooled_url, autocommit=True) as mine, connect(pooled_url, autocommit=True) as another:
        mine.execute("SET search_path TO jobs")
        assert another.execute("SHOW search_path").fetchone() == ("jobs",)
        with in_the_way(pooled_url):
            assert mine.execute("SHOW search_path").fetchone() != ("jobs",)


@pytest.mark.parametrize("library", ["psycopg", "psycopg2"])
def test_options_are_refused(pooled_url: str, library: str) -> None:
    with engine(pooled_url, library, {"options": "-c search_path=jobs"}) as made, raises() as caught:
        made.connect()
    assert "unsupported startup parameter: options" in str(caught.value)


def test_options_are_refused_in_a_connection_string(pooled_url: str) -> None:
    with Driver(f"{pooled_url}&options=-csearch_path%3Djobs") as driver, raises(UnavailableError) as caught:
        Client(driver).insert(SORT)
    assert "unsupported startup parameter: options" in str(caught.value)


@pytest.mark.parametrize("setting", ["search_path", "statement_timeout", "jit"])
async def test_server_settings_are_refused(pooled_url: str, setting: str) -> None:
    async with async_engine(pooled_url, "asyncpg", {"server_settings": {setting: "0"}}) as made:
        with raises() as caught:
            await made.connect()
    assert f"unsupported startup parameter: {setting}" in str(caught.value)


async def test_an_applications_name_is_not_refused(pooled_url: str) -> None:
    settings = {**ASYNCPG, "server_settings": {"application_name": "shop"}}
    async with async_engine(pooled_url, "asyncpg", settings) as made, made.connect() as connection:
        assert await connection.scalar(text("SHOW application_name")) == "shop"


def test_ignored_options_are_lost(pooled_url: str, pgbouncer: PgBouncer) -> None:
    with pgbouncer.setting("ignore_startup_parameters", "options"):
        with connect(pooled_url, options="-c search_path=jobs") as connection:
            assert connection.execute("SHOW search_path").fetchone() == ('"$user", public',)


def test_settings_of_the_database_hold(pooled_url: str, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute(f'ALTER DATABASE "{admin.info.dbname}" SET statement_timeout TO 12345'.encode())
    with connect(pooled_url) as connection:
        assert connection.execute("SHOW statement_timeout").fetchone() == ("12345ms",)


def make_schema(url: str) -> None:
    """Make River's tables in the schema ``jobs``, too."""
    with engine(url, "psycopg") as made, made.begin() as connection:
        connection.execute(text("CREATE SCHEMA jobs"))
        riverqueue_migrations.upgrade(connection, schema="jobs")


def count(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM jobs.river_job").fetchone()
        return row[0] if row else -1


@pytest.mark.parametrize("stack", SYNC)
def test_a_schema_by_name(pooled_url: str, database_url: str, stack: str) -> None:
    make_schema(pooled_url)
    with SYNC[stack](pooled_url) as driver:
        client = Client(driver, schema="jobs")
        client.insert(SORT)
        with client.transaction() as tx:
            client.insert_many_fast([SORT], tx=tx)
    assert count(database_url) == 2


@pytest.mark.parametrize("stack", ASYNC)
async def test_a_schema_by_name_async(pooled_url: str, database_url: str, stack: str) -> None:
    make_schema(pooled_url)
    async with ASYNC[stack](pooled_url) as driver:
        client = AsyncClient(driver, schema="jobs")
        await client.insert(SORT)
        async with client.transaction() as tx:
            await client.insert_many_fast([SORT], tx=tx)
    assert count(database_url) == 2


def test_a_setting_of_one_transaction(pooled_url: str) -> None:
    with engine(pooled_url, "psycopg2") as made, made.begin() as connection:
        connection.execute(text("SET LOCAL statement_timeout TO 12345"))
        assert connection.scalar(text("SHOW statement_timeout")) == "12345ms"


@pytest.mark.parametrize("stack", ["conninfo", "sqlalchemy-psycopg", "sqlalchemy-psycopg2"])
def test_no_database_behind(pgbouncer: PgBouncer, stack: str) -> None:
    with SYNC[stack](pgbouncer.url_for("nowhere")) as driver, raises(UnavailableError) as caught:
        Client(driver).insert(SORT)
    assert "nowhere" in str(caught.value)


@pytest.mark.parametrize("stack", ["conninfo", "sqlalchemy-psycopg", "sqlalchemy-asyncpg"])
async def test_no_database_behind_async(pgbouncer: PgBouncer, stack: str) -> None:
    async with ASYNC[stack](pgbouncer.url_for("nowhere")) as driver:
        with raises(UnavailableError):
            await AsyncClient(driver).insert(SORT)
