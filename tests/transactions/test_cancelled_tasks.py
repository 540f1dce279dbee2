import asyncio
from typing import Any

import psycopg
import pytest
from sqlalchemy import exc

import riverqueue_psycopg
from riverqueue import Client, DictArgs, TransactionError
from riverqueue.testing.conformance.expect import raises
from riverqueue.testing.conformance.sample import SORT, UNIQUE
from tests.transactions.conftest import Database
from tests.transactions.stacks import ASYNC, PSYCOPG, Stack

asynchronous = pytest.mark.parametrize("stack", ASYNC, indirect=True)

BUSY = """
SELECT count(*) = 0 FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'active'
"""


async def cancelled_in_a_wait(database: Database, work: Any) -> None:
    """Cancel some work as soon as the database has it wait."""
    task = asyncio.create_task(work)
    await database.until_blocked()
    task.cancel()
    with raises(asyncio.CancelledError):
        await task


@asynchronous
async def test_all_of_your_transaction_is_rolled_back(stack: Stack, database: Database) -> None:
    async def work() -> None:
        async with stack.transaction() as tx:
            await stack.client.insert(DictArgs("lost", {}), tx=tx)
            await stack.client.insert(SORT, UNIQUE, tx=tx)

    async with stack.undone() as others:
        await stack.client.insert(SORT, UNIQUE, tx=others)
        await cancelled_in_a_wait(database, work())
        await database.until(BUSY)
    await stack.client.insert(DictArgs("after", {}))
    assert await database.kinds() == ["after"]


@asynchronous
async def test_whoever_catches_it_has_a_lost_transaction(stack: Stack, database: Database) -> None:
    async with stack.undone() as others:
        await stack.client.insert(SORT, UNIQUE, tx=others)
        async with stack.idle() as tx:
            await stack.client.insert(DictArgs("lost", {}), tx=tx)
            await cancelled_in_a_wait(database, stack.client.insert(SORT, UNIQUE, tx=tx))
            # psycopg has cancelled the statement; SQLAlchemy has given up the connection.
            lost = psycopg.errors.InFailedSqlTransaction if stack.name in PSYCOPG else exc.PendingRollbackError
            with pytest.raises(lost):
                await stack.sql(tx, "SELECT 1")
            with pytest.raises(TransactionError, match="roll it back"):
                await stack.client.job_list(tx=tx)
            await tx.rollback()
            await stack.client.insert(DictArgs("after", {}), tx=tx)
            await tx.commit()
    assert await database.kinds() == ["after"]


@pytest.mark.parametrize("stack", ["psycopg-async"], indirect=True)
async def test_with_psycopg_a_savepoint_keeps_it_usable(stack: Stack, database: Database) -> None:
    async with stack.undone() as others:
        await stack.client.insert(SORT, UNIQUE, tx=others)
        async with stack.transaction() as tx:
            await stack.client.insert(DictArgs("kept", {}), tx=tx)
            await cancelled_in_a_wait(database, stack.client.insert(SORT, UNIQUE, tx=tx, savepoint=True))
            await stack.client.insert(DictArgs("after", {}), tx=tx)
    assert await database.kinds() == ["kept", "after"]


@asynchronous
async def test_without_tx_nothing_was_inserted(stack: Stack, database: Database) -> None:
    async with stack.undone() as others:
        await stack.client.insert(SORT, UNIQUE, tx=others)
        await cancelled_in_a_wait(database, stack.client.insert(SORT, UNIQUE))
        await database.until(BUSY)
    assert await database.kinds() == []


@asynchronous
async def test_a_deadline_of_asyncio_is_a_cancellation(stack: Stack, database: Database) -> None:
    deadline = asyncio.timeout(None)

    async def work() -> None:
        async with deadline, stack.transaction() as tx:
            await stack.client.insert(SORT, UNIQUE, tx=tx)

    async with stack.undone() as others:
        await stack.client.insert(SORT, UNIQUE, tx=others)
        task = asyncio.create_task(work())
        await database.until_blocked()
        deadline.reschedule(0)
        with pytest.raises(TimeoutError):
            await task
    assert await database.kinds() == []


@asynchronous
async def test_a_cancellation_that_comes_too_late(stack: Stack, database_url: str, database: Database) -> None:
    with psycopg.connect(database_url) as others, psycopg.connect(database_url, autocommit=True) as observer:
        Client(riverqueue_psycopg.Driver(others)).insert(SORT, UNIQUE)
        task = asyncio.create_task(stack.client.insert(SORT, UNIQUE))
        await database.until_blocked()
        others.rollback()
        while observer.execute("SELECT count(*) FROM river_job").fetchone() == (0,):
            pass  # the loop stands still and does not hear of it
        task.cancel()
        with raises(asyncio.CancelledError):
            await task
    assert (await stack.client.insert(SORT, UNIQUE)).unique_skipped_as_duplicated
