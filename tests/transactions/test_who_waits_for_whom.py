import asyncio

import pytest

from riverqueue import JobDeleteManyParams, JobState, NotFoundError
from riverqueue.testing.conformance.expect import raises
from riverqueue.testing.conformance.sample import SORT, UNIQUE, numbered
from tests.transactions.conftest import Database
from tests.transactions.methods import READS, ROWS, WRITES
from tests.transactions.stacks import Stack

#: Whoever waits would be ended by this.
NO_WAITING = "SET LOCAL lock_timeout = '10ms'"


async def test_a_unique_insert_waits_for_its_twin_and_returns_it_if_it_commits(
    stack: Stack, database: Database
) -> None:
    async with stack.transaction() as others:
        first = await stack.client.insert(SORT, UNIQUE, tx=others)
        waiting = asyncio.create_task(stack.client.insert(SORT, UNIQUE))
        await database.until_blocked()
    second = await waiting
    assert (second.unique_skipped_as_duplicated, second.job) == (True, first.job)


async def test_and_is_inserted_if_it_rolls_back(stack: Stack, database: Database) -> None:
    async with stack.transaction() as tx:
        async with stack.undone() as others:
            first = await stack.client.insert(SORT, UNIQUE, tx=others)
            waiting = asyncio.create_task(stack.client.insert(SORT, UNIQUE, tx=tx))
            await database.until_blocked()
        second = await waiting
    assert not second.unique_skipped_as_duplicated
    assert second.job.id != first.job.id
    assert await database.kinds() == ["sort"]


async def test_other_inserts_wait_for_nobody(stack: Stack) -> None:
    async with stack.undone() as others, stack.transaction() as tx:
        await stack.client.insert(SORT, UNIQUE, tx=others)
        await stack.sql(tx, NO_WAITING)
        await stack.client.insert(SORT, tx=tx)
        await stack.client.insert(numbered(1), UNIQUE, tx=tx)
        await stack.client.insert_many_fast([SORT], tx=tx)


async def test_reading_waits_for_nobody(stack: Stack, database: Database) -> None:
    await database.run(*ROWS)
    async with stack.undone() as others, stack.transaction() as tx:
        await stack.client.job_delete(1, tx=others)
        await stack.client.queue_pause("mail", tx=others)
        await stack.sql(tx, NO_WAITING)
        for method in READS.values():
            await method(stack.client, tx)
        assert (await stack.client.job_get(1, tx=tx)).state is JobState.AVAILABLE


async def test_every_change_waits_for_who_holds_its_row(stack: Stack, database: Database) -> None:
    await database.run(*ROWS)
    changes = [name for name in WRITES if name.startswith(("job_", "queue_")) and name != "job_delete_many"]
    async with stack.undone() as others, stack.transaction() as tx:
        await stack.client.job_update(1, output=1, tx=others)
        await stack.client.queue_pause("mail", tx=others)
        await stack.sql(tx, NO_WAITING)
        for name in changes:
            with raises(state="55P03"):
                async with stack.savepoint(tx):
                    await WRITES[name](stack.client, tx)
    assert len(changes) == 7


async def test_and_works_on_what_is_left(stack: Stack, database: Database) -> None:
    one, two = [(await stack.client.insert(SORT)).job.id for _ in range(2)]
    async with stack.transaction() as others:
        await stack.client.job_delete(one, tx=others)
        await stack.client.job_update(two, metadata={"theirs": 1}, tx=others)
        gone = asyncio.create_task(stack.client.job_cancel(one))
        merged = asyncio.create_task(stack.client.job_update(two, metadata={"ours": 2}))
        await database.until_blocked(2)
    with pytest.raises(NotFoundError):
        await gone
    assert (await merged).metadata == {"theirs": 1, "ours": 2}


async def test_job_delete_many_leaves_what_others_hold(stack: Stack, database: Database) -> None:
    held, free = [(await stack.client.insert(SORT)).job for _ in range(2)]
    async with stack.undone() as others:
        await stack.client.job_cancel(held.id, tx=others)
        assert await stack.client.job_delete_many(JobDeleteManyParams(unsafe_all=True)) == [free]
    assert await database.kinds() == ["sort"]


async def test_a_duplicate_holds_the_job_that_is_there_until_you_commit(stack: Stack, database: Database) -> None:
    job = (await stack.client.insert(SORT, UNIQUE)).job
    async with stack.transaction() as tx:
        await stack.client.insert(SORT, UNIQUE, tx=tx)
        waiting = asyncio.create_task(stack.client.job_cancel(job.id))
        await database.until_blocked()
    assert (await waiting).state is JobState.CANCELLED
