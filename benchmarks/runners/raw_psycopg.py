"""psycopg alone: what anybody would write by hand, without checks, unique keys or notifications."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import psycopg
import stopwatch

_COLUMNS = "args, created_at, kind, max_attempts, metadata, priority, queue, scheduled_at, state, tags"
_ONE = f"INSERT INTO river_job ({_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING *"
_MANY = f"""
INSERT INTO river_job ({_COLUMNS})
SELECT *, '{{}}'::varchar[] FROM unnest(
    %s::jsonb[], %s::timestamptz[], %s::text[], %s::smallint[], %s::jsonb[], %s::smallint[], %s::text[],
    %s::timestamptz[], %s::river_job_state[]
)
RETURNING *
"""
_COPY = f"COPY river_job ({_COLUMNS}) FROM STDIN (FORMAT BINARY)"
_COPY_TYPES = ["jsonb", "timestamptz", "text", "int2", "jsonb", "int2", "text", "timestamptz", "text", "varchar[]"]


class RawPsycopg:
    """One connection in autocommit."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection

    def insert(self, jobs: list[stopwatch.BenchArgs]) -> None:
        now = datetime.now(UTC)
        for job in jobs:
            args = json.dumps({"num": job.num})
            self.connection.execute(
                _ONE, (args, now, job.kind, 25, "{}", 1, "default", now, "available", [])
            ).fetchone()

    def insert_tx(self, jobs: list[stopwatch.BenchArgs]) -> None:
        with self.connection.transaction():
            self.insert(jobs)

    def insert_many(self, jobs: list[stopwatch.BenchArgs]) -> None:
        now, count = datetime.now(UTC), len(jobs)
        columns = (
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
        self.connection.execute(_MANY, columns).fetchall()

    def insert_many_fast(self, jobs: list[stopwatch.BenchArgs]) -> None:
        now = datetime.now(UTC)
        with self.connection.cursor() as cursor, cursor.copy(_COPY) as copy:
            copy.set_types(_COPY_TYPES)
            for job in jobs:
                copy.write_row(({"num": job.num}, now, job.kind, 25, {}, 1, "default", now, "available", []))


@contextmanager
def opened(plan: stopwatch.Plan) -> Iterator[RawPsycopg]:
    with psycopg.connect(plan.database_url, autocommit=True) as connection:
        yield RawPsycopg(connection)


if __name__ == "__main__":
    plan = stopwatch.plan()
    stopwatch.run(plan, opened(plan))
