"""A client at work counts what it does."""

import asyncio
from datetime import timedelta

from riverqueue import Client, DictArgs, EventKind, InsertOpts, JobSnooze, Workers
from riverqueue.runtime.counts import RunCounts
from riverqueue_psycopg import Driver


async def test_what_is_counted(scene, workers):
    started, go_on = asyncio.Event(), asyncio.Event()

    @workers.work("complete")
    async def complete(job):
        pass

    @workers.work("fail")
    async def fail(job):
        raise ValueError

    @workers.work("snooze")
    async def snooze(job):
        raise JobSnooze(timedelta(hours=1))

    @workers.work("hold")
    async def hold(job):
        started.set()
        await go_on.wait()

    async with scene.working(queues={"default": 10, "mail": 1}) as (client, events):
        handle = await client.start()
        assert handle.counts() == RunCounts()
        for kind in ("complete", "fail", "snooze"):
            await scene.insert(kind, queue="mail", max_attempts=1)
            await events.get()
        await scene.insert("hold")
        await started.wait()
        assert handle.counts() == RunCounts(running=1, completed=1, failed=1, ended=3)
        await client.queue_remove("mail")
        assert handle.counts() == RunCounts(running=1, completed=1, failed=1, ended=3)
        go_on.set()
    assert handle.counts() == RunCounts(running=0, completed=2, failed=1, ended=4)


def test_a_sync_client_counts_too(database_url):
    workers = Workers()
    workers.work("job")(lambda job: None)
    with Driver(database_url) as driver:
        client = Client(driver, workers=workers, queues={"default": 1})
        with client.subscribe(EventKind.JOB_COMPLETED) as events, client:
            handle = client.start()
            client.insert(DictArgs("job", {}), InsertOpts())
            assert events.get(20) is not None
    assert handle.counts() == RunCounts(completed=1, ended=1)
