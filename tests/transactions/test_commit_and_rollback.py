import json
from inspect import signature
from typing import Any

import pytest

from riverqueue import Client, JobState, NotFoundError
from riverqueue.testing.conformance.sample import SORT
from tests.transactions.conftest import Database
from tests.transactions.methods import READS, ROWS, WRITES
from tests.transactions.stacks import Stack

#: What workers are told.
NEWS: dict[str, dict[str, Any]] = {
    "insert": {"queue": "default"},
    "insert_many": {"queue": "default"},
    "insert_many_fast": {"queue": "default"},
    "job_cancel": {"action": "cancel", "job_id": 1, "queue": "default"},
    "queue_pause": {"action": "pause", "queue": "mail"},
    "queue_resume": {"action": "resume", "queue": "mail"},
    "queue_update": {"action": "metadata_changed", "metadata": {"a": 1}, "queue": "mail"},
}

ALL = """
SELECT to_jsonb(job)::text FROM river_job AS job UNION ALL
SELECT to_jsonb(queue)::text FROM river_queue AS queue ORDER BY 1
"""


def test_these_are_all_methods_that_take_tx() -> None:
    every = {name for name in dir(Client) if not name.startswith("_") and "tx" in signature(_of(name)).parameters}
    # What completes a job is for workers, whose tests are tests/runtime/test_transactional.py and others beside it.
    assert every - {"insert_tx", "insert_many_tx", "job_complete"} == READS.keys() | WRITES.keys()


def _of(name: str) -> Any:
    member = getattr(Client, name)
    return member if callable(member) else lambda: None


async def test_your_transaction_decides_and_workers_hear_of_it_at_its_commit(stack: Stack, database: Database) -> None:
    await database.run(*ROWS)
    await database.listen("public.river_insert")
    await database.listen("public.river_control")
    for name, write in WRITES.items():
        before = await database.rows(ALL)
        async with stack.undone() as tx:
            await write(stack.client_of(stack.driver), tx)  # a new client, which has notified nobody yet
            assert await stack.sql(tx, ALL) != before, name
        assert await database.rows(ALL) == before, name
        async with stack.transaction() as tx:
            await write(stack.client_of(stack.driver), tx)
            assert await database.rows(ALL) == before, name
            assert await database.heard() == [], name
            seen = await stack.sql(tx, ALL)
        assert await database.rows(ALL) == seen != before, name
        assert [json.loads(payload) for payload in await database.heard()] == ([NEWS[name]] if name in NEWS else [])


async def test_with_tx_you_see_what_you_have_not_committed_and_nobody_else_does(
    stack: Stack, database: Database
) -> None:
    await database.run(*ROWS)
    client = stack.client
    async with stack.transaction() as tx:
        await client.queue_pause("mail", tx=tx)
        job = (await client.insert(SORT, tx=tx)).job
        assert await client.job_get(job.id, tx=tx) == job
        assert [each.id for each in (await client.job_list(tx=tx)).jobs] == [1, job.id]
        assert [each.id async for each in client.job_list_all(tx=tx)] == [1, job.id]
        assert (await client.job_count(tx=tx)).total == 2
        assert [(await client.queue_get("mail", tx=tx))] == await client.queue_list(tx=tx)
        assert (await client.queue_get("mail", tx=tx)).paused_at is not None
        for method in (client.job_get, client.job_cancel):
            with pytest.raises(NotFoundError, match="in a transaction that has not committed"):
                await method(job.id)
        assert [each.id for each in (await client.job_list()).jobs] == [1]
        assert [each.id async for each in client.job_list_all()] == [1]
        assert (await client.job_count()).total == 1
        assert (await client.queue_get("mail")).paused_at is None
    assert await client.job_get(job.id) == job


async def test_wait_knows_nothing_of_a_job_that_is_not_committed(stack: Stack) -> None:
    async with stack.transaction() as tx:
        job = (await stack.client.insert(SORT, tx=tx)).job
        await stack.client.job_cancel(job.id, tx=tx)
        with pytest.raises(NotFoundError):
            await stack.client.wait(job.id, timeout=10)
    assert (await stack.client.wait(job.id, timeout=10)).state is JobState.CANCELLED


async def test_an_id_that_is_rolled_back_is_used_up(stack: Stack) -> None:
    async with stack.undone() as tx:
        first = (await stack.client.insert(SORT, tx=tx)).job
    assert (await stack.client.insert(SORT)).job.id == first.id + 1


async def test_methods_run_in_your_transaction_and_leave_it_open(stack: Stack, database: Database) -> None:
    await database.run(*ROWS)
    async with stack.transaction() as tx:
        before = await stack.sql(tx, "SELECT pg_current_xact_id()::text")
        for method in {**READS, **WRITES}.values():
            await method(stack.client, tx)
        assert await stack.sql(tx, "SELECT pg_current_xact_id()::text") == before
