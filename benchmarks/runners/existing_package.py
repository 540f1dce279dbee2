"""The insert-only package that exists under the same name; runs in an environment of its own.

The variant is the library below SQLAlchemy. Its ``insert_many`` returns how many, not the rows, and it knows
no faster way.
"""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import ClassVar

import sqlalchemy
import stopwatch
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session

import riverqueue
from riverqueue.driver import riversqlalchemy


@dataclass
class BenchArgs:
    """What the job carries, as this package wants it."""

    kind: ClassVar[str] = "bench"
    num: int

    def to_json(self) -> str:
        return json.dumps({"num": self.num})


class Existing:
    """A client on an engine."""

    def __init__(self, engine: sqlalchemy.Engine) -> None:
        self.engine = engine
        self.client = riverqueue.Client(riversqlalchemy.Driver(engine))

    def insert(self, jobs: list[BenchArgs]) -> None:
        self.client.insert(jobs[0])

    def insert_tx(self, jobs: list[BenchArgs]) -> None:
        with Session(self.engine) as session, session.begin():
            for job in jobs:
                self.client.insert_tx(session, job)

    def insert_many(self, jobs: list[BenchArgs]) -> None:
        self.client.insert_many(jobs)


class ExistingAsync:
    """The same on an event loop."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.client = riverqueue.AsyncClient(riversqlalchemy.AsyncDriver(engine))

    async def insert(self, jobs: list[BenchArgs]) -> None:
        await self.client.insert(jobs[0])

    async def insert_tx(self, jobs: list[BenchArgs]) -> None:
        async with AsyncSession(self.engine) as session, session.begin():
            for job in jobs:
                await self.client.insert_tx(await session.connection(), job)  # it takes connections only

    async def insert_many(self, jobs: list[BenchArgs]) -> None:
        await self.client.insert_many(jobs)


@contextmanager
def opened(engine_url: str) -> Iterator[Existing]:
    engine = sqlalchemy.create_engine(engine_url)
    yield Existing(engine)
    engine.dispose()


@asynccontextmanager
async def opened_async(engine_url: str) -> AsyncIterator[ExistingAsync]:
    engine = create_async_engine(engine_url)
    yield ExistingAsync(engine)
    await engine.dispose()


if __name__ == "__main__":
    plan = stopwatch.plan(BenchArgs)
    engine_url = plan.database_url.replace("postgresql:", f"postgresql+{plan.variant}:", 1)
    if plan.variant == "asyncpg":
        stopwatch.run_async(plan, opened_async(engine_url))
    else:
        stopwatch.run(plan, opened(engine_url))
