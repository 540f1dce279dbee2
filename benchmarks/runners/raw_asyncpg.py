"""asyncpg alone: what anybody would write by hand, without checks, unique keys or notifications."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg
import stopwatch

_NAMES = [
    "args",
    "created_at",
    "kind",
    "max_attempts",
    "metadata",
    "priority",
    "queue",
    "scheduled_at",
    "state",
    "tags",
]
_COLUMNS = ", ".join(_NAMES)
_ONE = f"INSERT INTO river_job ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING *"
_MANY = f"""
INSERT INTO river_job ({_COLUMNS})
SELECT *, '{{}}'::varchar[] FROM unnest(
    $1::jsonb[], $2::timestamptz[], $3::text[], $4::smallint[], $5::jsonb[], $6::smallint[], $7::text[],
    $8::timestamptz[], $9::river_job_state[]
)
RETURNING *
"""


class RawAsyncpg:
    """One connection."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection

    async def insert(self, jobs: list[stopwatch.BenchArgs]) -> None:
        now = datetime.now(UTC)
        for job in jobs:
            args = json.dumps({"num": job.num})
            await self.connection.fetchrow(_ONE, args, now, job.kind, 25, "{}", 1, "default", now, "available", [])

    async def insert_tx(self, jobs: list[stopwatch.BenchArgs]) -> None:
        async with self.connection.transaction():
            await self.insert(jobs)

    async def insert_many(self, jobs: list[stopwatch.BenchArgs]) -> None:
        now, count = datetime.now(UTC), len(jobs)
        await self.connection.fetch(
            _MANY,
            [json.dumps({"num": job.num}) for job in jobs],
            [now] * count,
            [job.kind for job in jobs],
            [25] * count,
            ["{}"] * count,
            [1] * count,
            ["default"] * count,
            [now] * count,
            ["available"] * count,
        )

    async def insert_many_fast(self, jobs: list[stopwatch.BenchArgs]) -> None:
        now = datetime.now(UTC)
        records = [
            (json.dumps({"num": job.num}), now, job.kind, 25, "{}", 1, "default", now, "available", []) for job in jobs
        ]
        await self.connection.copy_records_to_table("river_job", records=records, columns=_COLUMNS.split(", "))


@asynccontextmanager
async def opened(plan: stopwatch.Plan) -> AsyncIterator[RawAsyncpg]:
    connection = await asyncpg.connect(plan.database_url)
    try:
        yield RawAsyncpg(connection)
    finally:
        await connection.close()


if __name__ == "__main__":
    plan = stopwatch.plan()
    stopwatch.run_async(plan, opened(plan))
