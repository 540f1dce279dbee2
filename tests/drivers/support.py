"""What all stacks have in common: the database of a test, and a listener of psycopg's."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager

import psycopg
import pytest
from psycopg import sql

from tests.support.server import drop_databases

#: Nobody listens there.
NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"

#: How an engine's pool has one connection.
SCARCE = {"pool_size": 1, "max_overflow": 0}


class Database:
    """A database for each test."""

    url: str

    @pytest.fixture(autouse=True)
    def _use(self, database_url: str, server_url: str) -> Generator[None]:
        self.url = database_url
        yield
        with psycopg.connect(database_url) as connection:
            row = connection.execute("SELECT current_database(), to_regclass('public.river_migration')").fetchone()
        if row and row[1] is None:  # the tables were moved away: start anew
            drop_databases(server_url, row[0])


class Listening(Database):
    @contextmanager
    def listen(self, channel: str) -> Generator[Callable[[], str]]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
            notifies = connection.notifies()
            yield lambda: next(notifies).payload
            notifies.close()


class AsyncListening(Database):
    @asynccontextmanager
    async def listen(self, channel: str) -> AsyncGenerator[Callable[[], Awaitable[str]]]:
        async with await psycopg.AsyncConnection.connect(self.url, autocommit=True) as connection:
            await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
            notifies = connection.notifies()

            async def next_payload() -> str:
                return (await anext(notifies)).payload

            yield next_payload
            await notifies.aclose()
