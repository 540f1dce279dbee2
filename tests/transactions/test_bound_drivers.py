from typing import Any

import psycopg
import pytest
from sqlalchemy.orm import scoped_session, sessionmaker

from riverqueue import Client, ConfigurationError, DictArgs
from riverqueue.testing.conformance.concurrency import together
from riverqueue.testing.conformance.expect import raises
from riverqueue.testing.conformance.sample import SORT
from tests.transactions.conftest import Database
from tests.transactions.methods import READS, ROWS, WRITES
from tests.transactions.stacks import NAMES, PSYCOPG, SESSIONS, Stack, entered, settle


async def test_what_is_done_without_tx_is_part_of_the_handles_transaction(stack: Stack, database: Database) -> None:
    await database.run(*ROWS)
    async with stack.undone() as tx:
        client = stack.bound(tx)
        for method in {**READS, **WRITES}.values():
            await method(client, None)
        assert await stack.sql(tx, "SELECT count(*) FROM river_job WHERE kind = 'sort'") == [(2,)]
    assert await database.kinds() == ["stored"]


async def test_inserts_with_tx_are_part_of_that_one(stack: Stack, database: Database) -> None:
    async with stack.undone() as tx, stack.transaction() as another:
        await stack.bound(tx).insert(SORT)
        await stack.bound(tx).insert(DictArgs("kept", {}), tx=another)
    assert await database.kinds() == ["kept"]


async def test_transaction_begins_the_transaction(stack: Stack, database: Database) -> None:
    async with stack.idle() as handle:
        client = stack.bound(handle)
        async with client.transaction():
            await client.insert(SORT)
        assert await database.kinds() == ["sort"]
        with raises(ZeroDivisionError):
            async with client.transaction():
                await client.insert(SORT)
                raise ZeroDivisionError
    assert await database.kinds() == ["sort"]


async def test_or_sets_a_savepoint_if_it_has_begun(stack: Stack, database: Database) -> None:
    async with stack.transaction() as tx:
        client = stack.bound(tx)
        await client.insert(DictArgs("before", {}))
        with raises(ZeroDivisionError):
            async with client.transaction():
                await client.insert(SORT)
                raise ZeroDivisionError
        async with client.transaction():
            await client.insert(DictArgs("inside", {}))
        assert await database.kinds() == []
    assert await database.kinds() == ["before", "inside"]


async def test_whose_options_can_not_be_changed_any_more(stack: Stack) -> None:
    async with stack.transaction() as tx:
        await stack.sql(tx, "SELECT 1")
        with pytest.raises(ConfigurationError, match="has begun already"):
            async with stack.bound(tx).transaction(isolation_level="SERIALIZABLE"):
                pass
        assert await stack.sql(tx, "SELECT 1") == [(1,)]


@pytest.mark.parametrize("stack", ["session-psycopg", "session-psycopg2"], indirect=True)
async def test_one_of_a_scoped_session_serves_all_threads(stack: Stack, database: Database) -> None:
    sessions = scoped_session(sessionmaker(stack.engine))
    client = Client(type(stack.driver)(sessions))

    def committed() -> Any:
        client.insert(DictArgs("committed", {}))
        sessions.commit()
        sessions.remove()

    def rolled_back() -> Any:
        client.insert(DictArgs("rolled_back", {}))
        sessions.rollback()
        sessions.remove()

    together(committed, rolled_back, committed, rolled_back)
    assert await database.kinds() == ["committed"] * 2


@pytest.mark.parametrize("stack", [name for name in NAMES if name not in SESSIONS], indirect=True)
async def test_in_autocommit_each_insert_without_tx_commits_by_itself(
    stack: Stack, database_url: str, database: Database
) -> None:
    if stack.name in PSYCOPG:
        library = psycopg.AsyncConnection if stack.asynchronous else psycopg.Connection
        connection: Any = await settle(library.connect, database_url, autocommit=True)
    else:
        connection = stack.engine.execution_options(isolation_level="AUTOCOMMIT").connect()
    async with entered(connection) as handle:
        await stack.bound(handle).insert(SORT)
        assert await database.kinds() == ["sort"]
