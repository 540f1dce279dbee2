from datetime import UTC, datetime

from riverqueue import DictArgs, JobListParams
from riverqueue.testing.conformance.sample import SORT, SetClock, numbered
from tests.transactions.conftest import Database
from tests.transactions.stacks import Stack

STARTED = "SELECT now()"


async def test_ids_follow_the_inserts_and_not_the_commits(stack: Stack) -> None:
    """So whoever lists what is new since the last id may miss what commits late."""
    async with stack.transaction() as slow:
        await stack.client.insert(DictArgs("slow", {}), tx=slow)
        await stack.client.insert(DictArgs("quick", {}))
        page = await stack.client.job_list()
        assert [job.kind for job in page.jobs] == ["quick"]
    assert (await stack.client.job_list(JobListParams(after=page.last_cursor))).jobs == []
    assert [job.kind for job in (await stack.client.job_list()).jobs] == ["slow", "quick"]


async def test_a_jobs_times_are_the_clients_at_its_insert(stack: Stack) -> None:
    clock = SetClock(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    client = stack.client_of(stack.driver, clock=clock)
    async with stack.transaction() as tx:
        job = (await client.insert(SORT, tx=tx)).job
        clock.time = datetime(2026, 1, 2, 4, 4, 5, tzinfo=UTC)
        later = (await client.insert(SORT, tx=tx)).job
    assert job.created_at == job.scheduled_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert later.created_at == later.scheduled_at == clock.time


async def test_times_of_changes_are_those_of_the_transactions_beginning(stack: Stack, database: Database) -> None:
    await database.run("INSERT INTO river_queue (name) VALUES ('mail')")
    one, two = [result.job.id for result in await stack.client.insert_many([numbered(1), numbered(2)])]
    async with stack.transaction() as tx:
        [(began,)] = await stack.sql(tx, STARTED)
        await database.run("SELECT 1")  # time passes
        assert (await stack.client.job_cancel(one, tx=tx)).finalized_at == began
        await stack.client.job_cancel(two, tx=tx)
        assert (await stack.client.job_retry(two, tx=tx)).scheduled_at == began
        await stack.client.queue_pause("mail", tx=tx)
        assert (await stack.client.queue_get("mail", tx=tx)).paused_at == began
