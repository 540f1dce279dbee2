from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from riverqueue import DictArgs
from riverqueue.testing.conformance.expect import raises
from riverqueue.testing.conformance.sample import SORT
from tests.transactions.conftest import Database
from tests.transactions.stacks import PSYCOPG, SESSIONS, Stack, entered, settle

sessions = pytest.mark.parametrize("stack", SESSIONS, indirect=True)

JOINED = {"join_transaction_mode": "create_savepoint"}


@asynccontextmanager
async def outer(stack: Stack) -> AsyncGenerator[Any]:
    """Open a connection whose transaction is rolled back, whatever is done on it."""
    async with entered(stack.engine.connect()) as connection, entered(connection.begin()):
        yield connection
        await settle(connection.rollback)


@sessions
async def test_begin_nested_is_a_savepoint(stack: Stack, database: Database) -> None:
    async with entered(stack.source()) as session:
        async with entered(session.begin()):
            await stack.client.insert(DictArgs("outer", {}), tx=session)
            with raises(ZeroDivisionError):
                async with entered(session.begin_nested()):
                    await stack.client.insert(DictArgs("undone", {}), tx=session)
                    raise ZeroDivisionError
            async with entered(session.begin_nested()), entered(session.begin_nested()):
                await stack.client.insert(DictArgs("kept", {}), tx=session)
    assert await database.kinds() == ["outer", "kept"]


@sessions
async def test_a_session_on_a_connection_commits_into_the_transaction_around_it(
    stack: Stack, database: Database
) -> None:
    await database.listen("public.river_insert")
    async with outer(stack) as connection:
        async with entered(type(stack.source)(connection, **JOINED)()) as session:
            await stack.client.insert(DictArgs("committed", {}), tx=session)
            await settle(session.commit)
            await stack.client.insert(DictArgs("rolled_back", {}), tx=session)
            await settle(session.rollback)
        assert await stack.sql(connection, "SELECT kind FROM river_job") == [("committed",)]
    assert await database.kinds() == []
    assert await database.heard() == []


@sessions
async def test_a_driver_of_such_sessions_keeps_inserts_without_tx_inside_too(stack: Stack, database: Database) -> None:
    async with outer(stack) as connection:
        client = stack.client_of(type(stack.driver)(type(stack.source)(connection, **JOINED)))
        job = (await client.insert(SORT)).job
        await client.job_cancel(job.id)
        async with client.transaction() as session:
            await client.insert(SORT, tx=session)
        assert await stack.sql(connection, "SELECT count(*) FROM river_job") == [(2,)]
    assert await database.kinds() == []


@sessions
async def test_a_driver_of_the_engine_does_not(stack: Stack, database: Database) -> None:
    async with outer(stack):
        await stack.client.insert(SORT)
    assert await database.kinds() == ["sort"]


@sessions
async def test_without_that_mode_a_rollback_of_the_session_is_one_of_all(stack: Stack, database: Database) -> None:
    async with outer(stack) as connection:
        async with entered(type(stack.source)(connection)()) as session:
            await stack.client.insert(SORT, tx=session)
            await settle(session.commit)
            assert await database.kinds() == []
        async with entered(type(stack.source)(connection)()) as session:
            await stack.client.insert(SORT, tx=session)
            await settle(session.rollback)
        assert not connection.in_transaction()
    assert await database.kinds() == []


@pytest.mark.parametrize("stack", PSYCOPG, indirect=True)
async def test_psycopgs_transactions_nest_and_can_be_undone(stack: Stack, database: Database) -> None:
    async with stack.idle() as connection:
        async with entered(connection.transaction(force_rollback=True)):
            async with entered(connection.transaction()):
                await stack.client.insert(SORT, tx=connection)
            await stack.bound(connection).insert(SORT)
            assert await stack.sql(connection, "SELECT count(*) FROM river_job") == [(2,)]
    assert await database.kinds() == []
