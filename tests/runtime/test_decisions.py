"""What the worker decides, and in which order, in virtual time against a store in memory: nothing here waits."""

import asyncio
from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riverqueue import EventKind, JobRow, JobState, QueueConfig
from riverqueue.operations.work import Ending
from riverqueue.runtime import completer as completers
from riverqueue.runtime.completer import Completer
from riverqueue.runtime.patience import patiently
from tests.runtime.fake_client import Fake
from tests.runtime.fake_store import LISTENER, DatabaseError, FakeStore
from tests.runtime.virtual_time import LoopClock, gaps, run, seconds, virtual

FETCH, QUEUE, REPORT, CANCELS = "JobGetAvailable", "QueueGet", "QueueCreateOrSetUpdatedAt", "JobGetCancelRequested"
ONE_BY_ONE, PLAIN = "JobSetStateIfRunningMany", "JobCompleteMany"

COOLDOWN = 0.1  # seconds, by default
MOMENT = 0.02  # that an attempt may need until it is stored


@pytest.fixture
def fake():
    return Fake()


def at_most(time):
    """A time that comes at once after another."""
    return pytest.approx(time + MOMENT / 2, abs=MOMENT / 2 + 1e-6)


def backed_off(time):
    """A wait between two tries, which is a tenth longer or shorter."""
    return pytest.approx(time, abs=time / 10 + MOMENT)


# --- Fetching ---


@virtual
async def test_a_fetch_waits_for_the_cool_down_of_a_short_one(fake):
    fake.work()
    async with fake.working():
        await asyncio.sleep(10)
        fake.store.insert()
        await asyncio.sleep(0.01)
        fake.store.insert()
        await asyncio.sleep(0.001)
        fake.store.insert()
        await asyncio.sleep(1)
    times = [time for time in fake.store.times(FETCH) if time >= 10]
    assert times[0] == at_most(10)
    assert times[1] == pytest.approx(10 + COOLDOWN, abs=1e-3)
    assert all(gap >= COOLDOWN - 1e-6 for gap in gaps(times))
    assert fake.store.states() == ["completed"] * 3


@virtual
async def test_a_poll_delays_nothing(fake):
    fake.work()
    async with fake.working(fetch_poll_interval=timedelta(seconds=1)):
        await asyncio.sleep(5)
        poll = fake.store.hold(FETCH)
        await poll.arrived.wait()
        poll.release()
        await asyncio.sleep(COOLDOWN / 10)
        (job,) = fake.store.insert()
        inserted = seconds()
        await asyncio.sleep(COOLDOWN / 10)
        assert fake.began == [(job, pytest.approx(inserted, abs=1e-6))]


@virtual
async def test_a_full_batch_is_followed_at_once(fake):
    fake.work()
    minute = timedelta(minutes=1)
    queues = {"default": QueueConfig(4, fetch_cooldown=minute, fetch_poll_interval=minute)}
    async with fake.working(queues=queues):
        await asyncio.sleep(1)  # the first fetch found nothing, and its cool-down goes on
        fake.store.insert(50)
        await asyncio.sleep(60)
        assert fake.store.states() == ["completed"] * 50
        assert fake.began[-1][1] - fake.began[0][1] < MOMENT


@virtual
async def test_no_fetch_follows_a_stop(fake):
    fake.work()
    async with fake.working() as client:
        await asyncio.sleep(1)
        held = fake.store.hold(FETCH)
        fake.store.insert()
        await held.arrived.wait()  # the job is claimed
        stopping = asyncio.create_task(client.stop())
        await asyncio.sleep(5)
        assert not stopping.done()
        fake.store.insert()
        held.release()
        await stopping
    assert fake.store.states() == ["completed", "available"]


class Impatient(FakeStore):
    """Gives up what takes long, and lets it go on, as a store does whose threads nobody can stop."""

    async def ask(self, operation):
        return await patiently(super().ask(operation), cancels=False)


@virtual
async def test_a_claim_that_comes_late_is_worked_all_the_same(fake):
    fake.store = Impatient(fake.clock)
    fake.work()
    async with fake.working():
        await asyncio.sleep(1)
        held = fake.store.hold(FETCH)
        first = fake.store.insert()
        await held.arrived.wait()
        await asyncio.sleep(60)
        second = fake.store.insert()  # the client has gone on without the first
        await asyncio.sleep(1)
        assert [job for job, _ in fake.began] == second
        held.release()
        await asyncio.sleep(1)
        assert [job for job, _ in fake.began] == second + first
    assert fake.store.states() == ["completed", "completed"]


@virtual
async def test_a_claim_that_comes_after_the_stop_is_given_back(fake):
    fake.store = Impatient(fake.clock)
    fake.work()
    async with fake.working() as client:
        await asyncio.sleep(1)
        held = fake.store.hold(FETCH)
        fake.store.insert()
        await held.arrived.wait()
        await client.stop()
        assert fake.store.states() == ["running"]
        held.release()
        await asyncio.sleep(1)
    assert (fake.began, fake.store.states(), fake.store.jobs[1]["attempt"]) == ([], ["available"], 0)


@pytest.mark.parametrize(("interval", "jitter"), [(1.0, 0.1), (0.005, 0.01), (60.0, 6.0)])
@virtual
async def test_a_poll_comes_after_the_interval_and_a_tenth_at_most(fake, interval, jitter):
    fake.work()
    cooldown = timedelta(milliseconds=1)
    async with fake.working(poll_only=True, fetch_poll_interval=timedelta(seconds=interval), fetch_cooldown=cooldown):
        await asyncio.sleep(interval * 200)
    found = gaps(fake.store.times(FETCH))
    assert len(found) > 60
    assert all(interval - 1e-6 <= gap <= interval + jitter + 1e-6 for gap in found)
    assert max(found) - min(found) > jitter / 4


@virtual
async def test_a_notification_wakes_the_queue_that_it_names(fake):
    fake.work()
    async with fake.working(queues={"default": 1, "mail": 1}):
        await asyncio.sleep(5)
        (job,) = fake.store.insert(queue="mail")
        await asyncio.sleep(0.01)
        assert fake.began == [(job, at_most(5))]
        fetched = [asked.params["queue"] for asked in fake.store.asked if asked.name == FETCH and asked.at >= 5]
        assert set(fetched) == {"mail"}


@pytest.mark.parametrize(
    "payload",
    [
        *(
            7,
            "text",
            ["list"],
            None,
            {"queue": None},
            {"queue": ["default"]},
            {"action": ["pause"], "queue": "default"},
        ),
        *({"action": "pause", "queue": ["default"]}, {"action": "cancel", "job_id": "x", "queue": "default"}),
        *({"action": "cancel", "job_id": [1], "queue": "default"}, {"action": "cancel", "queue": "default"}),
    ],
)
@virtual
async def test_a_notification_that_says_nothing_is_passed_over(fake, payload):
    fake.work()
    async with fake.working():
        await asyncio.sleep(5)
        for topic in ("river_insert", "river_control"):
            fake.store.notify(topic, payload)
        await asyncio.sleep(1)
        fake.store.insert()
        await asyncio.sleep(1)
        assert fake.store.states() == ["completed"]
        assert len(fake.store.opened) == 1


@virtual
async def test_after_a_notification_it_looks_once_more(fake):
    """An inserting client is silent about what it inserts soon after a notification."""
    fake.work()
    async with fake.working():
        await asyncio.sleep(5)
        fake.store.insert()
        await asyncio.sleep(COOLDOWN / 2)
        (silent,) = fake.store.insert(notify=False)
        await asyncio.sleep(60)
    times = [time for time in fake.store.times(FETCH) if time >= 5]
    assert times == [at_most(5), pytest.approx(5 + COOLDOWN, abs=MOMENT)]
    assert fake.began_at(silent) == pytest.approx(5 + COOLDOWN, abs=MOMENT)


@virtual
async def test_a_slot_that_is_waited_for_is_filled_at_once(fake):
    fake.work()
    queues = {"default": QueueConfig(2, fetch_cooldown=timedelta(minutes=1), fetch_poll_interval=timedelta(hours=1))}
    fake.store.insert(1, args={"seconds": 1})
    fake.store.insert(1, args={"seconds": 100})
    (third,) = fake.store.insert(1, args={"seconds": 2})
    (fourth,) = fake.store.insert()
    async with fake.working(queues=queues):
        await asyncio.sleep(10)
        assert fake.began_at(third) == at_most(1)
        assert fake.began_at(fourth) == at_most(3)


@settings(max_examples=60, deadline=None)
@given(
    max_workers=st.integers(1, 7),
    jobs=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 30), st.booleans()), min_size=1, max_size=60),
)
def test_never_more_jobs_at_once_than_workers(max_workers, jobs):
    """Whenever jobs come, however long they take, said or in silence: and all are worked."""
    fake = Fake()

    async def scenario():
        fake.work()
        asked = []

        def check(statement):
            if statement.name == FETCH:
                asked.append((statement.params["count"], fake.running))

        fake.store.check = check
        async with fake.working(queues={"default": max_workers}, fetch_poll_interval=timedelta(seconds=1)):
            for pause, length, notify in jobs:
                await asyncio.sleep(pause / 100)
                fake.store.insert(args={"seconds": length / 100}, notify=notify)
            await asyncio.sleep(60)
        assert all(0 < count <= max_workers - running for count, running in asked)
        assert fake.most <= max_workers
        assert fake.store.states() == ["completed"] * len(jobs)

    run(scenario())


@virtual
async def test_a_fetch_that_fails_is_tried_again_at_the_next_poll(fake, caplog):
    fake.work()
    fake.store.fail(FETCH, 3)
    fake.store.insert()
    async with fake.working(fetch_poll_interval=timedelta(seconds=1)):
        await asyncio.sleep(3.5)
    assert fake.store.states() == ["completed"]
    assert fake.began[0][1] == pytest.approx(3.15, abs=0.2)
    assert caplog.text.count("cannot fetch jobs of queue 'default': the connection is lost") == 3


@virtual
async def test_only_kinds_that_are_known_are_asked_for(fake):
    fake.work()
    fake.store.insert(kind="unknown")
    fake.store.insert()
    async with fake.working(fetch_only_known_kinds=True):
        await asyncio.sleep(1)
    assert fake.store.states() == ["available", "completed"]


# --- Pausing ---


@virtual
async def test_a_paused_queue_is_not_fetched_from_until_it_is_resumed(fake):
    fake.work()
    async with fake.working(fetch_poll_interval=timedelta(seconds=1)) as client:
        with client.subscribe(EventKind.QUEUE_PAUSED, EventKind.QUEUE_RESUMED) as events:
            fake.store.insert(args={"seconds": 10})
            await asyncio.sleep(5)
            fake.store.set_paused(True)
            await asyncio.sleep(0.01)
            fetches = fake.store.count(FETCH)
            (waiting,) = fake.store.insert()
            await asyncio.sleep(20)
            assert fake.store.count(FETCH) == fetches
            assert fake.store.states() == ["completed", "available"]  # what ran, went on
            resumed = seconds()
            fake.store.set_paused(False)
            await asyncio.sleep(0.01)
            assert fake.began_at(waiting) == at_most(resumed)
            assert [(await events.get()).kind for _ in range(2)] == ["queue_paused", "queue_resumed"]


@virtual
async def test_a_pause_that_comes_while_jobs_are_fetched_lets_them_through(fake):
    fake.work()
    async with fake.working(queues={"default": 2}, fetch_poll_interval=timedelta(seconds=1)):
        await asyncio.sleep(5)
        held = fake.store.hold(FETCH)
        fake.store.insert(6)
        await held.arrived.wait()
        fake.store.set_paused(True)
        await asyncio.sleep(0.01)
        held.release()
        await asyncio.sleep(20)
        assert sorted(fake.store.states()) == ["available"] * 4 + ["completed"] * 2


@pytest.mark.parametrize(("poll_only", "within"), [(True, 2.0), (False, 60.0)])
@virtual
async def test_a_pause_that_nobody_told_of_is_seen(fake, poll_only, within):
    fake.work()
    async with fake.working(poll_only=poll_only, fetch_poll_interval=timedelta(milliseconds=500)) as client:
        await asyncio.sleep(1)
        with client.subscribe(EventKind.QUEUE_PAUSED) as events:
            fake.store.set_paused(True, notify=False)
            said = seconds()
            await events.get()
            assert seconds() - said <= within
            assert gaps(fake.store.times(QUEUE)) == [pytest.approx(within)] * (fake.store.count(QUEUE) - 1)


# --- Cancelling ---


@pytest.mark.parametrize(("poll_only", "within"), [(True, 2.0), (False, 60.0)])
@virtual
async def test_a_cancellation_that_nobody_told_of_is_seen(fake, poll_only, within):
    fake.work()
    async with fake.working(poll_only=poll_only) as client:
        with client.subscribe() as events:
            (job,) = fake.store.insert(args={"seconds": 1000})
            while not fake.began:
                fake.store.notify("river_insert", {"queue": "default"})
                client._handle.runner.producers["default"]._wake.set()  # a poll is an hour away
                await asyncio.sleep(0.2)
            fake.store.request_cancel(job, notify=False)
            said = seconds()
            assert (await events.get()).job.state is JobState.CANCELLED
            assert seconds() - said <= within + MOMENT


@virtual
async def test_without_running_jobs_no_cancellations_are_looked_for(fake):
    fake.work()
    async with fake.working(poll_only=True):
        await asyncio.sleep(100)
    assert fake.store.count(QUEUE) >= 49
    assert fake.store.count(CANCELS) == 0


@virtual
async def test_a_cancellation_while_the_job_runs(fake):
    fake.work()
    async with fake.working() as client:
        with client.subscribe() as events:
            (job,) = fake.store.insert(args={"seconds": 1000})
            await asyncio.sleep(5)
            fake.store.request_cancel(job)
            event = await events.get()
    assert (event.kind, event.job.state, seconds()) == (EventKind.JOB_CANCELLED, JobState.CANCELLED, at_most(5))
    assert [error.error for error in event.job.errors] == ["JobCancelError: job cancelled remotely"]


@virtual
async def test_a_cancellation_before_the_answer_that_brings_the_job(fake):
    """Others that it brings are worked; and an old cancellation is not remembered."""
    seen = []

    async def work(job):
        seen.append(job.id)
        await asyncio.sleep(0)

    fake.work(work)
    async with fake.working() as client:
        await asyncio.sleep(1)
        with client.subscribe() as events:
            held = fake.store.hold(FETCH)
            first, second = fake.store.insert(2)
            await held.arrived.wait()
            fake.store.request_cancel(first)
            await asyncio.sleep(1)
            held.release()
            found = {event.job.id: event.job.state for event in [await events.get(), await events.get()]}
    assert found == {first: JobState.CANCELLED, second: JobState.COMPLETED}
    assert seen == [first, second]


@virtual
async def test_a_cancellation_while_the_job_is_held_back(fake):
    """Of a full batch, half begins when the next fetch is on its way: the other half is cancelled before."""
    cancelled = []

    async def work(job):
        if not cancelled:
            producer = client._handle.runner.producers["default"]
            cancelled.extend(executor.job.id for executor in producer._held)
            for job_id in cancelled:
                fake.store.request_cancel(job_id, notify=False)
                producer._on_control({"action": "cancel", "job_id": job_id, "queue": "default"})
        await asyncio.sleep(0)

    fake.work(work)
    fake.store.insert(4)
    async with fake.working(queues={"default": 4}) as client:
        await asyncio.sleep(1)
    assert len(cancelled) == 2
    states = {job_id: job["state"] for job_id, job in fake.store.jobs.items()}
    assert states == {job_id: "cancelled" if job_id in cancelled else "completed" for job_id in states}


@virtual
async def test_a_hard_stop_while_jobs_are_held_back(fake):
    stops = []

    async def work(job):
        if not stops:
            stops.append(asyncio.create_task(client.stop_and_cancel()))
            await asyncio.sleep(0)
            return
        await asyncio.sleep(1000)

    fake.work(work)
    fake.store.insert(8)
    async with fake.working(queues={"default": 4}) as client:
        await asyncio.sleep(1)
        await stops[0]
    assert seconds() < 2
    assert "running" not in fake.store.states()
    assert all(job["attempt"] == (job["state"] != "available") for job in fake.store.jobs.values())


@virtual
async def test_a_hard_stop_while_jobs_are_fetched(fake):
    fake.work()
    async with fake.working() as client:
        await asyncio.sleep(1)
        held = fake.store.hold(FETCH)
        fake.store.insert(3, args={"seconds": 1000})
        await held.arrived.wait()
        stopping = asyncio.create_task(client.stop_and_cancel())
        await asyncio.sleep(1)
        held.release()
        await stopping
    assert fake.store.states() == ["available"] * 3
    assert [job["attempt"] for job in fake.store.jobs.values()] == [0] * 3


@virtual
async def test_a_cancellation_that_the_work_did_not_meet_reaches_nobody_else(fake):
    """It came before the start, and the worker never waits: its error handler, which does, is not cancelled."""
    seen = []

    class Handler:
        async def handle_error(self, job, error):
            await asyncio.sleep(1)
            seen.append(str(error))

    async def work(job):
        pass

    async def fail(job):
        raise ValueError("no")

    fake.workers.work("job")(fail)
    async with fake.working(error_handler=Handler()) as client:
        await asyncio.sleep(1)
        held = fake.store.hold(FETCH)
        fake.store.insert()
        await held.arrived.wait()
        stopping = asyncio.create_task(client.stop_and_cancel())
        await asyncio.sleep(1)
        held.release()
        await stopping
    assert seen == ["no"]
    assert fake.store.states() == ["available"]
    assert fake.store.jobs[1]["errors"][0]["error"] == "no"


@pytest.mark.parametrize("first", ["timeout", "remote"])
@virtual
async def test_a_cancellation_from_outside_counts_more_than_a_timeout(fake, first):
    async def work(job):
        try:
            await asyncio.sleep(1000)
        finally:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(5)

    fake.work(work)
    async with fake.working(job_timeout=timedelta(seconds=10)) as client:
        with client.subscribe() as events:
            (job,) = fake.store.insert()
            await asyncio.sleep(11 if first == "timeout" else 9)
            fake.store.request_cancel(job)
            event = await events.get()
    assert event.job.state is JobState.CANCELLED
    assert [error.error for error in event.job.errors] == ["JobCancelError: job cancelled remotely"]


@pytest.mark.parametrize(
    ("stop_at", "state", "error"), [(9, "available", None), (11, "available", "context deadline exceeded")]
)
@virtual
async def test_of_a_timeout_and_a_hard_stop_the_first_counts(fake, stop_at, state, error):
    async def work(job):
        try:
            await asyncio.sleep(1000)
        finally:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(5)

    fake.work(work)
    async with fake.working(job_timeout=timedelta(seconds=10)) as client:
        fake.store.insert()
        await asyncio.sleep(stop_at)
        await client.stop_and_cancel()
    (job,) = fake.store.jobs.values()
    assert (job["state"], [each["error"] for each in job["errors"]]) == (state, [error] if error else [])
    assert job["attempt"] == (1 if error else 0)


# --- Time limits ---


@virtual
async def test_jobs_with_different_limits_end_each_at_its_own(fake):
    ends = {}

    async def work(job):
        try:
            await asyncio.sleep(1000)
        finally:
            ends[job.id] = seconds()

    class Timed:
        async def work(self, job, inner):
            await asyncio.sleep(job.args["pause"])
            await inner()

    for kind, limit in (("three", 3), ("ten", 10), ("never", None)):
        fake.workers.work(kind, timeout=None if limit is None else timedelta(seconds=limit))(work)
    async with fake.working(middleware=[Timed()], job_timeout=timedelta(minutes=1)):
        for kind in ("ten", "three", "never"):
            for pause in (2, 0, 1):
                fake.store.insert(kind=kind, args={"pause": pause})
        await asyncio.sleep(100)
    expected = [12, 10, 11, 5, 3, 4, 62, 60, 61]
    assert [ends[job_id] for job_id in range(1, 10)] == [at_most(time) for time in expected]


@virtual
async def test_a_second_call_of_the_work_has_a_time_of_its_own(fake):
    async def work(job):
        await asyncio.sleep(job.args["seconds"])

    class Twice:
        async def work(self, job, inner):
            await inner()
            if job.args["seconds"] == 8:
                await inner()

    fake.work(work)
    async with fake.working(middleware=[Twice()], job_timeout=timedelta(seconds=10)) as client:
        with client.subscribe() as events:
            fake.store.insert(args={"seconds": 8})
            await asyncio.sleep(1)
            fake.store.insert(args={"seconds": 1000})
            assert (await events.get()).kind is EventKind.JOB_FAILED
            assert seconds() == at_most(11)  # not held up by the first, whose second time ends later
            assert (await events.get()).kind is EventKind.JOB_COMPLETED


@pytest.mark.parametrize("replaced", [True, False])
@virtual
async def test_a_stuck_job_and_its_slot(fake, replaced):
    told, release = [], asyncio.Event()

    async def work(job):
        while job.args.get("stuck") and not release.is_set():
            with suppress(asyncio.CancelledError):
                await release.wait()
        await asyncio.sleep(job.args.get("seconds", 0))

    def handle(job):
        told.append((job.id, seconds()))
        return replaced

    fake.work(work)
    (stuck,) = fake.store.insert(args={"stuck": True})
    second, third, fourth = fake.store.insert(3, args={"seconds": 9})
    options = {
        "queues": {"default": 1},
        "job_timeout": timedelta(seconds=10),
        "job_stuck_threshold": timedelta(seconds=5),
        "job_stuck_handler": handle,
    }
    async with fake.working(**options):
        await asyncio.sleep(16)
        assert told == [(stuck, at_most(15))]
        assert fake.running == 1 + replaced
        await asyncio.sleep(4)
        release.set()
        await asyncio.sleep(0.1)
        assert fake.running == 1  # the extra slot is taken back
        await asyncio.sleep(60)
        assert fake.store.jobs[stuck]["state"] == "completed"
        begins = [fake.began_at(job) for job in (second, third, fourth)]
        first = 15 if replaced else 20
        assert begins == [at_most(first), at_most(first + 9), at_most(first + 18)]


@virtual
async def test_a_job_that_ends_in_time_is_not_stuck(fake, caplog):
    async def work(job):
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(1000)
        await asyncio.sleep(4)

    fake.work(work)
    fake.store.insert()
    async with fake.working(job_timeout=timedelta(seconds=10), job_stuck_threshold=timedelta(seconds=5)):
        await asyncio.sleep(60)
    assert fake.store.states() == ["completed"]
    assert "goes on long after its time" not in caplog.text


# --- Stopping ---


@virtual
async def test_a_soft_stop_waits_however_long(fake):
    fake.work()
    async with fake.working() as client:
        fake.store.insert(args={"seconds": 10_000})
        await asyncio.sleep(1)
        await client.stop()
    assert seconds() == at_most(10_000)
    assert fake.store.states() == ["completed"]


@virtual
async def test_after_soft_stop_timeout_jobs_are_cancelled(fake, caplog):
    fake.work()
    async with fake.working(soft_stop_timeout=timedelta(seconds=30)) as client:
        fake.store.insert(args={"seconds": 20})
        fake.store.insert(args={"seconds": 1000})
        await asyncio.sleep(1)
        await client.stop()
    assert seconds() == at_most(31)
    assert fake.store.states() == ["completed", "available"]
    assert [job["attempt"] for job in fake.store.jobs.values()] == [1, 0]
    assert "at the end of soft_stop_timeout" in caplog.text


@virtual
async def test_a_hard_stop_overtakes_a_soft_one(fake):
    fake.work()
    async with fake.working() as client:
        fake.store.insert(args={"seconds": 1000})
        await asyncio.sleep(1)
        soft = asyncio.create_task(client.stop())
        await asyncio.sleep(1)
        await client.stop_and_cancel()
        await soft
    assert seconds() == at_most(2)
    assert fake.store.states() == ["available"]


# --- Completing ---


@pytest.mark.parametrize(("subscribed", "statement"), [(True, ONE_BY_ONE), (False, PLAIN)])
@virtual
async def test_what_ends_together_is_stored_together(fake, subscribed, statement):
    fake.work()
    async with fake.working(queues={"default": 100}) as client:
        if subscribed:
            client.subscribe()
        fake.store.insert(90, args={"seconds": 5})
        await asyncio.sleep(10)
    assert fake.store.states() == ["completed"] * 90
    assert fake.store.count(statement) == 1
    assert fake.store.count(PLAIN) + fake.store.count(ONE_BY_ONE) == 1


@virtual
async def test_metadata_and_errors_are_stored_beside_plain_completions(fake):
    async def work(job):
        if job.args.get("bad"):
            raise ValueError("no")

    fake.work(work)
    async with fake.working():
        fake.store.insert(3)
        fake.store.insert(args={"bad": True}, max_attempts=1)
        await asyncio.sleep(1)
    assert fake.store.states() == ["completed"] * 3 + ["discarded"]


class Storing:
    """A completer of its own, and endings for it."""

    def __init__(self, *, subscribed=True):
        self.clock = LoopClock()
        self.store = FakeStore(self.clock)
        self.told = []
        self.completer = Completer(self.store, self._tell, lambda: subscribed, self.clock.now)
        self.task = asyncio.create_task(self.completer.run())

    def _tell(self, jobs, endings):
        self.told.extend((job.id, job.state) for job in jobs)

    def endings(self, count, **columns):
        ids = self.store.insert(count, notify=False, state="running", attempt=1)
        return [self.ending(job_id, **columns) for job_id in ids]

    def ending(self, job_id, state=JobState.COMPLETED, **columns):
        now = self.clock.now()
        reason = EventKind.JOB_COMPLETED
        return Ending(JobRow(self.store.row(job_id)), now, now, reason, state, finalized_at=now, **columns)

    async def put(self, endings):
        for ending in endings:
            await self.completer.put(ending)

    async def stop(self):
        self.completer.stop()
        await self.task

    def sizes(self):
        """How many endings each statement stored."""
        return [
            asked.params["jobs"].count('"attempt":') if asked.name == ONE_BY_ONE else asked.params["ids"].count(",") + 1
            for asked in self.store.asked
        ]


@virtual
async def test_the_first_ending_waits_a_moment_for_others():
    storing = Storing()
    await storing.put(storing.endings(3))
    await asyncio.sleep(completers.LINGER / 2)
    assert storing.sizes() == []
    await storing.put(storing.endings(2))
    await asyncio.sleep(completers.LINGER)
    assert storing.sizes() == [5]
    await storing.stop()


@virtual
async def test_enough_endings_do_not_wait():
    storing = Storing()
    before, held = seconds(), storing.store.hold(ONE_BY_ONE)
    await storing.put(storing.endings(completers.ENOUGH))
    await held.arrived.wait()
    assert seconds() == before
    held.release()
    await storing.stop()


@pytest.mark.parametrize("subscribed", [True, False])
@virtual
async def test_no_statement_stores_more_than_a_batch_and_the_oldest_come_first(subscribed):
    storing = Storing(subscribed=subscribed)
    first = storing.store.hold(ONE_BY_ONE if subscribed else PLAIN)
    await storing.put(storing.endings(1))
    await first.arrived.wait()
    await storing.put(storing.endings(9_000))
    first.release()
    await storing.stop()
    assert storing.sizes() == [1, 5_000, 4_000]
    assert set(storing.store.states()) == {"completed"}
    if subscribed:
        assert [job_id for job_id, _ in storing.told] == list(range(1, 9_002))


@virtual
async def test_jobs_wait_while_too_much_is_to_be_stored():
    storing = Storing()
    first = storing.store.hold(ONE_BY_ONE)
    await storing.put(storing.endings(1))
    await first.arrived.wait()
    await storing.put(storing.endings(completers.BACKLOG))
    late = [asyncio.create_task(storing.put([ending])) for ending in storing.endings(3)]
    await asyncio.sleep(1000)
    assert not any(task.done() for task in late)
    second, third = storing.store.hold(ONE_BY_ONE), storing.store.hold(ONE_BY_ONE)
    first.release()
    await second.arrived.wait()  # 5,000 are left: too many yet
    await asyncio.sleep(1000)
    assert not any(task.done() for task in late)
    second.release()
    await third.arrived.wait()
    await asyncio.gather(*late)
    third.release()
    await storing.stop()
    assert set(storing.store.states()) == {"completed"}


@virtual
async def test_what_could_not_be_stored_is_tried_again_in_its_order(caplog):
    storing = Storing()
    storing.store.fail(ONE_BY_ONE, 4)
    await storing.put(storing.endings(2))
    await asyncio.sleep(0.1)
    await storing.put(storing.endings(2))
    await asyncio.sleep(60)
    times = storing.store.times(ONE_BY_ONE)
    expected = [0.25, 0.5, 1, 2]
    assert gaps(times) == [backed_off(time) for time in expected]
    assert [job_id for job_id, _ in storing.told] == [1, 2, 3, 4]
    assert caplog.text.count("trying again: the connection is lost") == 4
    storing.store.fail(ONE_BY_ONE)
    before = len(storing.store.asked)
    await storing.put(storing.endings(1))
    await asyncio.sleep(10)
    retried = [asked.at for asked in storing.store.asked[before:]]
    assert gaps(retried) == [backed_off(0.25)]  # it begins anew after a success
    await storing.stop()


@virtual
async def test_an_answer_that_is_lost_does_no_harm():
    """The attempts are stored, nobody knows it, and they are stored again."""
    storing = Storing()
    storing.store.fail(ONE_BY_ONE, done=True)
    await storing.put(storing.endings(3))
    await asyncio.sleep(1)
    assert storing.told == [(job_id, "completed") for job_id in (1, 2, 3)]
    await storing.stop()


@virtual
async def test_the_later_ending_of_a_job_counts():
    """It was rescued, and fetched again, while its first ending could not be stored."""
    storing = Storing()
    held = storing.store.hold(ONE_BY_ONE, DatabaseError())
    await storing.put(storing.endings(2, metadata='{"n":1}'))
    await held.arrived.wait()
    storing.store.jobs[1]["attempt"] = 2
    await storing.put([*storing.endings(1), storing.ending(1, metadata='{"n":2}')])
    held.release()
    await storing.stop()
    assert [job_id for job_id, _ in storing.told] == [1, 2, 3]  # and the older are stored first
    assert (storing.store.jobs[1]["state"], storing.store.jobs[1]["metadata"]) == ("completed", {"n": 2})


@pytest.mark.parametrize("sqlstate", ["22P05", "23514", "54000"])
@pytest.mark.parametrize("plain", [True, False])
@virtual
async def test_an_ending_that_cannot_be_stored_holds_up_no_other(plain, sqlstate, caplog):
    storing = Storing(subscribed=not plain)

    def check(statement):
        params = statement.params
        ids = params["ids"].strip("{}").split(", ") if "ids" in params else ids_of(params["jobs"])
        if "37" in ids:
            raise DatabaseError("not this one", sqlstate)

    storing.store.check = check
    await storing.put(storing.endings(100))
    await asyncio.sleep(1)
    states = storing.store.states()
    assert [number for number, state in enumerate(states, 1) if state != "completed"] == [37]
    assert caplog.text.count("it will be rescued: not this one") == 1
    await storing.stop()  # and is not tried for ever


def ids_of(jobs):
    return [text.partition(",")[0] for text in jobs.split('"id": ')[1:]]


@virtual
async def test_metadata_that_cannot_be_stored_are_dropped_before_the_ending_is():
    storing = Storing()

    def check(statement):
        if "poison" in statement.params["jobs"]:
            raise DatabaseError("unsupported Unicode escape sequence", "22P05")

    storing.store.check = check
    good, bad = storing.endings(10, metadata='{"a":1}'), storing.endings(1, metadata='{"a":"poison"}')
    await storing.put([*good, *bad])
    await storing.stop()
    assert set(storing.store.states()) == {"completed"}
    assert [job["metadata"] for job in storing.store.jobs.values()] == [{"a": 1}] * 10 + [{}]


@pytest.mark.parametrize("away", [0, 100], ids=["away since the stop", "away for long"])
@virtual
async def test_the_last_tries_come_at_the_stop_and_have_an_end(away, caplog):
    storing = Storing()
    storing.store.fail(ONE_BY_ONE, 1000)
    await storing.put(storing.endings(3))
    await asyncio.sleep(away)
    stopped, tried = seconds(), storing.store.count(ONE_BY_ONE)
    await storing.stop()
    last = storing.store.times(ONE_BY_ONE)[tried:]
    assert last[0] == at_most(stopped)
    assert len(last) >= completers.LAST_TRIES
    assert seconds() - stopped < completers.LAST_SECONDS + 1
    assert "3 attempts could not be stored before the stop" in caplog.text


@virtual
async def test_a_database_that_comes_back_in_time_for_the_last_try():
    storing = Storing()
    storing.store.fail(ONE_BY_ONE, completers.LAST_TRIES - 1)
    await storing.put(storing.endings(3))
    await storing.stop()
    assert storing.store.states() == ["completed"] * 3


# --- Hearing ---


@virtual
async def test_a_lost_connection_is_opened_again_ever_later(fake):
    fake.work()
    async with fake.working():
        await asyncio.sleep(1)
        fake.store.fail(LISTENER, 8)
        fake.store.sever()
        await asyncio.sleep(200)
    found = gaps(fake.store.opened[1:])
    expected = [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert found == [backed_off(time) for time in expected]
    assert fake.store.opened[1] == pytest.approx(1.25, rel=0.1)


@virtual
async def test_after_a_reconnect_it_looks_for_what_was_said_meanwhile(fake):
    fake.work()
    async with fake.working(queues={"default": 3, "mail": 1}) as client:
        with client.subscribe() as events:
            (long,) = fake.store.insert(args={"seconds": 1000})
            await asyncio.sleep(1)
            fake.store.sever()
            await asyncio.sleep(0.1)
            assert not fake.store.listeners
            fake.store.request_cancel(long)
            (missed,) = fake.store.insert()
            fake.store.set_paused(True, "mail")
            found = [await events.get() for _ in range(3)]
    assert seconds() == pytest.approx(1.25, rel=0.1)
    jobs = {event.job.id: event.job.state for event in found if event.job}
    assert jobs == {long: JobState.CANCELLED, missed: JobState.COMPLETED}
    assert [(event.kind, event.queue) for event in found if not event.job] == [(EventKind.QUEUE_PAUSED, "mail")]


@virtual
async def test_a_silent_connection_is_asked_whether_it_is_there(fake):
    fake.work()
    async with fake.working():
        await asyncio.sleep(60)
    found = gaps(fake.store.probed[1:])
    assert found == [pytest.approx(5)] * len(found)
    assert len(found) >= 10
    assert len(fake.store.opened) == 1


@virtual
async def test_a_connection_that_does_not_answer_is_given_up(fake):
    fake.work()
    async with fake.working():
        await asyncio.sleep(1)
        fake.store.answers = False
        await asyncio.sleep(13.5)  # silent for 5 s, and 10 s to answer
        assert len(fake.store.listeners) == 1
        await asyncio.sleep(0.6)
        assert not fake.store.listeners
        fake.store.answers = True
        await asyncio.sleep(0.3)
        fake.store.insert()
        await asyncio.sleep(0.1)
    assert fake.store.states() == ["completed"]
    assert len(fake.store.opened) == 2


@virtual
async def test_a_first_connection_that_fails_fails_the_start(fake):
    fake.work()
    client = fake.client()
    fake.store.fail(LISTENER, error=DatabaseError("nobody there"))
    with pytest.raises(DatabaseError, match="nobody there"):
        await client.start()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    async with client:  # and the next one is another
        fake.store.insert()
        await asyncio.sleep(1)
    assert fake.store.states() == ["completed"]


@virtual
async def test_a_queue_that_cannot_be_registered_fails_the_start(fake):
    fake.work()
    client = fake.client(queues={"default": 1, "mail": 1})
    fake.store.fail(REPORT, error=DatabaseError("no such table"))
    fake.store.delay(REPORT, 5)
    with pytest.raises(DatabaseError, match="no such table"):
        await client.start()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert not fake.store.listeners


# --- Reporting ---


@virtual
async def test_a_queue_is_reported_every_ten_minutes(fake, caplog):
    fake.work()
    async with fake.working():
        await asyncio.sleep(1)
        fake.store.fail(REPORT)
        await asyncio.sleep(6000)
    first, second, *others = fake.store.times(REPORT)
    assert first < 0.1
    assert 0 <= second - first <= 1  # clients that are started together do not report together
    assert gaps([second, *others]) == [pytest.approx(600)] * len(others)
    assert len(others) in {9, 10}
    assert caplog.text.count("cannot say that queue 'default' is worked: the connection is lost") == 1


@virtual
async def test_the_clock_of_a_test_is_the_databases(fake):
    fake.work()
    fake.clock.ahead = timedelta(days=3)
    async with fake.working() as client:
        with client.subscribe() as events:
            fake.store.insert()
            event = await events.get()
    (fetch, *_) = [asked for asked in fake.store.asked if asked.name == FETCH]
    assert fetch.params["now"] - LoopClock().now() == pytest.approx(timedelta(days=3), abs=timedelta(seconds=1))
    assert event.job.finalized_at - LoopClock().now() == pytest.approx(timedelta(days=3), abs=timedelta(seconds=1))


def test_what_waits_for_ever_is_an_error_in_virtual_time():
    async def scenario():
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="no timer will ever wake"):
        run(scenario())
