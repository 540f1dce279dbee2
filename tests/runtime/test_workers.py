"""What a worker says of its jobs: when to try again, who steps in, how they are inserted."""

from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest

from riverqueue import (
    NO_TIMEOUT,
    AsyncClient,
    EventKind,
    InsertOpts,
    Job,
    JobRow,
    JobState,
    UniqueOpts,
    UnknownJobKindError,
    Worker,
)

TOMORROW = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)


class Layer:
    def __init__(self, name, log):
        self.name, self.log = name, log

    async def work(self, job, inner):
        self.log.append(f"{self.name} in")
        await inner()
        self.log.append(f"{self.name} out")

    def work_begin(self, job):
        self.log.append(f"{self.name} begin")

    def work_end(self, job, error):
        self.log.append(f"{self.name} end")
        return error


log: deque[str] = deque()


@dataclass
class Args:
    kind: ClassVar[str] = "args"
    n: int = 1

    def plugins(self):
        return [Layer("args' plugin", log)]

    def hooks(self):
        hook = Layer("args' hook", log)
        return [hook]


async def test_worker_client_and_args_all_step_in(scene, workers):
    log.clear()

    @workers.work(Args, middleware=[Layer("worker's", log)], hooks=[Layer("worker's hook", log)])
    async def work(job: Job[Args]):
        log.append("work")

    async with scene.working(plugins=[Layer("client's", log)]) as (client, events):
        await client.insert(Args())
        assert (await events.get()).kind is EventKind.JOB_COMPLETED
    assert list(log) == [
        "worker's in",
        "client's in",
        "client's begin",
        "worker's hook begin",
        "args' plugin begin",
        "args' hook begin",
        "args' plugin in",
        "work",
        "args' plugin out",
        "client's end",
        "worker's hook end",
        "args' plugin end",
        "args' hook end",
        "client's out",
        "worker's out",
    ]


async def test_a_worker_says_when_to_try_again(scene, workers):
    @workers.work("job", next_retry=lambda job: TOMORROW if job.args == {"late": True} else None)
    async def work(job):
        raise ValueError("no")

    async with scene.working() as (_, events):
        await scene.insert(args={"late": True})
        late = (await events.get()).job
        await scene.insert()
        soon = (await events.get()).job
    assert (late.state, late.scheduled_at) == (JobState.RETRYABLE, TOMORROW)
    assert soon.scheduled_at - datetime.now(UTC) < timedelta(seconds=3)


async def test_a_class_says_it_by_methods(scene, workers):
    class JobWorker(Worker[dict]):
        kind = "job"
        kind_aliases = ("former",)

        def timeout(self, job: Job[dict]) -> timedelta | None:
            return NO_TIMEOUT if job.args else timedelta(milliseconds=50)

        def next_retry(self, job: Job[dict]) -> datetime | None:
            return TOMORROW

        async def work(self, job: Job[dict]) -> None:
            import asyncio

            await asyncio.sleep(0.2 if job.args else 10)

    workers.add(JobWorker())
    async with scene.working(job_timeout=timedelta(milliseconds=50)) as (_, events):
        await scene.insert(kind="former", args={"long": True})
        assert (await events.get()).kind is EventKind.JOB_COMPLETED
        await scene.insert()
        event = await events.get()
    assert (event.job.errors[0].error, event.job.scheduled_at) == ("context deadline exceeded", TOMORROW)


@dataclass
class Plain:
    kind: ClassVar[str] = "plain"
    n: int = 1


@dataclass
class WithOpts(Plain):
    kind: ClassVar[str] = "with_opts"

    def insert_opts(self):
        return InsertOpts(priority=2, tags=["own"])


async def test_a_worker_says_how_its_jobs_are_inserted(driver, workers):
    opts = InsertOpts(queue="mail", priority=3, max_attempts=7, tags=["worker"], unique_opts=UniqueOpts(by_args=True))
    for args in (Plain, WithOpts):
        workers.work(args, insert_opts=opts)(lambda job: None)
    client = AsyncClient(driver, workers=workers)

    def shown(job: JobRow):
        return job.queue, job.priority, job.max_attempts, job.tags

    first = await client.insert(Plain())
    assert shown(first.job) == ("mail", 3, 7, ["worker"])
    assert (await client.insert(Plain())).unique_skipped_as_duplicated
    assert shown((await client.insert(WithOpts())).job) == ("mail", 2, 7, ["own"])
    assert shown((await client.insert(Plain(2), InsertOpts(queue="other", tags=[]))).job) == ("other", 3, 7, [])


async def test_only_kinds_with_a_worker_are_inserted_where_there_are_workers(driver, workers):
    workers.work("job", kind_aliases=["former"])(lambda job: None)
    client = AsyncClient(driver, workers=workers)
    with pytest.raises(UnknownJobKindError, match=r"Workers bundle: plain; .*skip_unknown_job_check"):
        await client.insert(Plain())
    other = AsyncClient(driver, workers=workers, skip_unknown_job_check=True)
    assert (await other.insert(Plain())).job.kind == "plain"
    assert (await AsyncClient(driver).insert(Plain())).job.kind == "plain"
