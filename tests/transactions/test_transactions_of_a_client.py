import asyncio
from typing import Any, get_args

import psycopg
import pytest
import sqlalchemy
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Session

import riverqueue_psycopg
from riverqueue import AbortedError, Client, ConfigurationError, DictArgs
from riverqueue.driver import IsolationLevel
from riverqueue.testing.conformance.expect import raises
from riverqueue.testing.conformance.sample import SORT
from tests.transactions.conftest import Database
from tests.transactions.stacks import NAMES, PSYCOPG, SESSIONS, SQLALCHEMY, Stack, opened, settle

SETTINGS = "SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only')"


async def test_it_commits_when_the_block_ends(stack: Stack, database: Database) -> None:
    async with stack.client.transaction() as tx:
        await stack.client.insert(SORT, tx=tx)
        assert await database.kinds() == []
    assert await database.kinds() == ["sort"]


async def test_it_rolls_back_when_an_exception_leaves_the_block(stack: Stack, database: Database) -> None:
    error = ZeroDivisionError()
    with raises(ZeroDivisionError) as caught:
        async with stack.client.transaction() as tx:
            await stack.client.insert(SORT, tx=tx)
            raise error
    assert caught.value is error
    assert await database.kinds() == []


async def test_what_it_gives(stack: Stack) -> None:
    types: dict[bool, type[Any]] = {False: sqlalchemy.Connection, True: AsyncConnection}
    if stack.name in PSYCOPG:
        types = {False: psycopg.Connection, True: psycopg.AsyncConnection}
    elif stack.name in SESSIONS:
        types = {False: Session, True: AsyncSession}
    async with stack.client.transaction() as tx:
        assert isinstance(tx, types[stack.asynchronous])
    async with stack.idle() as handle, stack.bound(handle).transaction() as tx:
        assert tx is handle


def test_of_a_connection_string(database_url: str) -> None:
    with riverqueue_psycopg.Driver(database_url) as driver, Client(driver).transaction() as tx:
        assert type(tx) is psycopg.Connection


async def test_options(stack: Stack) -> None:
    for level in get_args(IsolationLevel):
        for read_only in (True, False):
            async with stack.client.transaction(isolation_level=level, read_only=read_only) as tx:
                [(found, found_read_only)] = await stack.sql(tx, SETTINGS)
            assert found_read_only == ("on" if read_only else "off")
            assert found == level.lower() or level == "READ UNCOMMITTED"  # which is READ COMMITTED to PostgreSQL
    async with stack.client.transaction() as tx:  # on the same connection: nothing is left of them
        assert await stack.sql(tx, SETTINGS) == [("read committed", "off")]


@pytest.mark.parametrize("stack", PSYCOPG, indirect=True)
async def test_what_is_left_out_psycopgs_connection_decides(stack: Stack) -> None:
    async with stack.idle() as connection:
        await settle(connection.set_read_only, True)
        async with stack.bound(connection).transaction(isolation_level="SERIALIZABLE") as tx:
            assert await stack.sql(tx, SETTINGS) == [("serializable", "on")]
        await settle(connection.set_read_only, None)


@pytest.mark.parametrize("stack", SQLALCHEMY, indirect=True)
async def test_what_is_left_out_sqlalchemys_engine_decides(stack: Stack) -> None:
    engine = stack.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    source = type(stack.source)(engine) if stack.name in SESSIONS else engine
    async with stack.client_of(type(stack.driver)(source)).transaction(isolation_level="SERIALIZABLE") as tx:
        assert await stack.sql(tx, SETTINGS) == [("serializable", "on")]


@pytest.mark.parametrize("name", NAMES)
async def test_what_is_said_overrides_the_sessions_defaults(name: str, database_url: str) -> None:
    defaults = {f"default_transaction_{option}": "on" for option in ("read_only", "deferrable")}
    async with opened(name, database_url, default_transaction_isolation="serializable", **defaults) as stack:
        async with stack.client.transaction() as tx:
            assert await stack.sql(tx, "SHOW transaction_read_only") == [("on",)]
        options = {"isolation_level": "READ COMMITTED", "read_only": False, "deferrable": False}
        async with stack.client.transaction(**options) as tx:
            assert await stack.sql(tx, SETTINGS) == [("read committed", "off")]
            assert await stack.sql(tx, "SHOW transaction_deferrable") == [("off",)]
        async with stack.idle() as handle, stack.bound(handle).transaction(**options) as tx:
            assert await stack.sql(tx, SETTINGS) == [("read committed", "off")]


async def test_deferrable_waits_for_a_moment_without_writers(stack: Stack, database: Database) -> None:
    async def read() -> Any:
        options = {"isolation_level": "SERIALIZABLE", "read_only": True, "deferrable": True}
        async with stack.client.transaction(**options) as tx:
            return (await stack.client.job_list(tx=tx)).jobs

    async with stack.transaction(isolation_level="SERIALIZABLE") as tx:
        job = (await stack.client.insert(SORT, tx=tx)).job
        reading = asyncio.create_task(read())
        await database.until(
            "SELECT count(*) > 0 FROM pg_stat_activity "
            "WHERE datname = current_database() AND pg_safe_snapshot_blocking_pids(pid) <> '{}'"
        )
    assert await reading in ([], [job])


async def test_a_level_there_is_not(stack: Stack) -> None:
    with pytest.raises(ConfigurationError, match="isolation_level must be one of"):
        stack.client.transaction(isolation_level="SNAPSHOT")


async def test_an_error_that_was_not_let_out_is_not_committed_in_silence(stack: Stack, database: Database) -> None:
    async with stack.idle() as handle:
        for client in (stack.client, stack.bound(handle)):
            with raises(AbortedError):
                async with client.transaction() as tx:
                    await client.insert(SORT, tx=tx)
                    with raises(state="22012"):
                        await stack.sql(tx, "SELECT 1 / 0")
            async with client.transaction() as tx:  # and it can be used again
                await client.insert(DictArgs("after", {}), tx=tx)
    assert await database.kinds() == ["after"] * 2


async def test_one_that_is_let_out_is_itself(stack: Stack) -> None:
    with raises(state="22012"):
        async with stack.client.transaction() as tx:
            await stack.sql(tx, "SELECT 1 / 0")


@pytest.mark.parametrize("stack", SQLALCHEMY, indirect=True)
async def test_sqlalchemys_may_be_ended_early(stack: Stack, database: Database) -> None:
    for end in ("rollback", "commit"):
        async with stack.client.transaction() as tx:
            await stack.client.insert(DictArgs(end, {}), tx=tx)
            await settle(getattr(tx, end))
    assert await database.kinds() == ["commit"]


@pytest.mark.parametrize("stack", PSYCOPG, indirect=True)
async def test_psycopgs_is_rolled_back_early_by_psycopgs_rollback(stack: Stack, database: Database) -> None:
    async with stack.client.transaction() as tx:
        await stack.client.insert(SORT, tx=tx)
        raise psycopg.Rollback
    assert await database.kinds() == []
