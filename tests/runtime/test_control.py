"""What is asked of a working client from outside: pauses, cancellations; with notifications and without."""

import asyncio
from contextlib import suppress
from datetime import timedelta

import pytest

from riverqueue import EventKind, JobState, QueueConfig
from riverqueue.runtime import notifier, producer
from tests.support.until import until

POLLING = {"poll_only": True, "fetch_poll_interval": timedelta(milliseconds=100)}
LISTENING = {"poll_only": False}
EITHER = pytest.mark.parametrize("hearing", [LISTENING, POLLING], ids=["listening", "polling"])


@pytest.fixture(autouse=True)
def look_often(monkeypatch):
    """Without notifications a client looks by itself; often enough for a test."""
    monkeypatch.setattr(producer, "LOOK_POLLING", 0.02)


@EITHER
async def test_jobs_are_found(scene, register, hearing):
    register(lambda job: None)
    async with scene.working(**hearing) as (_, events):
        for _ in range(3):
            await scene.insert()
            assert (await events.get()).kind is EventKind.JOB_COMPLETED


@EITHER
async def test_pauses_and_resumes(scene, register, hearing):
    register(lambda job: None)
    async with scene.working(**hearing) as (client, events):
        await client.queue_pause("*")
        event = await events.get()
        assert (event.kind, event.queue, event.job) == (EventKind.QUEUE_PAUSED, "default", None)
        await client.queue_pause("default")  # nothing new, so no event
        job = await scene.insert()
        await client.queue_resume("default")
        assert (await events.get()).kind is EventKind.QUEUE_RESUMED
        assert (await events.get()).job.id == job.id


async def test_a_queue_that_was_paused_stays_so(scene, register, db):
    register(lambda job: None)
    db.execute("INSERT INTO river_queue (name, paused_at, metadata) VALUES ('default', now(), '{\"kept\": 1}')")
    await scene.insert()
    async with scene.working() as (client, events):
        assert (await client.queue_get("default")).paused_at is not None
        await client.queue_resume("default")
        assert [(await events.get()).kind for _ in range(2)] == [EventKind.QUEUE_RESUMED, EventKind.JOB_COMPLETED]
        assert (await client.queue_get("default")).metadata == {"kept": 1}


@EITHER
async def test_cancellations(scene, register, hearing):
    started = asyncio.Event()

    @register
    async def work(job):
        started.set()
        await asyncio.Event().wait()

    async with scene.working(**hearing) as (_, events):
        job = await scene.insert()
        await started.wait()
        await scene.client.job_cancel(job.id)
        assert (await events.get()).job.state is JobState.CANCELLED


async def test_a_cancellation_between_claim_and_start(scene, register, monkeypatch):
    """It comes while the job is fetched: it is not lost, and the worker sees it where it first waits."""
    seen = []

    @register
    async def work(job):
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            seen.append("cancelled at the start")
            raise

    claim = producer.Producer.claim

    async def claim_and_cancel(self, count):
        jobs = await claim(self, count)
        for job in jobs:
            await scene.client.job_cancel(job.id)
            await until(lambda job=job: job.id in self._cancels)
        return jobs

    monkeypatch.setattr(producer.Producer, "claim", claim_and_cancel)
    event = await scene.work_one()
    assert (event.kind, event.job.attempt) == (EventKind.JOB_CANCELLED, 1)
    assert event.job.errors[0].error == "JobCancelError: job cancelled remotely"
    assert seen == ["cancelled at the start"]


def end_listeners(db):
    """Sever listening connections, as a network does; return how many there were."""
    return db.execute(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database()"
        " AND (query LIKE 'LISTEN%' OR query = 'SELECT 1') AND pid <> pg_backend_pid()"
    ).fetchone()[0]


async def test_what_was_said_while_the_listener_was_away(scene, register, db, monkeypatch):
    """A job, a pause and a cancellation, of which no notification is heard."""
    monkeypatch.setattr(notifier, "backoff", lambda failures: 0.05)
    started = asyncio.Event()

    @register
    async def work(job):
        if job.args.get("long"):
            started.set()
            await asyncio.Event().wait()

    async with scene.working() as (_, events):
        long = await scene.insert(args={"long": True})
        await started.wait()
        assert end_listeners(db) >= 1
        # By SQL: nothing is notified.
        db.execute('UPDATE river_job SET metadata = \'{"cancel_attempted_at": "2026-01-02T03:04:05Z"}\'')
        db.execute("INSERT INTO river_job (args, kind) VALUES ('{}', 'job')")
        found = [await events.get() for _ in range(2)]
        assert {(event.job.id == long.id, event.job.state) for event in found} == {
            (True, "cancelled"),
            (False, "completed"),
        }
        await scene.insert()
        assert (await events.get()).kind is EventKind.JOB_COMPLETED  # heard again


async def test_a_full_batch_is_followed_at_once(scene, register):
    """The cool-down is for fetches that found little: here it would take a minute."""
    register(lambda job: None)
    for _ in range(10):
        await scene.insert()
    queues = {"default": QueueConfig(1, fetch_cooldown=timedelta(minutes=1), fetch_poll_interval=timedelta(minutes=1))}
    async with scene.working(queues=queues) as (_, events):
        assert len({(await events.get()).job.id for _ in range(10)}) == 10


async def test_no_more_jobs_at_once_than_workers(scene, register):
    running, most, release = 0, 0, asyncio.Event()

    @register
    async def work(job):
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == 3:
            release.set()
        await release.wait()
        running -= 1

    for _ in range(9):
        await scene.insert()
    async with scene.working(queues={"default": 3}) as (_, events):
        for _ in range(9):
            await events.get()
    assert most == 3


async def test_a_stuck_job_may_be_replaced(scene, register):
    release = asyncio.Event()
    stuck = []

    @register
    async def work(job):
        while job.args.get("stuck") and not release.is_set():
            with suppress(asyncio.CancelledError):
                await release.wait()

    def replace(job):
        stuck.append(job.id)
        return True

    options = {
        "queues": {"default": 1},
        "job_timeout": timedelta(milliseconds=10),
        "job_stuck_threshold": timedelta(milliseconds=10),
        "job_stuck_handler": replace,
    }
    async with scene.working(**options) as (_, events):
        first = await scene.insert(args={"stuck": True})
        await scene.insert()
        event = await events.get()
        assert (event.job.id, event.kind) != (first.id, EventKind.JOB_COMPLETED)
        assert stuck == [first.id]
        release.set()
        assert (await events.get()).job.id == first.id


async def test_a_slow_subscriber_loses_events_and_no_jobs(scene, register, db):
    register(lambda job: None)
    for _ in range(5):
        await scene.insert()
    async with scene.working() as (client, events):
        slow = client.subscribe(EventKind.JOB_COMPLETED, buffer=2)
        for _ in range(5):
            await events.get()
    assert len([event async for event in slow]) <= 2
    assert slow.dropped >= 3
    assert db.execute("SELECT count(*) FROM river_job WHERE state = 'completed'").fetchone() == (5,)
