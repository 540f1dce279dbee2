"""Starting, stopping and all else from several tasks and threads at once, in any order: nothing hangs, nothing is left.

In virtual time on a store in memory, where every wait can be cut anywhere; and, fewer, on the real database. A larger
profile of Hypothesis (``--hypothesis-profile``) tries more of both.
"""

import asyncio
import faulthandler
import gc
import re
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from psycopg.conninfo import make_conninfo

from riverqueue import AsyncClient, Client, ConfigurationError, DictArgs, InsertOpts, Workers
from riverqueue_psycopg import AsyncDriver, Driver
from tests.runtime.fake_client import Fake
from tests.runtime.fake_store import LISTENER, DatabaseError
from tests.runtime.virtual_time import run, seconds, virtual

LIMIT = 30.0  # real seconds, of which nothing here takes many
NAME = "river_interleaved"

#: Those that come and go, beside one that stays.
QUEUES = ["default", "a", "b"]
WORKED = {"kept": 1, "default": 2}
MORE = settings(
    max_examples=max(settings().max_examples // 4, 1),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@dataclass(frozen=True)
class Step:
    """Something that somebody does.

    Parameters:
        what: Name of the action.
        queue: On which queue, where that matters.
        length: How long it takes, or how long until it is cancelled; in hundredths of a second, or in turns of the
            loop.
        pause: How long to wait before it.
    """

    what: str
    queue: str
    length: int
    pause: int

    def __repr__(self) -> str:
        return f"{self.pause}:{self.what}({self.queue!r}, {self.length})"


def scripts(*what: str) -> st.SearchStrategy[list[list[Step]]]:
    """What several do at once."""
    step = st.builds(Step, st.sampled_from(what), st.sampled_from(QUEUES), st.integers(0, 50), st.integers(0, 20))
    return st.lists(st.lists(step, min_size=1, max_size=6), min_size=1, max_size=4)


ACTIONS = (
    *("start", "start", "stop", "stop_and_cancel", "queue_add", "queue_remove", "insert", "insert", "cancel"),
    *("subscribe", "wait", "start_cancelled", "stop_cancelled", "add_cancelled", "remove_cancelled"),
)


class Actors:
    """Does what scripts say with a client on a loop.

    Parameters:
        client: The client.
        insert: Inserts a job into a queue, which takes so long.
        cancel: Cancels some job.
        pause: Waits so long.
    """

    def __init__(
        self,
        client: AsyncClient[Any, Any],
        insert: Callable[[str, int], Awaitable[Any]],
        cancel: Callable[[int], Awaitable[Any]],
        pause: Callable[[int], Awaitable[Any]],
    ) -> None:
        self.client = client
        self._pause = pause
        self.waiting: list[asyncio.Task[Any]] = []
        self._actions: dict[str, Callable[[Step], Awaitable[Any]]] = {
            "start": lambda _: client.start(),
            "stop": lambda _: client.stop(),
            "stop_and_cancel": lambda _: client.stop_and_cancel(),
            "queue_add": lambda step: client.queue_add(step.queue, 2),
            "queue_remove": lambda step: client.queue_remove(step.queue),
            "insert": lambda step: insert(step.queue, step.length),
            "cancel": lambda step: cancel(step.length),
            "subscribe": self._subscribe,
            "wait": self._wait,
            "start_cancelled": lambda step: self._cut(client.start(), step),
            "stop_cancelled": lambda step: self._cut(client.stop(), step),
            "add_cancelled": lambda step: self._cut(client.queue_add(step.queue, 2), step),
            "remove_cancelled": lambda step: self._cut(client.queue_remove(step.queue), step),
        }

    async def play(self, scripts: list[list[Step]]) -> None:
        """Do it all, and stop."""
        async with asyncio.TaskGroup() as group:
            for script in scripts:
                group.create_task(self._play(script))
        await self.client.stop_and_cancel()

    async def end(self) -> None:
        """See that all subscribers, and who waited for the stop, have come to their end."""
        await asyncio.gather(*self.waiting)

    async def _play(self, script: list[Step]) -> None:
        for step in script:
            await self._pause(step.pause)
            with suppress(ConfigurationError, DatabaseError):
                await self._actions[step.what](step)

    async def _subscribe(self, step: Step) -> None:
        subscription = self.client.subscribe()

        async def read() -> None:
            async for _ in subscription:
                pass

        self.waiting.append(asyncio.create_task(read()))

    async def _wait(self, step: Step) -> None:
        self.waiting.append(asyncio.create_task((await self.client.start()).wait()))

    async def _cut(self, work: Any, step: Step) -> None:
        """Cancel the caller's task; a second time soon after, as an impatient one does."""
        task = asyncio.create_task(work)
        for _ in range(2):
            await self._pause(step.length)
            task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def ended_tasks(tasks: set[asyncio.Task[Any]]) -> None:
    """See that tasks come to their end: those that put away a start that was cancelled twice may go on for a moment."""
    if tasks:
        _, going_on = await asyncio.wait(tasks, timeout=1)
        assert not going_on


def check_jobs(jobs: list[tuple[str, int, int]]) -> None:
    """See that every job is finalized or available again, and that interruptions cost no attempt.

    Parameters:
        jobs: State, attempt, and how often it was claimed.
    """
    for state, attempt, claims in jobs:
        allowed = {"available": [0], "completed": [1], "cancelled": [0, 1]}
        assert attempt in allowed[state], (state, attempt)
        assert claims >= attempt


TROUBLE = st.lists(
    st.tuples(
        st.sampled_from(
            [LISTENER, "QueueCreateOrSetUpdatedAt", "JobGetAvailable", "JobSetStateIfRunningMany", "JobCompleteMany"]
        ),
        st.sampled_from(["fails", 0.05, 0.3]),
    ),
    max_size=8,
)


@pytest.mark.timeout(1200)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(scripts=scripts(*ACTIONS), trouble=TROUBLE, stubborn=st.booleans())
def test_in_virtual_time(scripts, trouble, stubborn):
    """Answers come late, or not at all; jobs heed a cancellation late."""

    async def scenario():
        fake = Fake()
        for name, what in trouble:
            if what == "fails":
                fake.store.fail(name)
            else:
                fake.store.delay(name, what)

        async def work(job):
            try:
                await asyncio.sleep(job.args["length"] / 100)
            except asyncio.CancelledError:
                if stubborn:
                    await asyncio.sleep(0.1)
                raise

        async def insert(queue, length):
            fake.store.insert(queue=queue, args={"length": length})

        async def cancel(number):
            if fake.store.jobs:
                fake.store.request_cancel(1 + number % len(fake.store.jobs))

        fake.work(work)
        client = fake.client(queues=WORKED)
        actors = Actors(client, insert, cancel, lambda length: asyncio.sleep(length / 100))
        async with asyncio.timeout(500):
            await actors.play(scripts)
        assert fake.running == 0
        await ended_tasks(asyncio.all_tasks() - {asyncio.current_task(), *actors.waiting})
        assert not fake.store.listeners
        jobs = list(fake.store.jobs.values())
        check_jobs([(job["state"], job["attempt"], len(job["attempted_by"])) for job in jobs])
        event(f"{len(fake.store.opened)} starts")
        fake.store._trouble.clear()

        async with asyncio.timeout(500), client:  # it works again
            for queue in QUEUES:
                with suppress(ConfigurationError):
                    await client.queue_add(queue, 2)
            await insert("kept", 0)
            await asyncio.sleep(100)
        await actors.end()
        assert set(fake.store.states()) <= {"completed", "cancelled"}
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(scenario())


# --- One by one, what was wrong once ---


@pytest.fixture
def fake():
    fake = Fake()
    fake.work()
    return fake


async def works(fake, client, queue="default"):
    """See that a client at work works a queue."""
    (job,) = fake.store.insert(queue=queue)
    await asyncio.sleep(1)
    return fake.store.jobs[job]["state"] == "completed"


async def begun(work):
    """Have something go on by itself, up to its first waits."""
    task = asyncio.create_task(work)
    await asyncio.sleep(0.01)
    return task


@virtual
async def test_a_stop_goes_on_whose_caller_is_cancelled(fake):
    client = fake.client()
    handle = await client.start()
    fake.store.insert(args={"seconds": 10})
    await asyncio.sleep(1)
    stopping = await begun(client.stop())
    stopping.cancel()
    await handle.wait()
    async with client:
        assert await client.start() is not handle
        assert await works(fake, client)


@virtual
async def test_a_start_at_the_moment_at_which_a_stop_has_ended(fake):
    client = fake.client()
    handle = await client.start()
    await handle.runner.stop()  # the client has not heard of it yet
    assert await client.start() is not handle
    assert await works(fake, client)
    await client.stop()


@virtual
async def test_a_start_waits_for_the_stop_and_begins_anew(fake):
    client = fake.client()
    handle = await client.start()
    fake.store.insert(args={"seconds": 10})
    await asyncio.sleep(1)
    stopping = await begun(handle.stop())
    again = await client.start()
    assert stopping.done()
    assert again is not handle
    assert await works(fake, client)
    await client.stop()


@virtual
async def test_a_hard_stop_does_not_wait_for_a_start_that_waits_for_a_soft_one(fake):
    client = fake.client()
    await client.start()
    fake.store.insert(args={"seconds": 1000})
    await asyncio.sleep(1)
    stopping, starting = await begun(client.stop()), await begun(client.start())
    await client.stop_and_cancel()
    await stopping
    assert seconds() < 5
    await (await starting).stop()


@pytest.mark.parametrize("stop", ["stop", "stop_and_cancel"])
@virtual
async def test_a_stop_stops_what_is_about_to_start(fake, stop):
    client = fake.client()
    fake.store.delay("QueueCreateOrSetUpdatedAt", 5)
    starting = await begun(client.start())
    await getattr(client, stop)()
    await (await starting).wait()
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("later", range(6))
@virtual
async def test_a_start_that_is_cancelled_twice_leaves_nothing(fake, later):
    client = fake.client()
    fake.store.delay("QueueCreateOrSetUpdatedAt", 5)
    starting = await begun(client.start())
    starting.cancel()
    await turns(later)
    starting.cancel()
    await asyncio.wait([starting])
    async with client:  # while the first is still being put away
        with client.subscribe() as events:
            fake.store.insert()
            assert (await events.get()).job.state == "completed"
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert not fake.store.listeners


@virtual
async def test_a_queue_that_comes_while_the_client_stops_is_worked_next_time(fake):
    client = fake.client()
    await client.start()
    fake.store.delay("QueueCreateOrSetUpdatedAt", 5)
    adding = await begun(client.queue_add("mail", 1))
    await client.stop()
    await adding
    assert asyncio.all_tasks() == {asyncio.current_task()}
    async with client:
        assert await works(fake, client, "mail")


@virtual
async def test_a_queue_that_comes_while_the_client_starts_is_worked(fake):
    client = fake.client()
    fake.store.delay("QueueCreateOrSetUpdatedAt", 5)
    starting = await begun(client.start())
    await client.queue_add("mail", 1)
    await starting
    assert await works(fake, client, "mail")
    await client.stop()


@virtual
async def test_a_queue_that_could_not_be_added_can_be_once_more(fake):
    async with fake.working() as client:
        fake.store.fail("QueueCreateOrSetUpdatedAt")
        with pytest.raises(DatabaseError):
            await client.queue_add("mail", 1)
        await client.queue_add("mail", 1)
        assert await works(fake, client, "mail")


@virtual
async def test_a_queue_is_removed_once(fake):
    async with fake.working() as client:
        await client.queue_add("mail", 1)
        fake.store.insert(queue="mail", args={"seconds": 10})
        await asyncio.sleep(1)
        removing = await begun(client.queue_remove("mail"))
        with pytest.raises(ConfigurationError, match="not found"):
            await client.queue_remove("mail")
        removing.cancel()  # it is removed all the same
        await asyncio.sleep(10)
        assert client._handle.counts().completed == 1
        await client.queue_add("mail", 1)
        assert await works(fake, client, "mail")
        assert client._handle.counts().completed == 2


def test_a_handle_may_be_asked_after_the_stop(url):
    with Driver(url) as driver:
        client = Client(driver, workers=interleaved_workers(), **OPTIONS)
        handle = client.start()
        handle.stop()
        handle.stop()
        handle.stop_and_cancel()
        assert handle.wait(0)
        assert handle.counts().running == 0
        client.stop()


# --- On the real database ---


def interleaved_workers() -> Workers:
    workers = Workers()

    @workers.work("job")
    async def work(job):
        await asyncio.sleep(job.args["length"] / 1000)

    return workers


POOL = re.compile(r"riverqueue-(scheduler|worker-\d+)")  # threads of the driver's pool
KEPT = InsertOpts(queue="kept")
OPTIONS: dict[str, Any] = {"queues": WORKED, "fetch_poll_interval": timedelta(milliseconds=100)}


@pytest.fixture
def url(database_url):
    return make_conninfo(database_url, application_name=NAME)


def stored_jobs(db):
    query = "SELECT state::text, attempt, coalesce(cardinality(attempted_by), 0) FROM river_job"
    return db.execute(query).fetchall()


def check_no_session_is_left(db):
    """A session ends some moments after its connection."""
    gc.collect()  # a connection that was cut off while it was made is in a cycle with its error
    for _ in range(1000):
        left = db.execute(
            "SELECT pid, state, query FROM pg_stat_activity WHERE application_name = %s", [NAME]
        ).fetchall()
        if not left:
            return
        db.execute("SELECT pg_sleep(0.01)")
    raise AssertionError(left)


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.mark.timeout(1200)
@MORE
@given(scripts=scripts(*ACTIONS))
def test_on_a_loop(url, db, scripts):
    async def scenario():
        db.execute("TRUNCATE river_job, river_queue")
        async with asyncio.timeout(LIMIT), AsyncDriver(url) as driver:
            client = AsyncClient(driver, workers=interleaved_workers(), **OPTIONS)

            async def insert(queue, length):
                await client.insert(DictArgs("job", {"length": length}), InsertOpts(queue=queue))

            async def cancel(number):
                for (job_id,) in db.execute("SELECT id FROM river_job ORDER BY id OFFSET %s LIMIT 1", [number % 5]):
                    await client.job_cancel(job_id)

            await client.insert(DictArgs("job", {"length": 0}))
            before = asyncio.all_tasks()
            actors = Actors(client, insert, cancel, lambda length: turns(length * 3))
            await actors.play(scripts)
            await ended_tasks(asyncio.all_tasks() - before - {*actors.waiting})
            check_jobs(stored_jobs(db))
            async with client:
                with client.subscribe() as events:
                    job = (await client.insert(DictArgs("job", {"length": 0}), KEPT)).job
                    while (await events.get()).job.id != job.id:
                        pass
            await actors.end()

    with asyncio.Runner() as runner:
        runner.run(scenario())
    check_no_session_is_left(db)


class Threads:
    """Does what scripts say, each in a thread.

    Parameters:
        client: The client.
    """

    def __init__(self, client: Client[Any, Any], db: psycopg.Connection[Any]) -> None:
        self.client = client
        self.errors: list[BaseException] = []
        self.waiting: list[threading.Thread] = []
        self._actions: dict[str, Callable[[Step], Any]] = {
            "start": lambda _: client.start(),
            "stop": lambda _: client.stop(),
            "stop_and_cancel": lambda _: client.stop_and_cancel(),
            "queue_add": lambda step: client.queue_add(step.queue, 2),
            "queue_remove": lambda step: client.queue_remove(step.queue),
            "insert": self._insert,
            "subscribe": lambda _: self._apart(partial(list, client.subscribe())),
            "wait": lambda _: self._apart(client.start().wait),
            "handle_stop": lambda _: client.start().stop(),
            "handle_stop_and_cancel": lambda _: client.start().stop_and_cancel(),
            "handle_counts": lambda _: client.start().counts(),
        }

    def play(self, scripts: list[list[Step]]) -> None:
        """Do it all, and stop."""
        together = threading.Barrier(len(scripts))
        threads = [threading.Thread(target=self._play, args=(script, together), daemon=True) for script in scripts]
        for thread in threads:
            thread.start()
        for thread in threads:
            ended(thread)
        self.client.stop_and_cancel()

    def _play(self, script: list[Step], together: threading.Barrier) -> None:
        try:
            together.wait()
            for step in script:
                with suppress(ConfigurationError):
                    self._actions[step.what](step)
        except BaseException as error:
            self.errors.append(error)

    def _insert(self, step: Step) -> None:
        self.client.insert(DictArgs("job", {"length": step.length}), InsertOpts(queue=step.queue))

    def _apart(self, function: Callable[[], Any]) -> None:
        thread = threading.Thread(target=function, daemon=True)
        thread.start()
        self.waiting.append(thread)


def ended(thread: threading.Thread) -> None:
    """Wait for a thread; if it hangs, show where all are."""
    thread.join(LIMIT)
    if thread.is_alive():
        faulthandler.dump_traceback()
        raise AssertionError(f"{thread.name} hangs")


THREAD_ACTIONS = (
    *("start", "start", "stop", "stop_and_cancel", "queue_add", "queue_remove", "insert", "insert", "subscribe"),
    *("wait", "handle_stop", "handle_stop_and_cancel", "handle_counts"),
)


@pytest.mark.timeout(1200)
@MORE
@given(scripts=scripts(*THREAD_ACTIONS))
def test_in_threads(url, db, scripts):
    db.execute("TRUNCATE river_job, river_queue")
    with Driver(url) as driver:
        before = set(threading.enumerate())
        client = Client(driver, workers=interleaved_workers(), **OPTIONS)
        threads = Threads(client, db)
        threads.play(scripts)
        assert threads.errors == []
        for thread in set(threading.enumerate()) - before - {*threads.waiting}:
            if not POOL.match(thread.name):
                ended(thread)
        check_jobs(stored_jobs(db))
        with client.subscribe() as events, client:
            job = client.insert(DictArgs("job", {"length": 0}), KEPT).job
            while events.get(LIMIT).job.id != job.id:
                pass
        for thread in threads.waiting:
            ended(thread)
    check_no_session_is_left(db)
