"""Ours on SQLAlchemy, in the caller's ORM session; the variant is the library below it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import sqlalchemy
import stopwatch
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

import riverqueue
import riverqueue_sqlalchemy
from riverqueue import JobDeleteManyParams, JobListParams, JobRow


class Ours:
    """A client on an engine."""

    def __init__(self, engine: sqlalchemy.Engine) -> None:
        self.engine = engine
        self.client = riverqueue.Client(riverqueue_sqlalchemy.Driver(engine))

    def insert(self, jobs: list[stopwatch.BenchArgs]) -> None:
        self.client.insert(jobs[0])

    def insert_tx(self, jobs: list[stopwatch.BenchArgs]) -> None:
        with Session(self.engine) as session, session.begin():
            for job in jobs:
                self.client.insert(job, tx=session)

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


class OursAsync:
    """The same on an event loop."""

    def __init__(self, engine: sqlalchemy.ext.asyncio.AsyncEngine) -> None:
        self.engine = engine
        self.client = riverqueue.AsyncClient(riverqueue_sqlalchemy.AsyncDriver(engine))

    async def insert(self, jobs: list[stopwatch.BenchArgs]) -> None:
        await self.client.insert(jobs[0])

    async def insert_tx(self, jobs: list[stopwatch.BenchArgs]) -> None:
        async with AsyncSession(self.engine) as session, session.begin():
            for job in jobs:
                await self.client.insert(job, tx=session)

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


@contextmanager
def opened(engine_url: str) -> Iterator[Ours]:
    engine = sqlalchemy.create_engine(engine_url)
    yield Ours(engine)
    engine.dispose()


@asynccontextmanager
async def opened_async(engine_url: str) -> AsyncIterator[OursAsync]:
    engine = create_async_engine(engine_url)
    yield OursAsync(engine)
    await engine.dispose()


if __name__ == "__main__":
    plan = stopwatch.plan()
    engine_url = plan.database_url.replace("postgresql:", f"postgresql+{plan.variant}:", 1)
    if plan.variant == "asyncpg":
        stopwatch.run_async(plan, opened_async(engine_url))
    else:
        stopwatch.run(plan, opened(engine_url))
