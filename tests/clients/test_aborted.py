"""A transaction that failed is not committed in silence: its jobs would be lost, and nobody would know."""

import contextlib

import psycopg
import pytest
import sqlalchemy
from psycopg_pool import ConnectionPool
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import sessionmaker

import riverqueue_psycopg
import riverqueue_sqlalchemy
from riverqueue import AbortedError, AsyncClient, Client, DictArgs
from tests.support.server import sqlalchemy_url

ARGS = DictArgs("aborted", {})
BROKEN = sqlalchemy.text("SELECT 1/0")


@pytest.mark.parametrize(
    "stack", ["psycopg", "engine-psycopg", "engine-psycopg2", "session-psycopg", "session-psycopg2"]
)
def test_it_is_said(database_url, connection, stack):
    kind, _, library = stack.partition("-")
    with contextlib.ExitStack() as cleanup:
        if kind == "psycopg":
            pool = cleanup.enter_context(ConnectionPool(database_url, min_size=1, open=True))
            driver, broken = riverqueue_psycopg.Driver(pool), "SELECT 1/0"
        else:
            engine = sqlalchemy.create_engine(sqlalchemy_url(database_url, library))
            cleanup.callback(engine.dispose)
            driver = riverqueue_sqlalchemy.Driver(engine if kind == "engine" else sessionmaker(engine))
            broken = BROKEN
        client = Client(driver)
        with pytest.raises(AbortedError, match="rolled back"), client.transaction() as tx:
            client.insert(ARGS, tx=tx)
            with contextlib.suppress(psycopg.DataError, sqlalchemy.exc.DataError):
                tx.execute(broken)
        with client.transaction() as tx:
            client.insert(ARGS, tx=tx)
    assert connection.execute("SELECT count(*) FROM river_job").fetchone() == (1,)


@pytest.mark.parametrize("stack", ["engine-psycopg", "engine-asyncpg", "session-psycopg", "session-asyncpg"])
async def test_it_is_said_on_a_loop(database_url, connection, stack):
    kind, _, library = stack.partition("-")
    engine = create_async_engine(sqlalchemy_url(database_url, library))
    client = AsyncClient(riverqueue_sqlalchemy.AsyncDriver(engine if kind == "engine" else async_sessionmaker(engine)))
    with pytest.raises(AbortedError):
        async with client.transaction() as tx:
            await client.insert(ARGS, tx=tx)
            with contextlib.suppress(sqlalchemy.exc.DBAPIError):
                await tx.execute(BROKEN)
    async with client.transaction() as tx:
        await client.insert(ARGS, tx=tx)
    await engine.dispose()
    assert connection.execute("SELECT count(*) FROM river_job").fetchone() == (1,)


async def test_it_is_said_by_psycopg_on_a_loop(database_url, connection):
    async with riverqueue_psycopg.AsyncDriver(database_url) as driver:
        client = AsyncClient(driver)
        with pytest.raises(AbortedError):
            async with client.transaction() as tx:
                await client.insert(ARGS, tx=tx)
                with contextlib.suppress(psycopg.DataError):
                    await tx.execute("SELECT 1/0")
    assert connection.execute("SELECT count(*) FROM river_job").fetchone() == (0,)
