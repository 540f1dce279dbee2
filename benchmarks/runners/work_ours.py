"""Ours at work on psycopg, with its defaults: as a user would set it up.

The variant is ``threads`` for plain functions in an `AsyncClient`, ``client`` for those in a `Client`; otherwise
coroutine functions in an `AsyncClient`, whose fetch cool-down is the least there is if the variant is ``tuned``.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import psycopg
import shift
import stopwatch
from river_table import RiverTable, observer

import riverqueue
import riverqueue_psycopg
from riverqueue import Job, Workers

_LEAST = timedelta(milliseconds=1)
_JOB = stopwatch.BenchArgs(1)


def workers(job: Any, *, plain: bool) -> Workers:
    """Make the worker of all jobs; it is given args, as is everybody's."""
    made = Workers()
    if plain:

        @made.work(stopwatch.BenchArgs)
        def bench(_: Job[stopwatch.BenchArgs]) -> None:
            job()

    else:

        @made.work(stopwatch.BenchArgs)
        async def bench_async(_: Job[stopwatch.BenchArgs]) -> None:
            await job()

    return made


class Ours(RiverTable):
    """A client on psycopg, and a connection of the application's that inserts."""

    def __init__(self, plan: shift.Plan, driver: Any, observing: psycopg.AsyncConnection) -> None:
        super().__init__(observing)
        self.in_threads = plan.variant in {"threads", "client"}
        self._plan = plan
        self._driver = driver
        self._client = riverqueue.AsyncClient(driver)
        self._connection: psycopg.AsyncConnection | None = None

    @asynccontextmanager
    async def working(self, job: Any) -> AsyncIterator[None]:
        made = workers(job, plain=self.in_threads)
        # The cool-down is also how often the client notifies of what it inserts.
        options: dict[str, Any] = {"fetch_cooldown": _LEAST} if self._plan.variant == "tuned" else {}
        queues = {"default": self._plan.slots}
        async with riverqueue.AsyncClient(self._driver, workers=made, queues=queues, **options) as self._client:
            yield

    async def insert(self) -> float:
        if self._connection is None:
            self._connection = await psycopg.AsyncConnection.connect(self._plan.database_url)
        await self._client.insert(_JOB, tx=self._connection)
        sent = time.perf_counter()
        await self._connection.commit()
        return sent


class OursWithoutLoop(RiverTable):
    """A client without an event loop of the application's."""

    in_threads = True

    def __init__(self, plan: shift.Plan, driver: riverqueue_psycopg.Driver, observing: psycopg.AsyncConnection) -> None:
        super().__init__(observing)
        self._plan = plan
        self._driver = driver

    @asynccontextmanager
    async def working(self, job: Any) -> AsyncIterator[None]:
        made = workers(job, plain=True)
        client = riverqueue.Client(self._driver, workers=made, queues={"default": self._plan.slots})
        await asyncio.to_thread(client.start)
        yield
        await asyncio.to_thread(client.stop)


@asynccontextmanager
async def opened(plan: shift.Plan) -> AsyncIterator[RiverTable]:
    async with observer(plan.database_url) as observing:
        if plan.variant == "client":
            with riverqueue_psycopg.Driver(plan.database_url) as driver:
                yield OursWithoutLoop(plan, driver, observing)
        else:
            async with riverqueue_psycopg.AsyncDriver(plan.database_url) as driver:
                yield Ours(plan, driver, observing)


if __name__ == "__main__":
    shift.main(opened)
