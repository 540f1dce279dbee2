from typing import Any

import pytest
from sqlalchemy import event

from riverqueue import DictArgs, TransactionError
from riverqueue.testing.conformance.expect import raises
from riverqueue.testing.conformance.sample import SORT, numbered
from tests.transactions.conftest import Database
from tests.transactions.methods import ALLOW, REFUSE, REFUSED
from tests.transactions.stacks import SYNC_SQLALCHEMY, Stack

#: Rows that were not written by the transaction itself, but by a savepoint in it, bear another number.
IN_SAVEPOINT = "SELECT kind, xmin <> pg_current_xact_id()::xid FROM river_job ORDER BY id"


async def test_with_savepoint_you_may_go_on_if_the_database_refuses_a_job(stack: Stack, database: Database) -> None:
    async with stack.transaction() as tx:
        await stack.sql(tx, REFUSE)
        await stack.client.insert(numbered(1), tx=tx)
        with raises(state="23514"):
            await stack.client.insert(REFUSED, tx=tx, savepoint=True)
        with raises(state="23514"):
            await stack.client.insert_many([numbered(2), REFUSED], tx=tx, savepoint=True)
        with raises(state="23514"):
            await stack.client.insert_many_fast([numbered(2), REFUSED], tx=tx, savepoint=True)
        await stack.client.insert(SORT, tx=tx)
        await stack.sql(tx, ALLOW)
    assert await database.kinds() == ["numbered", "sort"]


async def test_river_sets_none_unless_you_ask(stack: Stack) -> None:
    async with stack.undone() as tx:
        await stack.client.insert(DictArgs("plain", {}), tx=tx)
        await stack.client.insert_many([DictArgs("plain", {})], tx=tx)
        await stack.client.insert_many_fast([DictArgs("plain", {})], tx=tx)
        await stack.client.insert(DictArgs("asked_for", {}), tx=tx, savepoint=True)
        assert await stack.sql(tx, IN_SAVEPOINT) == [("plain", False)] * 3 + [("asked_for", True)]


@pytest.mark.parametrize("stack", SYNC_SQLALCHEMY, indirect=True)
async def test_it_costs_two_statements(stack: Stack) -> None:
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement.split()[0])

    event.listen(stack.engine, "before_cursor_execute", note)
    async with stack.undone() as tx:
        await stack.client.insert(SORT, tx=tx)
        statements.clear()
        await stack.client.insert(SORT, tx=tx)
        assert statements == ["INSERT"]
        statements.clear()
        await stack.client.insert(SORT, tx=tx, savepoint=True)
        assert statements == ["SAVEPOINT", "INSERT", "RELEASE"]


async def test_it_needs_a_transaction(stack: Stack) -> None:
    with pytest.raises(TransactionError, match="savepoint=True needs a transaction"):
        await stack.client.insert(SORT, savepoint=True)


async def test_what_was_done_in_one_of_yours_goes_with_it(stack: Stack, database: Database) -> None:
    async with stack.transaction() as tx:
        kept = (await stack.client.insert(DictArgs("before", {}), tx=tx)).job
        with raises(ZeroDivisionError):
            async with stack.savepoint(tx):
                await stack.client.insert(DictArgs("inside", {}), tx=tx)
                await stack.client.job_cancel(kept.id, tx=tx)
                raise ZeroDivisionError
        async with stack.savepoint(tx):
            await stack.client.insert(DictArgs("released", {}), tx=tx)
        assert (await stack.client.job_get(kept.id, tx=tx)).state == "available"
    assert await database.kinds() == ["before", "released"]


async def test_workers_hear_nothing_of_what_was_undone(stack: Stack, database: Database) -> None:
    await database.listen("public.river_insert")
    async with stack.transaction() as tx:
        with raises(ZeroDivisionError):
            async with stack.savepoint(tx):
                await stack.client.insert(SORT, tx=tx)
                raise ZeroDivisionError
    assert await database.heard() == []


async def test_one_of_yours_serves_every_method(stack: Stack) -> None:
    async with stack.undone() as tx:
        job = (await stack.client.insert(SORT, tx=tx)).job
        await stack.sql(tx, "ALTER TABLE river_job ADD CHECK (state <> 'cancelled') NOT VALID")
        with raises(state="23514"):
            async with stack.savepoint(tx):
                await stack.client.job_cancel(job.id, tx=tx)
        assert (await stack.client.job_get(job.id, tx=tx)).state == "available"


async def test_a_savepoint_may_be_what_begins_your_transaction(stack: Stack, database: Database) -> None:
    async with stack.undone() as tx:
        await stack.client.insert(SORT, tx=tx, savepoint=True)
    assert await database.kinds() == []
