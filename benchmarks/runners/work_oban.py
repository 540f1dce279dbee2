"""Oban for Python at work, on uvloop as its own command; runs in an environment of its own."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import shift
import uvloop
from oban import Oban, worker
from oban.schema import install_sql

_TABLE = "SELECT to_regclass('oban_jobs')"
_LEFT = "SELECT count(*) FROM oban_jobs WHERE state IN ('available', 'scheduled', 'executing')"
_COMPLETED = "SELECT count(*) FROM oban_jobs WHERE state = 'completed'"


@worker(queue="default")
class Bench:
    """The worker of all jobs."""

    job: Callable[[], Awaitable[None]]

    async def process(self, _: Any) -> None:
        await type(self).job()


class ObanAtWork:
    """A pool for the worker, a connection that inserts, and an observer's."""

    def __init__(self, plan: shift.Plan, inserting: psycopg.AsyncConnection, observer: psycopg.AsyncConnection) -> None:
        self._plan = plan
        self._inserting = inserting
        self._observer = observer
        self._oban: Oban | None = None

    async def fill(self, count: int) -> None:
        if await self._value(_TABLE) is None:
            await self._observer.execute(install_sql())
        await self._observer.execute("TRUNCATE oban_jobs")
        pool = await Oban.create_pool(self._plan.database_url)
        await Oban(pool=pool).enqueue_many([Bench.new({"num": 1}) for _ in range(count)])
        await pool.close()

    @asynccontextmanager
    async def working(self, job: shift.Work) -> AsyncIterator[None]:
        Bench.job = staticmethod(job)
        pool = await Oban.create_pool(self._plan.database_url)
        self._oban = Oban(pool=pool, queues={"default": self._plan.slots})
        async with self._oban:
            yield
        await pool.close()

    async def left(self) -> int:
        return int(await self._value(_LEFT))

    async def completed(self) -> int:
        return int(await self._value(_COMPLETED))

    async def insert(self) -> float:
        assert self._oban is not None
        await self._oban.enqueue(Bench.new({"num": 1}), conn=self._inserting)
        sent = time.perf_counter()
        await self._inserting.commit()
        return sent

    async def _value(self, query: str) -> Any:
        row: Any = await (await self._observer.execute(query)).fetchone()
        return row[0]


@asynccontextmanager
async def opened(plan: shift.Plan) -> AsyncIterator[ObanAtWork]:
    connect = psycopg.AsyncConnection.connect
    async with (
        await connect(plan.database_url) as inserting,
        await connect(plan.database_url, autocommit=True) as observer,
    ):
        yield ObanAtWork(plan, inserting, observer)


if __name__ == "__main__":
    shift.main(opened, uvloop.run)
