"""A stack for each test, and a database seen from outside of all its transactions."""

from collections.abc import AsyncGenerator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.transactions.stacks import NAMES, Stack, opened


class Database:
    """What others see of a test's database: what is committed, and who waits for whom.

    Parameters:
        connection: A connection in autocommit.
    """

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self._connection = connection
        self._payloads: list[str] = []
        connection.add_notify_handler(lambda notice: self._payloads.append(notice.payload))

    async def run(self, *statements: str) -> None:
        """Run statements, each of which commits by itself."""
        for statement in statements:
            await self._connection.execute(statement.encode())

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return await (await self._connection.execute(query.encode())).fetchall()

    async def kinds(self) -> list[str]:
        """Return the kinds of all committed jobs, by id."""
        return [kind for (kind,) in await self.rows("SELECT kind FROM river_job ORDER BY id")]

    async def until(self, query: str) -> None:
        """Ask until the answer is true."""
        for _ in range(2000):
            if (await self.rows(query))[0][0]:
                return
            await self.run("SELECT pg_sleep(0.002)")
        raise AssertionError(f"it never became true: {query}")

    async def until_blocked(self, sessions: int = 1) -> None:
        """Wait until so many sessions wait for others' locks."""
        await self.until(
            f"SELECT count(*) >= {sessions} FROM pg_stat_activity "
            "WHERE datname = current_database() AND pg_blocking_pids(pid) <> '{}'"
        )

    async def listen(self, channel: str) -> None:
        """Begin to hear a channel."""
        await self._connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))

    async def heard(self) -> list[str]:
        """Return the payloads of all notifications that were sent before now and not returned yet."""
        # What was committed before a notification of our own arrives before it, and that with its statement.
        await self.run("LISTEN done", "NOTIFY done")
        *payloads, done = self._payloads
        assert done == ""
        self._payloads.clear()
        return payloads


@pytest.fixture
async def database(database_url: str) -> AsyncGenerator[Database]:
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        yield Database(connection)


@pytest.fixture(params=NAMES)
async def stack(request: pytest.FixtureRequest, database_url: str) -> AsyncGenerator[Stack]:
    async with opened(request.param, database_url) as made:
        yield made
