"""pgqueuer on asyncpg, with its own, leaner table; runs in an environment of its own. Returns ids only."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import stopwatch
from pgqueuer.db import AsyncpgDriver
from pgqueuer.queries import Queries


class Pgqueuer:
    """One connection."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection
        self.queries = Queries(AsyncpgDriver(connection))

    async def insert(self, jobs: list[stopwatch.BenchArgs]) -> None:
        for job in jobs:
            await self.queries.enqueue(job.kind, json.dumps({"num": job.num}).encode())

    async def insert_tx(self, jobs: list[stopwatch.BenchArgs]) -> None:
        async with self.connection.transaction():
            await self.insert(jobs)

    async def insert_many(self, jobs: list[stopwatch.BenchArgs]) -> None:
        payloads: list[bytes | None] = [json.dumps({"num": job.num}).encode() for job in jobs]
        await self.queries.enqueue([job.kind for job in jobs], payloads, [0] * len(jobs))


@asynccontextmanager
async def opened(plan: stopwatch.Plan) -> AsyncIterator[Pgqueuer]:
    connection = await asyncpg.connect(plan.database_url)
    try:
        peer = Pgqueuer(connection)
        if not await peer.queries.schema_is_installed():
            await peer.queries.install()
        await connection.execute("TRUNCATE pgqueuer")
        yield peer
    finally:
        await connection.close()


if __name__ == "__main__":
    plan = stopwatch.plan()
    stopwatch.run_async(plan, opened(plan))
