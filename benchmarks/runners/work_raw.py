"""psycopg alone at work: what one would write by hand, by River's statements, without errors, retries or time limits.

One connection fetches the next jobs while another stores that the last ones are completed; a third one listens.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
import shift
from river_table import RiverTable, observer

_FETCH = """
WITH locked_jobs AS (
    SELECT id FROM river_job
    WHERE state = 'available' AND queue = 'default' AND scheduled_at <= now()
    ORDER BY priority, scheduled_at, id
    LIMIT %s
    FOR UPDATE SKIP LOCKED
)
UPDATE river_job
SET state = 'running', attempt = river_job.attempt + 1, attempted_at = now(),
    attempted_by = array_append(river_job.attempted_by, 'raw')
FROM locked_jobs
WHERE river_job.id = locked_jobs.id
RETURNING river_job.*
"""
_COMPLETE = """
UPDATE river_job SET state = 'completed', finalized_at = done.finalized_at
FROM unnest(%s::bigint[], %s::timestamptz[]) AS done (id, finalized_at)
WHERE river_job.id = done.id AND river_job.state = 'running'
"""
_INSERT = """
INSERT INTO river_job (args, kind, max_attempts) VALUES ('{"num": 1}', 'bench', 25)
"""
_NOTIFY = "SELECT pg_notify('public.river_insert', '{\"queue\": \"default\"}')"
_LISTEN = 'LISTEN "public.river_insert"'

_POLL = 1.0  # seconds


class RawPsycopg(RiverTable):
    """The connections, each in autocommit but the one that inserts."""

    def __init__(self, plan: shift.Plan, observing: psycopg.AsyncConnection, *connections: Any) -> None:
        super().__init__(observing)
        self._slots = plan.slots
        self._fetching, self._completing, self._listening, self._inserting = connections
        self._heard = asyncio.Event()

    @asynccontextmanager
    async def working(self, job: shift.Work) -> AsyncIterator[None]:
        await self._listening.execute(_LISTEN)
        tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._work(job))]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def insert(self) -> float:
        await self._inserting.execute(_INSERT)
        await self._inserting.execute(_NOTIFY)
        sent = time.perf_counter()
        await self._inserting.commit()
        return sent

    async def _listen(self) -> None:
        async for _ in self._listening.notifies():
            self._heard.set()

    async def _work(self, job: shift.Work) -> None:
        storing: asyncio.Task[None] | None = None
        while True:
            self._heard.clear()
            rows = await (await self._fetching.execute(_FETCH, (self._slots,))).fetchall()
            if storing is not None:
                await storing
                storing = None
            if rows:
                await asyncio.gather(*[asyncio.create_task(job()) for _ in rows])
                storing = asyncio.create_task(self._complete([row[0] for row in rows]))
            else:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_POLL):
                        await self._heard.wait()

    async def _complete(self, ids: list[int]) -> None:
        await self._completing.execute(_COMPLETE, (ids, [datetime.now(UTC)] * len(ids)))


@asynccontextmanager
async def opened(plan: shift.Plan) -> AsyncIterator[RawPsycopg]:
    async with contextlib.AsyncExitStack() as stack:
        connections = [
            await stack.enter_async_context(
                await psycopg.AsyncConnection.connect(plan.database_url, autocommit=autocommit)
            )
            for autocommit in (True, True, True, False)
        ]
        observing = await stack.enter_async_context(observer(plan.database_url))
        yield RawPsycopg(plan, observing, *connections)


if __name__ == "__main__":
    shift.main(opened)
