"""procrastinate at work on psycopg; runs in an environment of its own."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import procrastinate
import psycopg
import shift

_TABLE = "SELECT to_regclass('procrastinate_jobs')"
_LEFT = "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
_COMPLETED = "SELECT count(*) FROM procrastinate_jobs WHERE status = 'succeeded'"

_BATCH = 1_000


class Procrastinate:
    """An app, a connection that inserts, and an observer's."""

    def __init__(self, plan: shift.Plan, inserting: psycopg.AsyncConnection, observer: psycopg.AsyncConnection) -> None:
        self._slots = plan.slots
        self._inserting = inserting
        self._observer = observer
        self._app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=plan.database_url))
        self._work: shift.Work | None = None
        self._task = self._app.task(name="bench")(self._bench)

    async def _bench(self, num: int) -> None:  # noqa: ARG002  (as with all others, the job has args)
        assert self._work is not None
        await self._work()

    async def fill(self, count: int) -> None:
        async with self._app.open_async():
            if await self._value(_TABLE) is None:
                await self._app.schema_manager.apply_schema_async()
            await self._observer.execute("TRUNCATE procrastinate_jobs CASCADE")
            for start in range(0, count, _BATCH):
                await self._task.batch_defer_async(*[{"num": 1}] * min(_BATCH, count - start))

    @asynccontextmanager
    async def working(self, job: shift.Work) -> AsyncIterator[None]:
        self._work = job
        async with self._app.open_async():
            running = asyncio.create_task(
                self._app.run_worker_async(concurrency=self._slots, install_signal_handlers=False)
            )
            yield
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def left(self) -> int:
        return int(await self._value(_LEFT))

    async def completed(self) -> int:
        return int(await self._value(_COMPLETED))

    async def insert(self) -> float:
        await self._task.configure(connection=self._inserting).defer_async(num=1)
        sent = time.perf_counter()
        await self._inserting.commit()
        return sent

    async def _value(self, query: str) -> Any:
        row: Any = await (await self._observer.execute(query)).fetchone()
        return row[0]


@asynccontextmanager
async def opened(plan: shift.Plan) -> AsyncIterator[Procrastinate]:
    connect = psycopg.AsyncConnection.connect
    async with (
        await connect(plan.database_url) as inserting,
        await connect(plan.database_url, autocommit=True) as observer,
    ):
        yield Procrastinate(plan, inserting, observer)


if __name__ == "__main__":
    shift.main(opened)
