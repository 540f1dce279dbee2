"""How an attempt ends, and what is stored of it (River's ``job_executor.go``)."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from riverqueue import (
    EventKind,
    InsertOpts,
    JobCancel,
    JobSnooze,
    JobState,
    WorkContext,
    metadata_set,
    record_output,
    work_context,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, 600_000, tzinfo=UTC)


class SetClock:
    def __init__(self, now=NOW):
        self.time = now

    def now(self):
        return self.time


async def test_a_job_is_completed(scene, register):
    @register
    async def work(job):
        assert (job.kind, job.args, job.state, job.attempt) == ("job", {"n": 1}, JobState.RUNNING, 1)

    event = await scene.work_one(args={"n": 1})
    job = event.job
    assert (event.kind, job.state, job.attempt, job.errors) == (EventKind.JOB_COMPLETED, JobState.COMPLETED, 1, [])
    assert job.attempted_at <= job.finalized_at
    assert len(job.attempted_by) == 1
    assert event.job_stats.run_duration >= timedelta(0)


async def test_a_plain_function_works_in_a_thread(scene, register):
    @register
    def work(job):
        time.sleep(0.01)
        record_output({"from": "a thread"})

    assert (await scene.work_one()).job.output == {"from": "a thread"}


async def test_an_error_is_stored_and_the_job_tried_again(scene, register):
    @register
    async def work(job):
        raise ValueError("bad\0 thing \ud800")

    event = await scene.work_one(clock=SetClock())
    (error,) = event.job.errors
    assert (event.kind, event.job.state) == (EventKind.JOB_FAILED, JobState.AVAILABLE)  # the first retry is soon
    assert (error.at, error.attempt, error.error) == (NOW, 1, "bad thing ?")
    assert "ValueError" in error.trace
    assert NOW + timedelta(seconds=0.9) <= event.job.scheduled_at <= NOW + timedelta(seconds=1.1)


class Later:
    """A retry policy."""

    def __init__(self, delay):
        self.delay = delay

    def next_retry(self, job):
        return NOW + self.delay


@pytest.mark.parametrize(
    ("delay", "state"),
    [(timedelta(seconds=5), JobState.AVAILABLE), (timedelta(seconds=5.000001), JobState.RETRYABLE)],
)
async def test_soon_is_within_five_seconds(scene, register, delay, state):
    @register
    async def work(job):
        raise ValueError("no")

    event = await scene.work_one(clock=SetClock(), retry_policy=Later(delay))
    assert (event.job.state, event.job.scheduled_at) == (state, NOW + delay)


async def test_a_retry_in_the_past_is_the_default_policys(scene, register):
    @register
    async def work(job):
        raise ValueError("no")

    event = await scene.work_one(clock=SetClock(), retry_policy=Later(-timedelta(seconds=1)))
    assert event.job.scheduled_at > NOW


async def test_the_last_attempt_discards(scene, register):
    @register
    async def work(job):
        raise ValueError("no")

    event = await scene.work_one(opts=InsertOpts(max_attempts=1))
    assert (event.kind, event.job.state) == (EventKind.JOB_FAILED, JobState.DISCARDED)
    assert event.job.finalized_at is not None


async def test_a_worker_cancels(scene, register):
    @register
    async def work(job):
        raise JobCancel("no customer")

    event = await scene.work_one()
    assert (event.kind, event.job.state) == (EventKind.JOB_CANCELLED, JobState.CANCELLED)
    assert event.job.errors[0].error == "JobCancelError: no customer"


async def test_an_error_that_comes_of_a_cancel_cancels(scene, register):
    @register
    async def work(job):
        try:
            raise JobCancel("inner")
        except JobCancel as error:
            raise RuntimeError("outer") from error

    event = await scene.work_one()
    assert (event.job.state, event.job.errors[0].error) == (JobState.CANCELLED, "outer")


@pytest.mark.parametrize(
    ("duration", "state"), [(timedelta(seconds=5), JobState.AVAILABLE), (timedelta(hours=1), JobState.SCHEDULED)]
)
async def test_a_worker_snoozes(scene, register, duration, state):
    @register
    async def work(job):
        raise JobSnooze(duration)

    event = await scene.work_one(clock=SetClock(), opts=InsertOpts(metadata={"snoozes": 2**53 + 1}))
    assert (event.kind, event.job.state, event.job.scheduled_at) == (EventKind.JOB_SNOOZED, state, NOW + duration)
    assert (event.job.attempt, event.job.errors, event.job.metadata) == (0, [], {"snoozes": 2**53 + 2})


async def test_a_kind_without_a_worker_fails(scene, register):
    register(lambda job: None)
    event = await scene.work_one(kind="unknown", skip_unknown_job_check=True)
    assert (event.kind, event.job.state) == (EventKind.JOB_FAILED, JobState.AVAILABLE)
    assert event.job.errors[0].error == "job kind is not registered in the client's Workers bundle: unknown"
    assert event.job.errors[0].trace == ""


async def test_only_known_kinds_are_fetched(scene, workers, db):
    @workers.work("job", kind_aliases=["former"])
    async def work(job):
        pass

    await scene.insert("unknown")
    await scene.insert("former")
    async with scene.working(fetch_only_known_kinds=True) as (_, events):
        event = await events.get()
    assert event.job.kind == "former"
    (row,) = db.execute("SELECT state, attempt FROM river_job WHERE kind = 'unknown'")
    assert row == ("available", 0)


async def test_metadata_and_output_are_merged_whatever_the_outcome(scene, register):
    @register
    async def work(job):
        record_output("lost")
        record_output([1, {"a": None}])
        metadata_set("note", "é <x>")
        raise ValueError("no")

    event = await scene.work_one(opts=InsertOpts(metadata={"kept": 1}))
    assert event.job.metadata == {"kept": 1, "note": "é <x>", "output": [1, {"a": None}]}


async def test_a_timeout_is_an_error(scene, register):
    @register
    async def work(job):
        await asyncio.Event().wait()

    event = await scene.work_one(job_timeout=timedelta(milliseconds=20))
    assert (event.kind, event.job.errors[0].error) == (EventKind.JOB_FAILED, "context deadline exceeded")


async def test_a_worker_has_a_timeout_of_its_own(scene, workers):
    @workers.work("job", timeout=timedelta(milliseconds=20))
    async def work(job):
        await asyncio.Event().wait()

    assert (await scene.work_one(job_timeout=None)).kind is EventKind.JOB_FAILED


async def test_a_thread_is_waited_for_and_told_that_its_time_is_over(scene, workers):
    @workers.work("job", timeout=timedelta(milliseconds=20))
    def work(job):
        context: WorkContext = work_context()
        while not context.cancelled:
            time.sleep(0.001)
        record_output("I saw it")

    event = await scene.work_one()
    assert (event.kind, event.job.output) == (EventKind.JOB_COMPLETED, "I saw it")


async def test_a_cancellation_from_outside_reaches_the_worker(scene, register):
    started = asyncio.Event()

    @register
    async def work(job):
        started.set()
        await asyncio.Event().wait()

    async with scene.working() as (client, events):
        job = await scene.insert()
        await started.wait()
        running = await client.job_cancel(job.id)
        assert running.state is JobState.RUNNING
        event = await events.get()
    assert (event.kind, event.job.state) == (EventKind.JOB_CANCELLED, JobState.CANCELLED)
    assert [(error.error, error.trace) for error in event.job.errors] == [
        ("JobCancelError: job cancelled remotely", "")
    ]


async def test_a_worker_may_come_to_a_good_end_in_spite_of_it(scene, register):
    started = asyncio.Event()

    @register
    async def work(job):
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            record_output("saved")

    async with scene.working() as (client, events):
        job = await scene.insert()
        await started.wait()
        await client.job_cancel(job.id)
        event = await events.get()
    assert (event.kind, event.job.state, event.job.output) == (EventKind.JOB_COMPLETED, JobState.COMPLETED, "saved")


async def test_a_retry_of_a_job_cancelled_meanwhile_is_none(scene, register, db):
    @register
    async def work(job):
        db.execute('UPDATE river_job SET metadata = metadata || \'{"cancel_attempted_at": "2026-01-02T03:04:05Z"}\'')
        raise ValueError("no")

    event = await scene.work_one()
    assert (event.kind, event.job.state, event.job.attempt) == (EventKind.JOB_CANCELLED, JobState.CANCELLED, 1)
    assert [error.error for error in event.job.errors] == ["no"]


@pytest.mark.parametrize("state", ["completed", "discarded"])
async def test_an_attempt_that_was_ended_from_outside_changes_nothing(scene, register, db, state):
    @register
    async def work(job):
        db.execute("UPDATE river_job SET state = %s, finalized_at = now()", [state])
        metadata_set("late", True)

    event = await scene.work_one()
    assert (event.job.state, event.job.metadata) == (state, {"late": True})
    assert event.kind is (EventKind.JOB_COMPLETED if state == "completed" else EventKind.JOB_FAILED)


async def test_a_late_attempt_does_not_end_the_next_one(scene, register, db):
    fetched = asyncio.Event()

    @register
    async def work(job):
        db.execute("UPDATE river_job SET attempt = 2")  # rescued, and fetched again by another client

        fetched.set()

    async with scene.working() as (client, _):
        job = await scene.insert()
        await fetched.wait()
        await client.stop()
    (row,) = db.execute("SELECT state, attempt FROM river_job WHERE id = %s", [job.id])
    assert row == ("running", 2)


class Handler:
    def __init__(self, answer):
        self.answer = answer
        self.seen = []

    async def handle_error(self, job, error):
        self.seen.append((job.id, str(error)))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("answer", "state"),
    [(True, JobState.CANCELLED), (None, JobState.AVAILABLE), (RuntimeError("handler"), JobState.AVAILABLE)],
    ids=["cancel", "nothing", "fails"],
)
async def test_the_error_handler_may_cancel(scene, register, answer, state):
    @register
    async def work(job):
        raise ValueError("no")

    handler = Handler(answer)
    event = await scene.work_one(error_handler=handler)
    assert (event.job.state, event.job.errors[0].error) == (state, "no")
    assert handler.seen == [(event.job.id, "no")]


@pytest.mark.parametrize("raised", [JobCancel("x"), JobSnooze(timedelta(1))], ids=["cancel", "snooze"])
async def test_the_error_handler_is_not_asked_of_what_is_no_error(scene, register, raised):
    @register
    async def work(job):
        raise raised

    handler = Handler(True)
    await scene.work_one(error_handler=handler)
    assert handler.seen == []


@pytest.mark.parametrize(
    "raised", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), asyncio.CancelledError()], ids=repr
)
async def test_whatever_a_worker_raises_is_its_error(scene, register, raised):
    calls = 0

    @register
    async def work(job):
        nonlocal calls
        calls += 1
        if calls == 1:
            raise raised

    async with scene.working() as (_, events):
        await scene.insert()
        first = await events.get()
        await scene.insert()
        assert (await events.get()).kind is EventKind.JOB_COMPLETED  # the worker goes on
    assert first.kind is EventKind.JOB_FAILED
    assert type(raised).__name__ in first.job.errors[0].error or str(raised) == first.job.errors[0].error


async def test_rows_that_cannot_be_read_fail_alone(scene, register, db):
    register(lambda job: None)
    good, bad = await scene.insert(), await scene.insert()
    db.execute("UPDATE river_job SET metadata = '[1]' WHERE id = %s", [bad.id])
    async with scene.working() as (_, events):
        found = {(event := await events.get()).job.id: event for _ in range(2)}
    assert found[good.id].kind is EventKind.JOB_COMPLETED
    assert found[bad.id].job.errors[0].error.startswith("job row couldn't be decoded: ")
    assert db.execute("SELECT metadata FROM river_job WHERE id = %s", [bad.id]).fetchone() == ([1],)
