import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine

from riverqueue import DictArgs, JobListParams, JobRow
from riverqueue.testing.conformance.expect import raises
from riverqueue.testing.conformance.sample import SORT, UNIQUE, numbered
from tests.support.server import sqlalchemy_url
from tests.transactions.conftest import Database
from tests.transactions.methods import READS, ROWS, WRITES
from tests.transactions.stacks import PSYCOPG, SESSIONS, SQLALCHEMY, Stack, entered, settle

LEVEL = "SHOW transaction_isolation"
HIGHER = ["REPEATABLE READ", "SERIALIZABLE"]


# --- How to set one ---


@pytest.mark.parametrize("stack", PSYCOPG, indirect=True)
async def test_psycopgs_connection(stack: Stack) -> None:
    async with stack.idle() as connection:
        await settle(connection.set_isolation_level, psycopg.IsolationLevel.SERIALIZABLE)
        await stack.client.insert(SORT, tx=connection)
        assert await stack.sql(connection, LEVEL) == [("serializable",)]
        await settle(connection.rollback)


@pytest.mark.parametrize("stack", SQLALCHEMY, indirect=True)
async def test_sqlalchemys_create_engine(stack: Stack, database_url: str) -> None:
    create = create_async_engine if stack.asynchronous else create_engine
    engine: Any = create(sqlalchemy_url(database_url, stack.engine.dialect.driver), isolation_level="SERIALIZABLE")
    handle = type(stack.source)(engine)() if stack.name in SESSIONS else engine.connect()
    async with entered(handle) as tx:
        await stack.client.insert(SORT, tx=tx)
        assert await stack.sql(tx, LEVEL) == [("serializable",)]
    await settle(engine.dispose)


@pytest.mark.parametrize("stack", SQLALCHEMY, indirect=True)
async def test_sqlalchemys_execution_options(stack: Stack) -> None:
    options = {"isolation_level": "SERIALIZABLE"}
    async with stack.transaction(**options) as tx:  # of the engine
        await stack.client.insert(SORT, tx=tx)
        assert await stack.sql(tx, LEVEL) == [("serializable",)]
    async with stack.idle() as tx:
        if stack.name in SESSIONS:
            await settle(tx.connection, execution_options=options)
        else:
            await settle(tx.execution_options, **options)
        await stack.client.insert(SORT, tx=tx)
        assert await stack.sql(tx, LEVEL) == [("serializable",)]


async def test_sql(stack: Stack) -> None:
    async with stack.transaction() as tx:
        await stack.sql(tx, "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
        await stack.client.insert(SORT, tx=tx)
        assert await stack.sql(tx, LEVEL) == [("serializable",)]


# --- What works at each ---


async def test_every_method_works_at_the_higher_ones_too(stack: Stack, database: Database) -> None:
    await database.run(*ROWS)
    for level in HIGHER:
        async with stack.undone(isolation_level=level) as tx:
            for method in {**READS, **WRITES}.values():
                await method(stack.client, tx)


async def test_read_uncommitted_is_read_committed(stack: Stack) -> None:
    async with stack.undone() as others:
        await stack.client.insert(SORT, tx=others)
        async with stack.client.transaction(isolation_level="READ UNCOMMITTED") as tx:
            assert (await stack.client.job_list(tx=tx)).jobs == []


async def _numbers(pages: AsyncIterator[JobRow]) -> list[int]:
    return [job.args["number"] async for job in pages]


async def test_each_page_of_a_listing_is_of_its_own_moment(stack: Stack) -> None:
    await stack.client.insert_many([numbered(1), numbered(2)])
    async with stack.transaction(isolation_level="READ COMMITTED") as tx:
        pages = aiter(stack.client.job_list_all(JobListParams(first=1), tx=tx))
        assert (await anext(pages)).args == {"number": 1}
        await stack.client.insert(numbered(3))
        assert await _numbers(pages) == [2, 3]


@pytest.mark.parametrize("level", HIGHER)
async def test_above_it_all_are_of_the_moment_of_the_first_statement(stack: Stack, level: str) -> None:
    await stack.client.insert(numbered(1))
    async with stack.transaction(isolation_level=level) as tx:
        await stack.client.insert(numbered(2))
        pages = aiter(stack.client.job_list_all(JobListParams(first=1), tx=tx))
        assert (await anext(pages)).args == {"number": 1}
        await stack.client.insert(numbered(3))
        assert await _numbers(pages) == [2]
        assert await _numbers(stack.client.job_list_all(tx=tx)) == [1, 2]


# --- Unique jobs, and rows that others have changed ---


async def test_a_twin_committed_before_it_began_is_returned(stack: Stack) -> None:
    first = await stack.client.insert(SORT, UNIQUE)
    for level in ["READ COMMITTED", *HIGHER]:
        async with stack.transaction(isolation_level=level) as tx:
            second = await stack.client.insert(SORT, UNIQUE, tx=tx)
        assert (second.unique_skipped_as_duplicated, second.job) == (True, first.job)


async def test_a_twin_committed_since_is_returned_at_read_committed(stack: Stack) -> None:
    async with stack.transaction(isolation_level="READ COMMITTED") as tx:
        await stack.sql(tx, "SELECT 1")
        first = await stack.client.insert(SORT, UNIQUE)
        second = await stack.client.insert(SORT, UNIQUE, tx=tx)
    assert (second.unique_skipped_as_duplicated, second.job) == (True, first.job)


@pytest.mark.parametrize("level", HIGHER)
async def test_above_it_that_is_a_serialization_failure(stack: Stack, level: str) -> None:
    with raises(state="40001"):
        async with stack.transaction(isolation_level=level) as tx:
            await stack.sql(tx, "SELECT 1")
            await stack.client.insert(SORT, UNIQUE)
            await stack.client.insert(SORT, UNIQUE, tx=tx)


async def _insert_at_repeatable_read(stack: Stack) -> Any:
    async with stack.transaction(isolation_level="REPEATABLE READ") as tx:
        return await stack.client.insert(SORT, UNIQUE, tx=tx)


async def test_it_is_one_after_a_wait_if_the_twin_commits(stack: Stack, database: Database) -> None:
    async with stack.transaction() as others:
        await stack.client.insert(SORT, UNIQUE, tx=others)
        waiting = asyncio.create_task(_insert_at_repeatable_read(stack))
        await database.until_blocked()
    with raises(state="40001"):
        await waiting


async def test_it_is_inserted_if_the_twin_rolls_back(stack: Stack, database: Database) -> None:
    async with stack.undone() as others:
        await stack.client.insert(SORT, UNIQUE, tx=others)
        waiting = asyncio.create_task(_insert_at_repeatable_read(stack))
        await database.until_blocked()
    assert not (await waiting).unique_skipped_as_duplicated


async def test_a_change_works_on_what_others_have_left_since(stack: Stack) -> None:
    job = (await stack.client.insert(SORT)).job
    async with stack.transaction(isolation_level="READ COMMITTED") as tx:
        await stack.client.job_list(tx=tx)
        await stack.client.job_update(job.id, metadata={"theirs": 1})
        assert (await stack.client.job_update(job.id, metadata={"ours": 2}, tx=tx)).metadata == {"theirs": 1, "ours": 2}


@pytest.mark.parametrize("level", HIGHER)
async def test_above_it_is_a_serialization_failure_too(stack: Stack, database: Database, level: str) -> None:
    await database.run(*ROWS)
    changes: list[tuple[Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[Any]]]] = [
        (lambda: stack.client.job_update(1, output=1), lambda tx: stack.client.job_cancel(1, tx=tx)),
        (lambda: stack.client.queue_update("mail", metadata={}), lambda tx: stack.client.queue_pause("mail", tx=tx)),
    ]
    for theirs, ours in changes:
        with raises(state="40001"):
            async with stack.transaction(isolation_level=level) as tx:
                await stack.client.insert(DictArgs("lost", {}), tx=tx)
                await theirs()
                await ours(tx)
    assert await database.kinds() == ["stored"]
