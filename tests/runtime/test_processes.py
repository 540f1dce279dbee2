"""Workers in processes of their own."""

import logging
import os
from datetime import timedelta

import psutil
import pytest

from riverqueue import DictArgs, EventKind, JobLogs, JobState, ProcessPool, QueueConfig, Workers
from riverqueue.errors import ConfigurationError
from tests.runtime import process_workers
from tests.support.until import until

ONE = ProcessPool(max_processes=1)


@pytest.fixture
def workers():
    workers = Workers()
    workers.work("job", executor="process")(process_workers.work)
    return workers


def children():
    return {child.pid for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE}


async def test_works_in_another_process_and_keeps_it(scene):
    async with scene.working(process_pool=ONE) as (_, events):
        pids = set()
        for _ in range(3):
            await scene.insert(args={"what": "pid"})
            event = await events.get()
            assert (event.kind, event.job.metadata["note"]) == (EventKind.JOB_COMPLETED, "kept")
            pids.add(event.job.output)
        assert len(pids) == 1
        assert pids <= children()
    assert not pids & children()
    assert os.getpid() not in pids


@pytest.mark.parametrize(
    ("what", "kind", "state", "error"),
    [
        ("raise", EventKind.JOB_FAILED, JobState.AVAILABLE, "no  good"),
        ("cancel", EventKind.JOB_CANCELLED, JobState.CANCELLED, "JobCancelError: never"),
        ("snooze", EventKind.JOB_SNOOZED, JobState.SCHEDULED, None),
        ("exit", EventKind.JOB_FAILED, JobState.AVAILABLE, "3"),
        ("die", EventKind.JOB_FAILED, JobState.AVAILABLE, "the worker's process died (signal 9)"),
        ("crash", EventKind.JOB_FAILED, JobState.AVAILABLE, "the worker's process died (signal 11)"),
        (
            "client",
            EventKind.JOB_FAILED,
            JobState.AVAILABLE,
            "a worker in a process of its own has no client: make one there, or use a thread",
        ),
    ],
)
async def test_the_outcome_is_told(scene, what, kind, state, error):
    async with scene.working(process_pool=ONE) as (_, events):
        await scene.insert(args={"what": what})
        event = await events.get()
        await scene.insert(args={"what": "pid"})  # the next job has a process again
        assert (await events.get()).kind is EventKind.JOB_COMPLETED
    assert (event.kind, event.job.state) == (kind, state)
    assert [each.error for each in event.job.errors] == ([] if error is None else [error])


async def test_the_trace_is_that_of_the_process(scene):
    event = await scene.work_one(args={"what": "raise"}, process_pool=ONE)
    assert "process_workers.py" in event.job.errors[0].trace
    assert "ValueError: no" in event.job.errors[0].trace


async def test_a_timeout_kills_the_process(scene, tmp_path):
    file = tmp_path / "pid"
    event = await scene.work_one(
        args={"what": "forever", "file": str(file)}, process_pool=ONE, job_timeout=timedelta(seconds=1)
    )
    assert (event.kind, event.job.errors[0].error) == (EventKind.JOB_FAILED, "context deadline exceeded")
    assert event.job.output is None
    assert not psutil.pid_exists(int(file.read_text()))


async def test_a_cancellation_kills_the_process(scene, tmp_path):
    file = tmp_path / "pid"
    async with scene.working(process_pool=ONE) as (client, events):
        job = await scene.insert(args={"what": "forever", "file": str(file)})
        await until(lambda: file.exists() and file.read_text())
        await client.job_cancel(job.id)
        event = await events.get()
        assert (event.kind, event.job.errors[0].error) == (
            EventKind.JOB_CANCELLED,
            "JobCancelError: job cancelled remotely",
        )
        await until(lambda: not psutil.pid_exists(int(file.read_text())))


async def test_a_hard_stop_kills_the_process_and_gives_the_job_back(scene, tmp_path):
    file = tmp_path / "pid"
    async with scene.working(process_pool=ONE) as (client, events):
        await scene.insert(args={"what": "forever", "file": str(file)})
        await until(lambda: file.exists() and file.read_text())
        await client.stop_and_cancel()
        event = await events.get()
    assert (event.kind, event.job.state, event.job.attempt) == (EventKind.JOB_INTERRUPTED, JobState.AVAILABLE, 0)
    assert not psutil.pid_exists(int(file.read_text()))


async def test_the_loop_goes_on_while_a_process_computes(scene, workers, tmp_path):
    @workers.work("quick")
    async def quick(job):
        pass

    async with scene.working(process_pool=ONE) as (client, events):
        await scene.insert(args={"what": "forever", "file": str(tmp_path / "pid")})
        await until((tmp_path / "pid").exists)
        await client.insert(DictArgs("quick", {}))
        assert (await events.get()).job.kind == "quick"
        await client.stop_and_cancel()


async def test_logs_are_passed_on(scene, caplog):
    with caplog.at_level(logging.WARNING):
        event = await scene.work_one(args={"what": "log"}, process_pool=ONE, plugins=[JobLogs()])
    assert f"from job {event.job.id}: äöü" in caplog.text
    (entry,) = event.job.metadata["river:log"]
    assert entry["attempt"] == 1
    first, second = entry["log"].split("\n", 1)
    assert first == f"WARNING app: from job {event.job.id}: äöü"
    assert "KeyError: 'inner'" in second


async def test_steps_go_on_where_they_failed(scene):
    async with scene.working(process_pool=ONE, fetch_poll_interval=timedelta(milliseconds=100)) as (_, events):
        await scene.insert(args={"what": "steps"})
        assert (await events.get()).job.metadata["river:resumable_step"] == "one"
        second = (await events.get()).job
    assert (second.state, second.metadata["one"], second.metadata["two"]) == (JobState.COMPLETED, 1, 2)


async def test_a_returned_value_is_told(scene, caplog):
    event = await scene.work_one(args={"what": "return"}, process_pool=ONE)
    assert event.kind is EventKind.JOB_COMPLETED
    assert "'something', which is ignored" in caplog.text


@pytest.mark.parametrize(
    ("pool", "args", "different"),
    [
        (ProcessPool(max_processes=1, max_jobs=2), {"what": "pid"}, [0, 0, 1, 1]),
        (ProcessPool(max_processes=1, max_memory_mib=150), {"what": "grow", "mib": 200}, [0, 1, 2, 3]),
    ],
    ids=["jobs", "memory"],
)
async def test_processes_are_replaced(scene, pool, args, different):
    async with scene.working(process_pool=pool) as (_, events):
        pids = []
        for _ in different:
            await scene.insert(args=args)
            pids.append((await events.get()).job.output)
    order = list(dict.fromkeys(pids))
    assert [order.index(pid) for pid in pids] == different


async def test_no_more_processes_than_asked_for(scene):
    async with scene.working(process_pool=ProcessPool(max_processes=2)) as (client, events):
        await client.insert_many([DictArgs("job", {"what": "pid"}) for _ in range(8)])
        assert len({(await events.get()).job.output for _ in range(8)}) <= 2


async def test_a_queue_may_say_where(scene):
    workers = scene.workers = Workers()
    workers.work("job")(process_workers.work)
    queues = {"default": QueueConfig(max_workers=2, executor="process")}
    event = await scene.work_one(args={"what": "pid"}, process_pool=ONE, queues=queues)
    assert event.job.output != os.getpid()


@pytest.mark.parametrize("values", [{"max_processes": 0}, {"max_jobs": -1}, {"max_memory_mib": 1.5}])
def test_pools_are_checked(values):
    with pytest.raises(ConfigurationError, match="positive integer"):
        ProcessPool(**values)


def test_other_processes_must_find_the_function(driver):
    def local(job):
        pass

    with pytest.raises(ConfigurationError, match="at the top of a module"):
        Workers().work("local", executor="process")(local)
    with pytest.raises(ConfigurationError, match="coroutine function"):
        Workers().work("job", executor="process")(test_a_queue_may_say_where)
