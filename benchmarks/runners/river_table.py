"""What is asked of River's table while others work on it, over a connection that is not counted."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg

_LEFT = "SELECT count(*) FROM river_job WHERE state IN ('available', 'running') AND queue = 'default'"
_COMPLETED = "SELECT count(*) FROM river_job WHERE state = 'completed' AND queue = 'default'"

# The next identity of a transaction: only those that write are given one.
_TRANSACTIONS = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
_CONNECTIONS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""


class RiverTable:
    """River's table, as a contestant's observer sees it.

    Parameters:
        observer: Nobody else's connection, in autocommit.
    """

    def __init__(self, observer: psycopg.AsyncConnection) -> None:
        self._observer = observer

    async def left(self) -> int:
        return await self._number(_LEFT)

    async def completed(self) -> int:
        return await self._number(_COMPLETED)

    async def write_transactions(self) -> int:
        return await self._number(_TRANSACTIONS)

    async def connections(self) -> int:
        return await self._number(_CONNECTIONS)

    async def _number(self, query: str) -> int:
        row: Any = await (await self._observer.execute(query)).fetchone()
        return int(row[0])


@asynccontextmanager
async def observer(url: str) -> AsyncIterator[psycopg.AsyncConnection]:
    """Open an observer's connection."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        yield connection
