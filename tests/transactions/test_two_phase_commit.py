import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest

from riverqueue import JobState
from riverqueue.testing.conformance.expect import raises
from riverqueue.testing.conformance.sample import SORT, UNIQUE
from tests.transactions.conftest import Database
from tests.transactions.methods import ROWS, WRITES
from tests.transactions.stacks import PSYCOPG, SESSIONS, Stack, entered, settle

PREPARED = "SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()"

#: Does one of `prepare`, `commit` and `rollback`.
Do = Callable[[str], Awaitable[None]]


@pytest.fixture(autouse=True)
async def _can_prepare(database: Database) -> None:
    if await database.rows("SHOW max_prepared_transactions") == [("0",)]:
        pytest.skip("the server has max_prepared_transactions = 0")


@asynccontextmanager
async def two_phases(stack: Stack) -> AsyncGenerator[tuple[Any, Do]]:
    """Begin a transaction for two phases, as the library does."""
    if stack.name in PSYCOPG:
        async with stack.idle() as tx:
            await settle(tx.tpc_begin, tx.xid(0, uuid4().hex, "river"))
            yield tx, lambda step: settle(getattr(tx, f"tpc_{step}"))
    elif stack.name in SESSIONS:
        async with entered(stack.source(twophase=True)) as tx:
            yield tx, lambda step: _run(tx, lambda session: getattr(session, step)())
    else:
        async with entered(stack.engine.connect()) as tx:
            phases: list[Any] = []
            await _run(tx, lambda connection: phases.append(connection.begin_twophase()))
            yield tx, lambda step: _run(tx, lambda _: getattr(phases[0], step)())


async def _run(handle: Any, work: Callable[[Any], None]) -> None:
    """Run what SQLAlchemy has no async method for, on a handle of either colour."""
    if hasattr(handle, "run_sync"):
        await handle.run_sync(work)
    else:
        await settle(work, handle)


async def test_the_job_exists_once_the_second_phase_is_done(stack: Stack, database: Database) -> None:
    async with two_phases(stack) as (tx, do):
        await stack.client.insert(SORT, tx=tx)
        await do("prepare")
        assert await database.rows(PREPARED) == [(1,)]
        assert await database.kinds() == []
        await do("commit")
    assert await database.kinds() == ["sort"]


async def test_or_not_at_all(stack: Stack, database: Database) -> None:
    for steps in (["rollback"], ["prepare", "rollback"]):
        async with two_phases(stack) as (tx, do):
            await stack.client.insert(SORT, tx=tx)
            for step in steps:
                await do(step)
    assert await database.kinds() == []
    assert await database.rows(PREPARED) == [(0,)]


async def test_every_method_works_and_nobody_is_notified(stack: Stack, database: Database) -> None:
    await database.run(*ROWS)
    await database.listen("public.river_insert")
    await database.listen("public.river_control")
    async with two_phases(stack) as (tx, do):
        for write in WRITES.values():
            await write(stack.client, tx)
        await do("prepare")
        await do("commit")
    assert await database.kinds() == ["sort", "sort"]
    assert await database.rows("SELECT metadata FROM river_queue") == [({"a": 1},)]
    assert await database.heard() == []


async def test_a_cancellation_of_a_running_job_is_marked_and_not_told(stack: Stack, database: Database) -> None:
    await database.run(*ROWS, "UPDATE river_job SET state = 'running'")
    await database.listen("public.river_control")
    async with two_phases(stack) as (tx, do):
        await stack.client.job_cancel(1, tx=tx)
        await do("prepare")
        await do("commit")
    job = await stack.client.job_get(1)
    assert (job.state, set(job.metadata)) == (JobState.RUNNING, {"cancel_attempted_at"})
    assert await database.heard() == []
    await stack.client.job_cancel(1)
    assert [json.loads(payload)["action"] for payload in await database.heard()] == ["cancel"]


async def test_its_rows_are_held_until_the_second_phase(stack: Stack, database: Database) -> None:
    async with two_phases(stack) as (tx, do):
        first = await stack.client.insert(SORT, UNIQUE, tx=tx)
        await do("prepare")
        waiting = asyncio.create_task(stack.client.insert(SORT, UNIQUE))
        await database.until_blocked()
        await do("commit")
    second = await waiting
    assert (second.unique_skipped_as_duplicated, second.job) == (True, first.job)


async def test_one_that_was_not_begun_for_it_cannot_be_prepared(stack: Stack, database: Database) -> None:
    with raises(state="0A000") as caught:
        async with stack.transaction() as tx:
            await stack.client.insert(SORT, tx=tx)
            await stack.sql(tx, "PREPARE TRANSACTION 'by hand'")
    assert "NOTIFY" in str(caught.value)
    assert await database.kinds() == []


@pytest.mark.parametrize("stack", SESSIONS, indirect=True)
async def test_a_session_prepares_by_itself_at_its_commit(stack: Stack, database: Database) -> None:
    await database.listen("public.river_insert")
    async with entered(stack.source(twophase=True)) as session:
        await stack.client.insert(SORT, tx=session)
        await settle(session.commit)
    assert await database.kinds() == ["sort"]
    assert await database.heard() == []
