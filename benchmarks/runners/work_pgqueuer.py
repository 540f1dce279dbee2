"""pgqueuer at work on asyncpg, one connection as in its guide; runs in an environment of its own.

It fetches as many at a time as there are slots. It deletes a job that is done, and writes a line into a log.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import shift
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries

_BATCH = 10_000


class Pgqueuer:
    """The connection that works, the one that inserts, and an observer's."""

    def __init__(self, plan: shift.Plan, *connections: asyncpg.Connection) -> None:
        self._slots = plan.slots
        self._working, self._inserting, self._observer = connections
        self._queries = Queries(AsyncpgDriver(self._inserting))

    async def fill(self, count: int) -> None:
        if not await self._queries.schema_is_installed():
            await self._queries.install()
        await self._inserting.execute("TRUNCATE pgqueuer, pgqueuer_log, pgqueuer_statistics")
        for start in range(0, count, _BATCH):
            size = min(_BATCH, count - start)
            await self._queries.enqueue(["bench"] * size, [b'{"num": 1}'] * size, [0] * size)

    @asynccontextmanager
    async def working(self, job: shift.Work) -> AsyncIterator[None]:
        queuer = PgQueuer.from_asyncpg_connection(self._working)

        @queuer.entrypoint("bench")
        async def bench(_: Job) -> None:
            await job()

        running = asyncio.create_task(queuer.run(batch_size=self._slots))
        yield
        queuer.shutdown.set()
        await running

    async def left(self) -> int:
        return int(await self._observer.fetchval("SELECT count(*) FROM pgqueuer"))

    async def completed(self) -> int:
        return int(await self._observer.fetchval("SELECT count(*) FROM pgqueuer_log WHERE status = 'successful'"))

    async def insert(self) -> float:
        transaction = self._inserting.transaction()
        await transaction.start()
        await self._queries.enqueue("bench", b'{"num": 1}')
        sent = time.perf_counter()
        await transaction.commit()
        return sent


@asynccontextmanager
async def opened(plan: shift.Plan) -> AsyncIterator[Pgqueuer]:
    connections = [await asyncpg.connect(plan.database_url) for _ in range(3)]
    yield Pgqueuer(plan, *connections)
    for connection in connections:
        await connection.close()


if __name__ == "__main__":
    shift.main(opened)
