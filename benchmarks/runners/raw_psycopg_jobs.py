"""psycopg alone: reading and deleting jobs, with all columns of the table in psycopg's own decoding.

By default each call takes an autocommit connection from a pool, as ours does. Variant ``held`` holds one
connection; ``expressions`` is pooled and asks for the two expressions that ours asks for.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import psycopg
import stopwatch
from psycopg_pool import ConnectionPool

from riverqueue.rows import JOB_COLUMNS

_COLUMNS = (
    "id, state, attempt, max_attempts, attempted_at, created_at, finalized_at, scheduled_at, priority, args, "
    "attempted_by, errors, kind, metadata, queue, tags, unique_key, unique_states"
)
_DELETE = """
DELETE FROM river_job
WHERE id IN (SELECT id FROM river_job WHERE state = 'completed' ORDER BY id LIMIT %s)
RETURNING {}
"""


class RawPsycopg:
    """Whatever gives a connection for one call."""

    def __init__(self, source: Any, columns: str) -> None:
        self._source = source
        self._get = f"SELECT {columns} FROM river_job WHERE id = %s"
        self._list = f"SELECT {columns} FROM river_job ORDER BY id LIMIT %s"
        self._delete = _DELETE.format(columns)

    def _connection(self) -> AbstractContextManager[psycopg.Connection]:
        return self._source.connection() if isinstance(self._source, ConnectionPool) else nullcontext(self._source)

    def job_get(self, ids: list[int]) -> None:
        with self._connection() as connection:
            connection.execute(self._get, (ids[0],)).fetchone()

    def job_list(self, ids: list[int]) -> list[Any]:
        with self._connection() as connection:
            return connection.execute(self._list, (len(ids),)).fetchall()

    def job_delete_many(self, ids: list[int]) -> list[Any]:
        with self._connection() as connection:
            return connection.execute(self._delete, (len(ids),)).fetchall()


@contextmanager
def opened(plan: stopwatch.Plan) -> Iterator[RawPsycopg]:
    columns = JOB_COLUMNS if plan.variant == "expressions" else _COLUMNS
    if plan.variant == "held":
        with psycopg.connect(plan.database_url, autocommit=True) as connection:
            yield RawPsycopg(connection, columns)
    else:
        settings = {"autocommit": True}
        with ConnectionPool(plan.database_url, min_size=1, max_size=8, open=True, kwargs=settings) as pool:
            yield RawPsycopg(pool, columns)


if __name__ == "__main__":
    plan = stopwatch.plan()
    stopwatch.run(plan, opened(plan))
