"""Ours on psycopg: as a user would set it up, from a connection string.

Variant ``async`` is on an event loop; with ``looking``, all that a job has is looked at, which decodes it.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import psycopg
import stopwatch

import riverqueue
import riverqueue_psycopg
from riverqueue import JobDeleteManyParams, JobListParams, JobRow

_FIELDS = [name for name, kind in vars(JobRow).items() if isinstance(kind, property)]


class Ours:
    """A client, and a connection of the application's for its transactions."""

    def __init__(self, client: riverqueue.Client, connection: psycopg.Connection) -> None:
        self.client = client
        self.connection = connection

    def insert(self, jobs: list[stopwatch.BenchArgs]) -> None:
        self.client.insert(jobs[0])

    def insert_tx(self, jobs: list[stopwatch.BenchArgs]) -> None:
        with self.connection.transaction():
            for job in jobs:
                self.client.insert(job, tx=self.connection)

    def insert_many(self, jobs: list[stopwatch.BenchArgs]) -> None:
        self.client.insert_many(jobs)

    def insert_many_fast(self, jobs: list[stopwatch.BenchArgs]) -> None:
        self.client.insert_many_fast(jobs)

    def job_get(self, ids: list[int]) -> None:
        self.client.job_get(ids[0])

    def job_list(self, ids: list[int]) -> list[JobRow]:
        return self.client.job_list(JobListParams(first=len(ids))).jobs

    def job_delete_many(self, ids: list[int]) -> list[JobRow]:
        return self.client.job_delete_many(JobDeleteManyParams(states=["completed"], first=len(ids)))


class OursLooking(Ours):
    """The same, and then all is decoded."""

    def job_get(self, ids: list[int]) -> None:
        _look_at(self.client.job_get(ids[0]))

    def job_list(self, ids: list[int]) -> list[JobRow]:
        jobs = super().job_list(ids)
        for job in jobs:
            _look_at(job)
        return jobs


class OursAsync:
    """The same on an event loop."""

    def __init__(self, client: riverqueue.AsyncClient, connection: psycopg.AsyncConnection) -> None:
        self.client = client
        self.connection = connection

    async def insert(self, jobs: list[stopwatch.BenchArgs]) -> None:
        await self.client.insert(jobs[0])

    async def insert_tx(self, jobs: list[stopwatch.BenchArgs]) -> None:
        async with self.connection.transaction():
            for job in jobs:
                await self.client.insert(job, tx=self.connection)

    async def insert_many(self, jobs: list[stopwatch.BenchArgs]) -> None:
        await self.client.insert_many(jobs)

    async def insert_many_fast(self, jobs: list[stopwatch.BenchArgs]) -> None:
        await self.client.insert_many_fast(jobs)

    async def job_get(self, ids: list[int]) -> None:
        await self.client.job_get(ids[0])

    async def job_list(self, ids: list[int]) -> list[JobRow]:
        return (await self.client.job_list(JobListParams(first=len(ids)))).jobs

    async def job_delete_many(self, ids: list[int]) -> list[JobRow]:
        return await self.client.job_delete_many(JobDeleteManyParams(states=["completed"], first=len(ids)))


def _look_at(job: JobRow) -> None:
    for name in _FIELDS:
        getattr(job, name)


@contextmanager
def opened(plan: stopwatch.Plan) -> Iterator[Ours]:
    with riverqueue_psycopg.Driver(plan.database_url) as driver, psycopg.connect(plan.database_url) as connection:
        contestant = OursLooking if plan.variant == "looking" else Ours
        yield contestant(riverqueue.Client(driver), connection)


@asynccontextmanager
async def opened_async(plan: stopwatch.Plan) -> AsyncIterator[OursAsync]:
    async with (
        riverqueue_psycopg.AsyncDriver(plan.database_url) as driver,
        await psycopg.AsyncConnection.connect(plan.database_url) as connection,
    ):
        yield OursAsync(riverqueue.AsyncClient(driver), connection)


if __name__ == "__main__":
    plan = stopwatch.plan()
    if plan.variant == "async":
        stopwatch.run_async(plan, opened_async(plan))
    else:
        stopwatch.run(plan, opened(plan))
