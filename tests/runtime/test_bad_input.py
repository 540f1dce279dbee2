"""What is wrong ends in the state that River says, with an error that a person understands; and the next job is worked.

What options cannot be is in `test_lifecycle`, what PostgreSQL cannot store in `test_outcomes` too.
"""

import asyncio
import json
import math
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, ClassVar

import psycopg
import pytest

from riverqueue import (
    AsyncClient,
    DictArgs,
    EventKind,
    InsertOpts,
    JobSnooze,
    QueueConfig,
    Worker,
    Workers,
    metadata_set,
    record_output,
    work_context,
)
from riverqueue.errors import ConfigurationError, RiverError
from riverqueue_psycopg import AsyncDriver
from tests.runtime.fake_client import Fake
from tests.runtime.virtual_time import virtual


@dataclass
class SortArgs:
    kind: ClassVar[str] = "sort"
    n: int
    names: list[str]


async def work_and_go_on(scene, kind="job", args=None, **options):
    """Work a job that goes wrong, and then a good one; return what became of the first."""

    @scene.workers.work("good")
    async def good(job):
        pass

    async with scene.working(skip_unknown_job_check=True, **options) as (client, events):
        await client.insert(DictArgs(kind, args or {}))
        event = await events.get()
        await client.insert(DictArgs("good", {}))
        assert (await events.get()).kind is EventKind.JOB_COMPLETED
    return event


def failed(event, error):
    """See that the attempt failed with an error of this text, and is tried again."""
    assert (event.kind, event.job.state, event.job.attempt) == (EventKind.JOB_FAILED, "available", 1)
    assert [each.error for each in event.job.errors] == [error]


# --- Args ---


@pytest.mark.parametrize(
    ("args", "error"),
    [
        ({}, "args: Object missing required field `n`"),
        ({"n": "1", "names": []}, "args.n: Expected `int`, got `str`"),
        ({"n": 1, "names": ["a", None]}, "args.names[1]: Expected `str`, got `null`"),
        ([1, 2], "args: Expected `object`, got `array`"),
        ("text", "args: Expected `object`, got `str`"),
        (None, "args: Expected `object`, got `null`"),
        ({"n": 1.5, "names": []}, "args.n: Expected `int`, got `float`"),
    ],
)
async def test_args_that_do_not_decode(scene, workers, db, args, error):
    @workers.work(SortArgs)
    async def work(job):
        raise AssertionError("not called")

    @workers.work("good")
    async def good(job):
        pass

    db.execute("INSERT INTO river_job (kind, args) VALUES ('sort', %s)", [json.dumps(args)])
    async with scene.working() as (client, events):
        event = await events.get()
        await client.insert(DictArgs("good", {}))
        assert (await events.get()).kind is EventKind.JOB_COMPLETED
    failed(event, error)
    assert "SortArgs" not in event.job.errors[0].error


@pytest.mark.parametrize("where", ["args", "metadata"])
async def test_a_job_that_is_nested_deeply(scene, workers, db, where):
    """Python's own decoder gives it up; what its type cannot be made of is an error, and all else is as it is."""
    seen = []

    @workers.work("job")
    async def work(job):
        seen.append([job.args, job.metadata])

    @workers.work("good", timeout=timedelta(minutes=1))
    async def good(job):
        pass

    @workers.work(SortArgs)
    async def sort(job):
        raise AssertionError("not called")

    deep = '{"a\\"[": [1, "b{", {"a": ' * 1500 + "null" + "}]}" * 1500
    ids = [(await scene.insert(kind, {"n": 1, "names": []})).id for kind in ("job", "sort")]
    db.execute(f"UPDATE river_job SET {where} = %s", [deep])
    async with scene.working() as (client, events):
        found = {(event := await events.get()).job.id: event.job for _ in ids}
        await client.insert(DictArgs("good", {}))
        assert (await events.get()).kind is EventKind.JOB_COMPLETED
    job, sorted_job = (found[job_id] for job_id in ids)
    assert job.state == "completed"
    value = seen[0][["args", "metadata"].index(where)]
    for _ in range(1500):
        (key, (one, text, value)) = (*value.keys(), value['a"['])
        assert (key, one, text, list(value)) == ('a"[', 1, "b{", ["a"])
        value = value["a"]
    assert value is None
    assert (sorted_job.state, sorted_job.attempt) == ("available", 1)
    assert [error.error for error in sorted_job.errors] == [
        "args: Object missing required field `n`" if where == "args" else "not called"
    ]


# --- What workers return and raise ---


@pytest.mark.parametrize("plain", [False, True])
async def test_what_a_worker_returns_is_told_and_ignored(scene, workers, caplog, plain):
    async def coroutine(job):
        return {"rows": 3}

    workers.work("job")((lambda job: {"rows": 3}) if plain else coroutine)
    event = await work_and_go_on(scene)
    assert event.kind is EventKind.JOB_COMPLETED
    assert "returned {'rows': 3}, which is ignored; use record_output()" in caplog.text


class Custom(BaseException):
    pass


class UnspeakableError(Exception):
    def __str__(self):
        raise RuntimeError("no words")


class SilentError(Exception):
    def __str__(self):
        return 7  # type: ignore[return-value]


class ShapelessError(Exception):
    def __repr__(self):
        raise SystemExit


RAISED = {
    "nothing said": (ValueError(), "ValueError"),
    "no words": (UnspeakableError(), "UnspeakableError"),
    "words that are none": (SilentError(), "SilentError"),
    "no representation": (ShapelessError("text"), "text"),
    "NUL": (ValueError("a\0b"), "ab"),
    "lone surrogate": (ValueError("a\udc80b"), "a?b"),
    "bytes": (UnicodeDecodeError("utf-8", b"\xff\0", 0, 1, "bad"), None),
    "a group": (ExceptionGroup("several", [ValueError("one"), KeyError("two")]), "several (2 sub-exceptions)"),
    "custom": (Custom("mine"), "mine"),
    "exit": (SystemExit(3), "3"),
    "interrupt": (KeyboardInterrupt(), "KeyboardInterrupt"),
    "stop": (StopAsyncIteration("x"), None),
}


@pytest.mark.parametrize("executor", ["loop", "thread"])
@pytest.mark.parametrize("name", RAISED)
async def test_whatever_is_raised(scene, workers, name, executor):
    raised, text = RAISED[name]

    def work(job):
        raise raised.with_traceback(None)

    async def coroutine(job):
        work(job)

    workers.work("job")(coroutine if executor == "loop" else work)
    event = await work_and_go_on(scene)
    failed(event, event.job.errors[0].error if text is None else text)
    assert "in work" in event.job.errors[0].trace


@pytest.mark.parametrize("executor", ["loop", "thread"])
async def test_the_end_of_an_iteration_is_an_error(scene, workers, executor):
    def work(job):
        next(iter(()))

    async def coroutine(job):
        work(job)

    workers.work("job")(coroutine if executor == "loop" else work)
    event = await work_and_go_on(scene)
    assert "raised StopIteration" in event.job.errors[0].error


@pytest.mark.parametrize("raised", [GeneratorExit("x"), asyncio.CancelledError("x")], ids=repr)
@pytest.mark.parametrize("executor", ["loop", "thread"])
async def test_what_python_itself_throws_into_coroutines(scene, workers, executor, raised):
    def work(job):
        raise raised.with_traceback(None)

    async def coroutine(job):
        work(job)

    workers.work("job")(coroutine if executor == "loop" else work)
    event = await work_and_go_on(scene)
    failed(event, event.job.errors[0].error)
    assert type(raised).__name__ in event.job.errors[0].trace


async def test_an_error_that_is_its_own_cause(scene, register):
    @register
    async def work(job):
        one, two = ValueError("one"), ValueError("two")
        one.__cause__, two.__cause__ = two, one
        raise one

    failed(await work_and_go_on(scene), "one")


async def test_what_is_printed_goes_where_it_goes(scene, register, capsys):
    @register
    def work(job):
        print("a\0b")

    assert (await work_and_go_on(scene)).kind is EventKind.JOB_COMPLETED
    assert "a\0b" in capsys.readouterr().out


# --- What workers record ---


def recursive():
    value: list[Any] = []
    value.append(value)
    return value


RECORDED = {
    "no JSON": (lambda: record_output(object()), "output: "),
    "NaN": (lambda: record_output({"a": math.nan}), "output: "),
    "infinity": (lambda: record_output(math.inf), "output: "),
    "surrogate": (lambda: record_output("\ud800"), "output: "),
    "NUL": (lambda: record_output("\0"), "output: "),
    "recursive": (lambda: record_output(recursive()), "output: "),
    "too large": (lambda: record_output("x" * (32 << 20)), "output is too large: 33554434 bytes of JSON (max 32 MiB)"),
    "key of River's": (lambda: metadata_set("river:log", []), "metadata that begin with 'river:' are River's own"),
    "key that is none": (lambda: metadata_set(7, 1), "a metadata key must be a string, not 7"),  # type: ignore[arg-type]
    "key with NUL": (lambda: metadata_set("a\0", 1), "a metadata key holds NUL"),
    "value that is none": (lambda: metadata_set("a", {1, object()}), "metadata 'a': "),
    "snooze back": (lambda: snooze(timedelta(seconds=-1)), "JobSnooze takes a timedelta that is not negative, not "),
    "snooze by a number": (lambda: snooze(60), "JobSnooze takes a timedelta that is not negative, not 60"),
}


def snooze(duration):
    raise JobSnooze(duration)


@pytest.mark.parametrize("name", RECORDED)
async def test_what_cannot_be_recorded(scene, register, name):
    """It is an error where it is recorded; caught there, the job is completed, and what was recorded before is kept."""
    record, error = RECORDED[name]

    @register
    async def work(job):
        record_output("before")
        try:
            record()
        except RiverError:
            if job.args["caught"]:
                return
            raise

    event = await work_and_go_on(scene, args={"caught": False})
    assert event.job.errors[0].error.startswith(error)
    failed(event, event.job.errors[0].error)
    assert event.job.output == "before"
    event = await scene.work_one(args={"caught": True})
    assert (event.kind, event.job.output) == (EventKind.JOB_COMPLETED, "before")


@pytest.mark.parametrize("text", ["no JSON", '"\ud800"', '{"a":'])
async def test_metadata_that_go_past_the_checks_are_dropped(scene, register, caplog, text):
    """Neither the job nor those that are stored with it are held up."""
    together = asyncio.Barrier(3)

    @register
    async def work(job):
        if job.args["bad"]:
            work_context().set_metadata("a", text)
        await together.wait()

    async with scene.working() as (client, events):
        await client.insert_many([DictArgs("job", {"bad": number == 1}) for number in range(3)])
        found = [await events.get() for _ in range(3)]
    assert {event.kind for event in found} == {EventKind.JOB_COMPLETED}
    assert [event.job.metadata for event in found] == [{}] * 3
    assert caplog.text.count("cannot be stored and are dropped") == 1


# --- When to try again ---

NAIVE = datetime(2999, 1, 1)
PAST = datetime(2001, 1, 1, tzinfo=UTC)
FIRST = datetime.min.replace(tzinfo=timezone(timedelta(hours=14)))  # before the year 1 in UTC
LAST = datetime.max.replace(tzinfo=timezone(timedelta(hours=-12)))  # after the year 9999

TIMES = {
    "naive": (NAIVE, "needs a time that knows its zone, not datetime.datetime(2999, 1, 1, 0, 0)"),
    "no time": ("tomorrow", "needs a time that knows its zone, not 'tomorrow'"),
    "a duration": (timedelta(1), "needs a time that knows its zone, not datetime.timedelta(days=1)"),
    "past": (PAST, "in the past for job"),
    "before all time": (FIRST, "in the past for job"),
    "error": (ValueError("no idea"), "cannot tell when to try job"),
    "exit": (SystemExit(), "cannot tell when to try job"),
    "none": (None, None),
}


@pytest.mark.parametrize("whose", ["the worker's", "the policy's"])
@pytest.mark.parametrize("name", TIMES)
async def test_a_time_that_is_none_is_the_default_policys(scene, workers, caplog, name, whose):
    told, text = TIMES[name]

    def next_retry(job):
        if isinstance(told, BaseException):
            raise told
        return told

    async def work(job):
        raise ValueError("no")

    class Policy:
        def next_retry(self, job):
            return next_retry(job)

    own = whose == "the worker's"
    workers.work("job", next_retry=next_retry if own else None)(work)
    event = await work_and_go_on(scene, retry_policy=None if own else Policy())
    failed(event, "no")
    wait = event.job.scheduled_at - event.job.attempted_at
    assert timedelta(seconds=0.8) < wait < timedelta(seconds=20)  # a second after the attempt's end
    if text is not None:
        assert text in caplog.text


async def test_a_time_after_all_times_is_the_last_there_is(scene, workers):
    @workers.work("job", next_retry=lambda job: LAST)
    async def work(job):
        raise ValueError("no")

    event = await work_and_go_on(scene)
    assert (event.job.state, event.job.scheduled_at) == ("retryable", datetime.max.replace(tzinfo=UTC))


# --- Around the work ---


class Raising:
    """An error handler, hook, middleware that raises wherever it is asked to."""

    def __init__(self, where, error=None):
        self._where = where
        self._error = error or RuntimeError(f"in {where}")

    def raise_in(self, where):
        if where == self._where:
            raise self._error

    def handle_error(self, job, error):
        self.raise_in("handler")

    def work_begin(self, job):
        if job.kind == "job":
            self.raise_in("begin")

    def work_end(self, job, error):
        if job.kind == "job":
            self.raise_in("end")
        return error

    async def work(self, job, inner):
        if job.kind == "job":
            self.raise_in("before")
        await inner()
        if job.kind == "job":
            self.raise_in("after")


@pytest.mark.parametrize("error", [None, SystemExit("leave"), Custom("mine")], ids=["error", "exit", "custom"])
@pytest.mark.parametrize("where", ["begin", "end", "before", "after"])
async def test_what_is_raised_around_the_work_is_the_attempts_error(scene, register, where, error):
    @register
    async def work(job):
        record_output("worked")

    plugin = Raising(where, error)
    event = await work_and_go_on(scene, plugins=[plugin])
    failed(event, str(plugin._error))
    assert event.job.output == (None if where in {"begin", "before"} else "worked")


@pytest.mark.parametrize(
    "error",
    [None, SystemExit("leave"), Custom("mine"), asyncio.CancelledError()],
    ids=["error", "exit", "custom", "cancelled"],
)
async def test_an_error_handler_that_raises_is_logged_and_passed_over(scene, register, caplog, error):
    @register
    async def work(job):
        raise ValueError("no")

    failed(await work_and_go_on(scene, error_handler=Raising("handler", error)), "no")
    assert "the error handler failed on job" in caplog.text


async def test_hooks_and_middleware_of_a_worker_that_raise(scene, workers):
    class JobWorker(Worker[dict]):
        kind = "job"

        def middleware(self, job):
            raise RuntimeError("no middleware")

        async def work(self, job):
            raise AssertionError("not called")

    workers.add(JobWorker())
    failed(await work_and_go_on(scene), "no middleware")


class Calling:
    """Middleware that calls what it wraps so many times."""

    def __init__(self, times):
        self._times = times

    async def work(self, job, inner):
        for _ in range(self._times):
            await inner()


@pytest.mark.parametrize("times", [0, 2])
async def test_middleware_may_call_the_work_never_or_twice(scene, workers, times):
    """Without a call, the job is completed: so River has it."""
    calls = []

    @workers.work("job", middleware=[Calling(times)])
    async def work(job):
        calls.append(job.id)

    event = await work_and_go_on(scene)
    assert (event.kind, len(calls)) == (EventKind.JOB_COMPLETED, times)


@pytest.mark.parametrize("value", ["soon", 5, datetime(2999, 1, 1)])
async def test_a_timeout_that_is_none(scene, workers, value):
    class JobWorker(Worker[dict]):
        kind = "job"

        def timeout(self, job):
            return value

        async def work(self, job):
            raise AssertionError("not called")

    workers.add(JobWorker())
    event = await work_and_go_on(scene)
    assert (event.kind, event.job.state) == (EventKind.JOB_FAILED, "available")


@pytest.mark.parametrize("error", [RuntimeError("no"), SystemExit(), Custom()], ids=repr)
@virtual
async def test_a_stuck_job_handler_that_raises_replaces_nothing(error, caplog):
    fake, release = Fake(), asyncio.Event()

    async def work(job):
        while not release.is_set():
            with suppress(asyncio.CancelledError):
                await release.wait()

    def handle(job):
        raise error

    fake.work(work)
    fake.store.insert(2)
    options = {"queues": {"default": 1}, "job_timeout": timedelta(seconds=1), "job_stuck_handler": handle}
    async with fake.working(**options):
        await asyncio.sleep(60)
        assert fake.running == 1
        release.set()
        await asyncio.sleep(10)
    assert fake.store.states() == ["completed", "completed"]
    assert "job_stuck_handler failed on job 1" in caplog.text


# --- Where workers are registered ---


async def coroutine(job):
    pass


def function(job):
    pass


def generator(job):
    yield


async def async_generator(job):
    yield


def no_job():
    pass


def two_jobs(job, other):
    pass


def by_name_only(*, job):
    pass


class Kindless:
    pass


def twice(workers):
    workers.work("job")(coroutine)
    workers.work("job")(coroutine)


def alias_of_another(workers):
    workers.work("job")(coroutine)
    workers.work("other", kind_aliases=["job"])(coroutine)


def kind_is_an_alias(workers):
    workers.work("other", kind_aliases=["job"])(coroutine)
    workers.work("job")(coroutine)


def with_closure(workers):
    def inner(job):
        return workers

    workers.work("job", executor="process")(inner)


class Untyped(Worker):  # type: ignore[type-arg]
    async def work(self, job):
        pass


class Workless(Worker[dict]):
    kind = "job"


REGISTRATIONS = {
    "twice": (twice, "worker for kind 'job' is already registered"),
    "alias of another": (alias_of_another, "worker for kind 'job' is already registered"),
    "kind is an alias": (kind_is_an_alias, "worker for kind 'job' is already registered"),
    "alias is the kind": (lambda w: w.work("job", kind_aliases=["job"])(coroutine), "already registered"),
    "alias twice": (lambda w: w.work("job", kind_aliases=["aa", "aa"])(coroutine), "'aa' is already registered"),
    "aliases in a text": (lambda w: w.work("job", kind_aliases="former")(coroutine), "must be a list"),
    "alias is empty": (lambda w: w.work("job", kind_aliases=[""])(coroutine), "kind"),
    "empty kind": (lambda w: w.work("")(coroutine), "kind"),
    "long kind": (lambda w: w.work("k" * 129)(coroutine), "kind"),
    "kind with NUL": (lambda w: w.work("a\0")(coroutine), "kind"),
    "function on the loop": (lambda w: w.work("job", executor="loop")(function), "would hold up the event loop"),
    "coroutine in a thread": (lambda w: w.work("job", executor="thread")(coroutine), "is a coroutine function"),
    "coroutine in a process": (lambda w: w.work("job", executor="process")(coroutine), "is a coroutine function"),
    "lambda in a process": (lambda w: w.work("job", executor="process")(lambda job: None), "at the top of a module"),
    "closure in a process": (with_closure, "at the top of a module"),
    "transaction in a process": (
        lambda w: w.work("job", executor="process", transaction=True)(two_jobs),
        "cannot be given a transaction",
    ),
    "unknown executor": (lambda w: w.work("job", executor="greenlet")(coroutine), "executor must be one of loop, thre"),
    "no job": (lambda w: w.work("job")(no_job), "no_job must take job"),
    "two jobs": (lambda w: w.work("job")(two_jobs), "two_jobs must take job"),
    "job by name only": (lambda w: w.work("job")(by_name_only), "by_name_only must take job"),
    "no transaction": (lambda w: w.work("job", transaction=True)(coroutine), "must take job and tx"),
    "transaction that is none": (lambda w: w.work("job", transaction="yes")(coroutine), "transaction must be True"),
    "generator": (lambda w: w.work("job")(generator), "has a yield"),
    "async generator": (lambda w: w.work("job")(async_generator), "has a yield"),
    "no function": (lambda w: w.work("job")("function"), "decorates a function"),
    "args without a kind": (lambda w: w.work(Kindless)(coroutine), "Kindless has no kind"),
    "zero timeout": (lambda w: w.work("job", timeout=timedelta(0)), "timeout must be positive"),
    "negative timeout": (lambda w: w.work("job", timeout=timedelta(seconds=-1)), "timeout must be positive"),
    "timeout in seconds": (lambda w: w.work("job", timeout=60), "timeout must be a timedelta, not 60"),
    "middleware": (lambda w: w.work("job", middleware=[function]), "has no method work"),
    "hooks": (lambda w: w.work("job", hooks=[function]), "has no method work_begin or work_end"),
    "insert_opts": (
        lambda w: w.work("job", insert_opts={"queue": "q"})(coroutine),
        "insert_opts must be an InsertOpts",
    ),
    "class of a worker": (lambda w: w.add(Workless), "an instance of a Worker"),
    "no worker": (lambda w: w.add(function), "an instance of a Worker"),
    "no type": (lambda w: w.add(Untyped()), "does not say what args it works"),
}


@pytest.mark.parametrize("name", REGISTRATIONS)
def test_workers_that_cannot_work(name):
    register, text = REGISTRATIONS[name]
    workers = Workers()
    with pytest.raises(ConfigurationError, match=text):
        register(workers)
    assert set(workers.kinds) <= {"job", "other"}


async def test_a_worker_without_work(scene, workers):
    workers.add(Workless())
    failed(await work_and_go_on(scene), "Workless has no work(self, job)")


def test_a_refused_worker_leaves_no_trace():
    workers = Workers()
    with pytest.raises(ConfigurationError):
        workers.work("job", kind_aliases=["aa", ""], insert_opts=InsertOpts(queue="q"))(coroutine)
    assert workers.kinds == []
    assert workers.insert_opts("job") is None
    workers.work("job", kind_aliases=["aa"])(coroutine)
    assert workers.kinds == ["aa", "job"]


# --- Where clients are made ---

SECOND = timedelta(seconds=1)
OPTIONS = {
    "no worker": ({"queues": {"default": 1}, "workers": Workers()}, "queues need workers"),
    "max_workers true": ({"queues": {"default": True}}, "needs a QueueConfig"),
    "max_workers text": ({"queues": {"default": "5"}}, "needs a QueueConfig"),
    "max_workers negative": ({"queues": {"default": -1}}, "from 1 to 10000, not -1"),
    "queues text": ({"queues": "default"}, "must be a mapping"),
    "queue empty": ({"queues": {"": 1}}, "queue"),
    "queue long": ({"queues": {"q" * 65: 1}}, "queue"),
    "queue number": ({"queues": {7: 1}}, "queue"),
    "queue's poll interval": (
        {"queues": {"default": QueueConfig(1, fetch_cooldown=2 * SECOND)}},
        "queue 'default': fetch_poll_interval .* cannot be shorter than fetch_cooldown",
    ),
    "cool-down": ({"fetch_cooldown": timedelta(0)}, "fetch_cooldown must be a timedelta of at least 1 ms"),
    "poll interval": ({"fetch_poll_interval": timedelta(microseconds=999)}, "at least 1 ms"),
    "id number": ({"id": 7}, "id must be text of 1 to 100 bytes"),
    "id bytes": ({"id": "ü" * 51}, "id must be text of 1 to 100 bytes"),
    "id NUL": ({"id": "a\0"}, "id must be text of 1 to 100 bytes"),
    "workers a worker": ({"workers": coroutine}, "workers must be a Workers"),
    "pool": ({"process_pool": 4}, "process_pool must be a ProcessPool"),
    "function on a queue's loop": (
        {"queues": {"default": QueueConfig(1, executor="loop")}, "workers": True},
        "would hold up the event loop",
    ),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_clients_that_cannot_work(driver, name):
    options, text = OPTIONS[name]
    options = dict(options)
    if options.get("workers") in {None, True}:
        workers = Workers()
        workers.work("job")(function if options.get("workers") else coroutine)
        options["workers"] = workers
    with pytest.raises(ConfigurationError, match=text):
        AsyncClient(driver, **options)


@pytest.mark.parametrize("value", [0, 10_001, True, "5", 1.0, None])
def test_a_queue_config_out_of_range(value):
    with pytest.raises(ConfigurationError, match="max_workers must be an integer from 1 to 10000"):
        QueueConfig(value)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"executor": "fiber"}, "executor must be one of loop, thread, process, not 'fiber'"),
        ({"fetch_cooldown": timedelta(0)}, "at least 1 ms"),
        ({"fetch_poll_interval": 1}, "at least 1 ms"),
    ],
)
def test_a_queue_config_that_cannot_be(values, text):
    with pytest.raises(ConfigurationError, match=text):
        QueueConfig(1, **values)


async def test_a_bound_driver_cannot_work(database_url, workers):
    workers.work("job")(coroutine)
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        client = AsyncClient(AsyncDriver(connection), workers=workers, queues={"default": 1})
        with pytest.raises(ConfigurationError, match="make it from a pool, an engine or a connection string"):
            await client.start()


async def test_what_a_working_client_is_asked_that_cannot_be(scene, register):
    register(coroutine)
    async with scene.working() as (client, events):
        with pytest.raises(ConfigurationError, match="event kind is unknown: 'job_gone'. It is one of job_cancelled, "):
            client.subscribe("job_gone")
        with pytest.raises(ConfigurationError, match="queue 'default' already added"):
            await client.queue_add("default", 1)
        with pytest.raises(ConfigurationError, match="queue 'mail' not found"):
            await client.queue_remove("mail")
        for name, config in (("Bad Name", 1), ("mail", 0), ("mail", "5"), ("mail", None)):
            with pytest.raises(ConfigurationError):
                await client.queue_add(name, config)
        await scene.insert()
        assert (await events.get()).kind is EventKind.JOB_COMPLETED
