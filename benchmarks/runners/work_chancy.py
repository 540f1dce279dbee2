"""Chancy at work, with its executor for coroutine functions; runs in an environment of its own."""

import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import shift
from chancy import Chancy, Job, Queue, Worker
from psycopg.rows import dict_row

_TABLE = "SELECT to_regclass('chancy_jobs')"
_LEFT = "SELECT count(*) FROM chancy_jobs WHERE state IN ('pending', 'running', 'retrying')"
_COMPLETED = "SELECT count(*) FROM chancy_jobs WHERE state = 'succeeded'"

_JOB = Job(func=f"{__name__}.bench", kwargs={"num": 1})

_work: shift.Work


async def bench(*, num: int) -> None:  # noqa: ARG001  (as with all others, the job has args)
    """Be one job; found by its name."""
    await _work()


class ChancyAtWork:
    """A pool for the worker, a connection that inserts, and an observer's."""

    def __init__(self, plan: shift.Plan, inserting: psycopg.AsyncConnection, observer: psycopg.AsyncConnection) -> None:
        self._plan = plan
        self._inserting = inserting
        self._observer = observer
        self._chancy = Chancy(plan.database_url, log=logging.getLogger("chancy"))

    async def fill(self, count: int) -> None:
        async with self._chancy:
            if await self._value(_TABLE) is None:
                await self._chancy.migrate()
            await self._observer.execute("TRUNCATE chancy_jobs")
            async for _ in self._chancy.push_many([_JOB] * count):
                pass

    @asynccontextmanager
    async def working(self, job: shift.Work) -> AsyncIterator[None]:
        global _work
        _work = job
        async with self._chancy:
            queue = Queue("default", concurrency=self._plan.slots, executor=Chancy.Executor.Async, eager_polling=True)
            await self._chancy.declare(queue, upsert=True)
            async with Worker(self._chancy):
                yield

    async def left(self) -> int:
        return int(await self._value(_LEFT))

    async def completed(self) -> int:
        return int(await self._value(_COMPLETED))

    async def insert(self) -> float:
        async with self._inserting.cursor(row_factory=dict_row) as cursor:
            await self._chancy.push_ex(cursor, _JOB)
            sent = time.perf_counter()
            await self._inserting.commit()
        return sent

    async def _value(self, query: str) -> Any:
        row: Any = await (await self._observer.execute(query)).fetchone()
        return row[0]


@asynccontextmanager
async def opened(plan: shift.Plan) -> AsyncIterator[ChancyAtWork]:
    connect = psycopg.AsyncConnection.connect
    async with (
        await connect(plan.database_url) as inserting,
        await connect(plan.database_url, autocommit=True) as observer,
    ):
        yield ChancyAtWork(plan, inserting, observer)


if __name__ == "__main__":
    shift.main(opened)
