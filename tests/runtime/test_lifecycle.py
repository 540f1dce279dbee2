"""Starting and stopping; what becomes of jobs that run meanwhile."""

import asyncio
import os
import signal
import threading
from datetime import timedelta

import pytest

from riverqueue import AsyncClient, Client, ConfigurationError, DictArgs, EventKind, JobState, QueueConfig, Workers
from riverqueue_psycopg import AsyncDriver, Driver


async def test_a_stop_waits_for_running_jobs(scene, register):
    started, go_on = asyncio.Event(), asyncio.Event()

    @register
    async def work(job):
        started.set()
        await go_on.wait()

    async with scene.working() as (client, events):
        await scene.insert()
        await started.wait()
        stopping = asyncio.create_task(client.stop())
        later = await scene.insert()
        await asyncio.sleep(0)
        assert not stopping.done()
        go_on.set()
        await stopping
        assert (await events.get()).kind is EventKind.JOB_COMPLETED
        assert await events.get() is None  # the client has stopped
    assert (await scene.client.job_get(later.id)).state is JobState.AVAILABLE


@pytest.mark.parametrize("how", ["stop_and_cancel", "soft_stop_timeout"])
async def test_interrupted_jobs_are_available_again(scene, register, how):
    started = asyncio.Event()

    @register
    async def work(job):
        started.set()
        await asyncio.Event().wait()

    async with scene.working(soft_stop_timeout=timedelta(0)) as (client, events):
        await scene.insert()
        await started.wait()
        await (client.stop_and_cancel() if how == "stop_and_cancel" else client.stop())
        event = await events.get()
    assert (event.kind, event.job.state) == (EventKind.JOB_INTERRUPTED, JobState.AVAILABLE)
    assert (event.job.attempt, event.job.errors, len(event.job.attempted_by)) == (0, [], 1)
    assert event.job.attempted_at is not None


async def test_an_interrupted_job_that_fails_otherwise_has_failed(scene, register):
    started = asyncio.Event()

    @register
    async def work(job):
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ValueError("could not save") from None

    async with scene.working() as (client, events):
        await scene.insert()
        await started.wait()
        await client.stop_and_cancel()
        event = await events.get()
    assert (event.kind, event.job.attempt, event.job.errors[0].error) == (EventKind.JOB_FAILED, 1, "could not save")


async def test_a_client_works_again_after_a_stop(scene, register):
    @register
    async def work(job):
        pass

    client = AsyncClient(scene.driver, workers=scene.workers, queues={"default": 1})
    for _ in range(3):
        async with client:
            assert await client.start() is await client.start()
            with client.subscribe() as events:
                await scene.insert()
                assert (await events.get()).kind is EventKind.JOB_COMPLETED
        await client.stop()


async def test_handles_wait_for_the_stop(scene, register):
    register(lambda job: None)
    client = AsyncClient(scene.driver, workers=scene.workers, queues={"default": 1})
    await client.stopped()  # it does not work
    handle = await client.start()
    waiting = [asyncio.create_task(wait) for wait in (handle.wait(), client.stopped())]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    await handle.stop()
    await asyncio.gather(*waiting)
    await handle.stop()


async def test_run_stops_on_a_signal(scene, register):
    started = asyncio.Event()

    @register
    async def work(job):
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            pass

    client = AsyncClient(scene.driver, workers=scene.workers, queues={"default": 1})
    running = asyncio.create_task(client.run())
    job = await scene.insert()
    await started.wait()
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(0.01)
    assert not running.done()  # the first is patient
    os.kill(os.getpid(), signal.SIGINT)
    await running
    assert (await client.job_get(job.id)).state is JobState.AVAILABLE


async def test_a_start_that_fails_leaves_nothing(database_url, register, workers):
    register(lambda job: None)
    async with AsyncDriver(database_url.replace("river_test", "no_such_database")) as driver:
        client = AsyncClient(driver, workers=workers, queues={"default": 1})
        before = asyncio.all_tasks()
        with pytest.raises(Exception, match="no_such"):
            await client.start()
        assert asyncio.all_tasks() == before


def test_queues_can_be_added_and_removed(database_url):
    workers = Workers()
    worked = threading.Semaphore(0)

    @workers.work("job")
    def work(job):
        worked.release()

    with Driver(database_url) as driver, Client(driver, workers=workers, queues={"default": 1}) as client:
        client.queue_add("mail", QueueConfig(max_workers=2))
        client.insert(DictArgs("job", {}), queue("mail"))
        assert worked.acquire(timeout=20)
        with pytest.raises(ConfigurationError, match="already added"):
            client.queue_add("mail", 1)
        client.queue_remove("mail")
        left = client.insert(DictArgs("job", {}), queue("mail")).job
        with pytest.raises(ConfigurationError, match="not found"):
            client.queue_remove("mail")
        client.insert(DictArgs("job", {}))
        assert worked.acquire(timeout=20)
        assert client.job_get(left.id).state is JobState.AVAILABLE
        assert [each.name for each in client.queue_list()] == ["default", "mail"]


def queue(name):
    from riverqueue import InsertOpts

    return InsertOpts(queue=name)


def test_a_sync_client_works_on_a_loop_of_its_own(database_url):
    workers = Workers()

    @workers.work("coroutine")
    async def coroutine(job):
        await asyncio.sleep(0)

    @workers.work("function")
    def function(job):
        assert threading.current_thread().name.startswith("riverqueue")

    with Driver(database_url) as driver:
        client = Client(driver, workers=workers, queues={"default": 5})
        with client.subscribe() as events, client:
            client.insert_many([DictArgs("coroutine", {}), DictArgs("function", {})])
            found = [events.get(20), events.get(20)]
            assert {event.kind for event in found} == {EventKind.JOB_COMPLETED}
        assert client.stopped()
        handle = client.start()
        assert not client.stopped(0)
        assert handle.stop() is None
        assert client.stopped()
        assert "riverqueue" not in [thread.name for thread in threading.enumerate()]


CONFIGS = {
    "no workers": {"queues": {"default": 1}},
    "no queues mapping": {"queues": ["default"], "workers": True},
    "queue name": {"queues": {"Bad Name": 1}, "workers": True},
    "queue config": {"queues": {"default": "many"}, "workers": True},
    "max_workers": {"queues": {"default": 0}, "workers": True},
    "too many workers": {"queues": {"default": 10_001}, "workers": True},
    "poll below cool-down": {
        "queues": {"default": 1},
        "workers": True,
        "fetch_poll_interval": timedelta(milliseconds=5),
    },
    "poll interval": {"fetch_poll_interval": 1},
    "id": {"id": ""},
    "long id": {"id": "x" * 101},
    "job_timeout": {"job_timeout": timedelta(seconds=-5)},
    "job_timeout type": {"job_timeout": 5},
    "soft_stop_timeout": {"soft_stop_timeout": timedelta(seconds=-1)},
    "stuck threshold": {"job_stuck_threshold": timedelta(seconds=-1)},
    "retry policy": {"retry_policy": lambda job: None},
    "error handler": {"error_handler": print},
    "workers type": {"workers": {"job": print}},
}


@pytest.mark.parametrize("name", CONFIGS)
def test_options_that_cannot_work(driver, name):
    options = dict(CONFIGS[name])
    if options.get("workers") is True:
        options["workers"] = Workers()
        options["workers"].work("job")(lambda job: None)
    with pytest.raises(ConfigurationError):
        AsyncClient(driver, **options)


async def test_what_only_a_working_client_can(driver, database_url):
    client = AsyncClient(driver)
    for call in (client.start(), client.queue_add("mail", 1)):
        with pytest.raises(ConfigurationError, match="works no jobs"):
            await call
    with pytest.raises(ConfigurationError, match="works no jobs"):
        client.subscribe()
    await client.stop()  # does nothing
