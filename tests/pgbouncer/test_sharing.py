"""Many clients over few sessions with the server: each sees its own transactions, and leaves nothing behind."""

from contextlib import ExitStack
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from riverqueue import AsyncClient, Client, JobDeleteManyParams, JobListParams, TransactionOptions
from riverqueue.testing.conformance.concurrency import together, together_async
from riverqueue.testing.conformance.expect import Undo, raises
from riverqueue.testing.conformance.sample import SORT, UNIQUE, numbered
from riverqueue_psycopg import Driver
from riverqueue_sqlalchemy import AsyncDriver as AsyncSqlalchemyDriver
from riverqueue_sqlalchemy import Driver as SqlalchemyDriver
from tests.pgbouncer.stacks import ASYNC, SYNC, async_engine, connect, engine, in_the_way
from tests.support.pgbouncer import POOL_SIZE, PgBouncer

OPTIONS = [
    TransactionOptions("SERIALIZABLE", read_only=True, deferrable=True),
    TransactionOptions("REPEATABLE READ"),
    TransactionOptions(read_only=False),
]

LEVEL = text("SHOW transaction_isolation")

# But for what PgBouncer itself sets as each client has it, and for transaction_*: these are of one transaction, and
# begin each from the defaults, whatever PostgreSQL says of their source.
TRACKED = "'application_name', 'client_encoding', 'datestyle', 'standard_conforming_strings', 'timezone'"
LEFT_BEHIND = f"""
SELECT 'statement', name FROM pg_prepared_statements
UNION ALL SELECT 'channel', pg_listening_channels()
UNION ALL SELECT 'lock', objid::text FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'
UNION ALL SELECT 'table', relname FROM pg_class WHERE relpersistence = 't'
UNION ALL SELECT 'setting', name || ' = ' || setting FROM pg_settings WHERE source = 'session'
    AND lower(name) NOT IN ({TRACKED}) AND name NOT LIKE 'transaction\\_%'
"""


def numbers(url: str) -> list[int]:
    """Return which of the numbered jobs there are."""
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT (args->>'number')::int FROM river_job WHERE kind = 'numbered' ORDER BY 1")
        return [number for (number,) in rows]


def left_behind(url: str) -> list[Any]:
    """Ask all sessions with the server what is left in them."""
    with ExitStack() as stack:
        connections = [stack.enter_context(connect(url)) for _ in range(POOL_SIZE)]
        return [row for connection in connections for row in connection.execute(LEFT_BEHIND.encode()).fetchall()]


def do_everything(client: Client[Any, Any], tx: Any) -> None:
    job = client.insert(SORT, tx=tx).job
    client.insert(SORT, UNIQUE, tx=tx, savepoint=tx is not None)
    client.insert_many([SORT, SORT], tx=tx)
    client.insert_many_fast([SORT] * 3, tx=tx)
    assert client.job_get(job.id, tx=tx) == job
    assert client.job_update(job.id, output=[1], tx=tx).output == [1]
    assert client.job_cancel(job.id, tx=tx).state == "cancelled"
    if tx is None:
        assert client.wait(job.id).state == "cancelled"
    assert client.job_retry(job.id, tx=tx).state == "available"
    assert len(client.job_list(JobListParams(kinds=["sort"], first=2), tx=tx).jobs) == 2
    assert len(list(client.job_list_all(JobListParams(first=2), tx=tx))) == client.job_count(tx=tx).total == 7
    assert client.job_delete(job.id, tx=tx).id == job.id
    assert len(client.job_delete_many(JobDeleteManyParams(kinds=["sort"]), tx=tx)) == 6
    client.queue_pause("*", tx=tx)
    client.queue_resume("*", tx=tx)
    assert client.queue_list(tx=tx) == []


async def do_everything_async(client: AsyncClient[Any, Any], tx: Any) -> None:
    job = (await client.insert(SORT, tx=tx)).job
    await client.insert(SORT, UNIQUE, tx=tx, savepoint=tx is not None)
    await client.insert_many([SORT, SORT], tx=tx)
    await client.insert_many_fast([SORT] * 3, tx=tx)
    assert await client.job_get(job.id, tx=tx) == job
    assert (await client.job_update(job.id, output=[1], tx=tx)).output == [1]
    assert (await client.job_cancel(job.id, tx=tx)).state == "cancelled"
    if tx is None:
        assert (await client.wait(job.id)).state == "cancelled"
    assert (await client.job_retry(job.id, tx=tx)).state == "available"
    assert len((await client.job_list(JobListParams(kinds=["sort"], first=2), tx=tx)).jobs) == 2
    listed = [each async for each in client.job_list_all(JobListParams(first=2), tx=tx)]
    assert len(listed) == (await client.job_count(tx=tx)).total == 7
    assert (await client.job_delete(job.id, tx=tx)).id == job.id
    assert len(await client.job_delete_many(JobDeleteManyParams(kinds=["sort"]), tx=tx)) == 6
    await client.queue_pause("*", tx=tx)
    await client.queue_resume("*", tx=tx)
    assert await client.queue_list(tx=tx) == []


@pytest.mark.parametrize("stack", SYNC)
def test_nothing_is_left_behind(pooled_url: str, stack: str) -> None:
    with SYNC[stack](pooled_url) as driver:
        client = Client(driver)
        do_everything(client, None)
        for options in OPTIONS:
            with driver.begin(options) as tx:
                client.job_count(tx=tx)
        with client.transaction() as tx:
            do_everything(client, tx)
    assert left_behind(pooled_url) == []


@pytest.mark.parametrize("stack", ASYNC)
async def test_nothing_is_left_behind_async(pooled_url: str, stack: str) -> None:
    async with ASYNC[stack](pooled_url) as driver:
        client = AsyncClient(driver)
        await do_everything_async(client, None)
        for options in OPTIONS:
            async with driver.begin(options) as tx:
                await client.job_count(tx=tx)
        async with client.transaction() as tx:
            await do_everything_async(client, tx)
    assert left_behind(pooled_url) == []


@pytest.mark.parametrize("library", ["psycopg", "psycopg2"])
def test_isolation_levels_of_an_engine(pooled_url: str, library: str) -> None:
    with engine(pooled_url, library, isolation_level="SERIALIZABLE") as made:
        client = Client(SqlalchemyDriver(made))
        with in_the_way(pooled_url), client.transaction() as tx:
            assert tx.scalar(LEVEL) == "serializable"
        with client.transaction(isolation_level="REPEATABLE READ") as tx:
            assert tx.scalar(LEVEL) == "repeatable read"
        client.insert(SORT)
    assert left_behind(pooled_url) == []


@pytest.mark.parametrize("library", ["psycopg", "asyncpg"])
async def test_isolation_levels_of_an_async_engine(pooled_url: str, library: str) -> None:
    async with async_engine(pooled_url, library, isolation_level="SERIALIZABLE") as made:
        client = AsyncClient(AsyncSqlalchemyDriver(made))
        with in_the_way(pooled_url):
            async with client.transaction() as tx:
                assert await tx.scalar(LEVEL) == "serializable"
        async with client.transaction(isolation_level="REPEATABLE READ") as tx:
            assert await tx.scalar(LEVEL) == "repeatable read"
        await client.insert(SORT)
    assert left_behind(pooled_url) == []


@pytest.mark.parametrize("stack", SYNC)
def test_transactions_interleave(pooled_url: str, database_url: str, stack: str) -> None:
    with SYNC[stack](pooled_url) as one, SYNC[stack](pooled_url) as another:
        mine, theirs = Client(one), Client(another)
        with mine.transaction() as first:
            mine.insert(numbered(1), tx=first)
            with raises(Undo), theirs.transaction() as second:
                theirs.insert(numbered(2), tx=second)
                mine.insert(numbered(3), tx=first)
                theirs.insert_many_fast([numbered(4)], tx=second)
                assert [theirs.job_count(tx=second).total, mine.job_count(tx=first).total] == [2, 2]
                raise Undo
            theirs.insert(numbered(5))
            assert numbers(database_url) == [5]
            mine.insert(numbered(6), tx=first)
    assert numbers(database_url) == [1, 3, 5, 6]


@pytest.mark.parametrize("stack", SYNC)
def test_more_clients_than_sessions(pooled_url: str, database_url: str, pgbouncer: PgBouncer, stack: str) -> None:
    def work(first: int) -> None:
        with SYNC[stack](pooled_url) as driver:
            client = Client(driver)
            for number in range(first, first + 20, 4):
                client.insert(numbered(number))
                with client.transaction() as tx:
                    client.insert(numbered(number + 1), tx=tx)
                    client.insert_many_fast([numbered(number + 2)], tx=tx)
                with raises(Undo), client.transaction() as tx:
                    client.insert_many([numbered(number + 3)], tx=tx)
                    raise Undo

    together(*(lambda first=first: work(first) for first in range(0, 240, 20)))
    assert numbers(database_url) == [number for number in range(240) if number % 4 != 3]
    assert len(pgbouncer.server_sessions()) <= POOL_SIZE


@pytest.mark.parametrize("stack", ASYNC)
async def test_more_clients_than_sessions_async(
    pooled_url: str, database_url: str, pgbouncer: PgBouncer, stack: str
) -> None:
    async def work(first: int) -> None:
        async with ASYNC[stack](pooled_url) as driver:
            client = AsyncClient(driver)
            for number in range(first, first + 20, 4):
                await client.insert(numbered(number))
                async with client.transaction() as tx:
                    await client.insert(numbered(number + 1), tx=tx)
                    await client.insert_many_fast([numbered(number + 2)], tx=tx)
                with raises(Undo):
                    async with client.transaction() as tx:
                        await client.insert_many([numbered(number + 3)], tx=tx)
                        raise Undo

    await together_async(*(lambda first=first: work(first) for first in range(0, 240, 20)))
    assert numbers(database_url) == [number for number in range(240) if number % 4 != 3]
    assert len(pgbouncer.server_sessions()) <= POOL_SIZE


def test_two_phases_in_two_sessions(pooled_url: str, database_url: str) -> None:
    with connect(pooled_url) as tx:
        tx.tpc_begin(tx.xid(1, "river", "test"))
        Client(Driver(tx)).insert(numbered(1), tx=tx)
        tx.tpc_prepare()
        with in_the_way(pooled_url):
            tx.tpc_commit()
    assert numbers(database_url) == [1]


@pytest.mark.parametrize("library", ["psycopg", "psycopg2"])
def test_two_phases_by_sqlalchemy(pooled_url: str, database_url: str, library: str) -> None:
    with engine(pooled_url, library) as made, made.connect() as connection:
        with connection.begin_twophase() as transaction:
            Client(SqlalchemyDriver(made)).insert(numbered(1), tx=connection)
            transaction.prepare()
            with in_the_way(pooled_url):
                transaction.commit()
    assert numbers(database_url) == [1]
