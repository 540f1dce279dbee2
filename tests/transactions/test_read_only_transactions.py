from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import riverqueue_migrations
from sqlalchemy import create_engine, exc

import riverqueue_psycopg
from riverqueue import Client, ReadOnlyError, TransactionError
from riverqueue.embedded import EmbeddedError, start
from riverqueue.testing.conformance.expect import raises
from riverqueue.testing.conformance.sample import SORT
from tests.transactions.conftest import Database
from tests.transactions.methods import READS, ROWS, WRITES
from tests.transactions.stacks import NAMES, PSYCOPG, Stack, opened, settle


async def test_what_writes_is_refused_with_the_databases_error_as_the_cause(stack: Stack, database: Database) -> None:
    await database.run(*ROWS)
    for name, write in WRITES.items():
        with pytest.raises(ReadOnlyError, match="the transaction is read-only, and River's .* writes") as caught:
            async with stack.transaction(read_only=True) as tx:
                await write(stack.client, tx)
        cause: Any = caught.value.__cause__
        assert isinstance(cause, psycopg.errors.ReadOnlySqlTransaction if stack.name in PSYCOPG else exc.DBAPIError)
        assert cause.__notes__[0].startswith("while River ran"), name
    assert await database.kinds() == ["stored"]


async def test_what_reads_works(stack: Stack, database: Database) -> None:
    await database.run(*ROWS)
    async with stack.transaction(read_only=True) as tx:
        for read in READS.values():
            await read(stack.client, tx)


async def test_your_transaction_is_lost(stack: Stack) -> None:
    async with stack.idle() as tx:
        await stack.sql(tx, "SET TRANSACTION READ ONLY")
        with pytest.raises(ReadOnlyError):
            await stack.client.insert(SORT, tx=tx)
        with raises(state="25P02"):
            await stack.sql(tx, "SELECT 1")
        with raises(TransactionError) if stack.name in PSYCOPG else raises(state="25P02"):
            await stack.client.job_list(tx=tx)
        await settle(tx.rollback)
        assert (await stack.client.job_list(tx=tx)).jobs == []


async def test_unless_there_was_a_savepoint(stack: Stack) -> None:
    async with stack.transaction(read_only=True) as tx:
        with pytest.raises(ReadOnlyError):
            await stack.client.insert(SORT, tx=tx, savepoint=True)
        with pytest.raises(ReadOnlyError):
            async with stack.savepoint(tx):
                await stack.client.job_cancel(1, tx=tx)
        assert (await stack.client.job_list(tx=tx)).jobs == []


async def test_of_client_transaction(stack: Stack) -> None:
    with pytest.raises(ReadOnlyError):
        async with stack.client.transaction(read_only=True) as tx:
            await stack.client.insert(SORT, tx=tx)


@pytest.mark.parametrize("name", NAMES)
async def test_of_all_sessions_by_default(name: str, database_url: str, database: Database) -> None:
    async with opened(name, database_url, default_transaction_read_only="on") as stack:
        assert (await stack.client.job_list()).jobs == []
        for insert in (stack.client.insert, lambda job: stack.client.insert_many_fast([job])):
            with pytest.raises(ReadOnlyError, match="default_transaction_read_only"):
                await insert(SORT)
        async with stack.client.transaction(read_only=False) as tx:
            await stack.client.insert(SORT, tx=tx)
    assert await database.kinds() == ["sort"]


@pytest.fixture(scope="module")
def standby_url() -> Iterator[str]:
    """A server that follows another one, which is not there: it has what it had when it became one."""
    try:
        server = start()
    except EmbeddedError as error:
        pytest.skip(f"no server of our own: {error}")
    with server:
        engine = create_engine(server.sqlalchemy_url())
        riverqueue_migrations.upgrade(engine)
        engine.dispose()
        (server.data_dir / "standby.signal").touch()
        server.restart()
        yield server.url


def test_of_a_standby(standby_url: str) -> None:
    with riverqueue_psycopg.Driver(standby_url) as driver:
        client = Client(driver)
        assert client.job_count().total == 0
        with pytest.raises(ReadOnlyError, match="a standby"):
            client.insert(SORT)
