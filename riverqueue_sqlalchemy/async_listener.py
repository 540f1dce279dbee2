"""Hearing notifications on a connection of an async engine."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import AsyncEngine

from riverqueue.driver import AsyncListener, BoundParams, Row
from riverqueue.sql import quote
from riverqueue_sqlalchemy.handles import reaching
from riverqueue_sqlalchemy.listener import abort, apart


class PsycopgListener:
    """A connection of psycopg's that hears notifications."""

    def __init__(self, library: Any) -> None:
        self._library = library

    async def listen(self, channel: str) -> None:
        """Begin to hear a channel."""
        await self.fetch(f"LISTEN {quote(channel)}", ())

    async def fetch(self, sql: str, params: BoundParams) -> Sequence[Row]:
        """Run one statement and return all its rows."""
        fetching = asyncio.ensure_future(self._fetch(sql, params))
        try:
            return await asyncio.shield(fetching)
        except asyncio.CancelledError:
            abort(self._library)  # psycopg itself would ask the server to cancel, and wait for its answer
            await asyncio.wait([fetching])
            if not fetching.cancelled():
                fetching.exception()  # taken, so that nobody says that it was not
            raise

    async def wait(self, seconds: float) -> Sequence[tuple[str, str]]:
        """Return channel and payload of what was heard."""
        notifies = self._library.notifies(timeout=seconds, stop_after=1)
        return [(heard.channel, heard.payload) async for heard in notifies]

    async def _fetch(self, sql: str, params: BoundParams) -> Sequence[Row]:
        async with self._library.cursor() as cursor:
            await cursor.execute(sql, params or None)
            rows: Sequence[Row] = await cursor.fetchall() if cursor.description else []
            return rows


class AsyncpgListener:
    """A connection of asyncpg's that hears notifications."""

    def __init__(self, library: Any) -> None:
        self._library = library
        self._heard: list[tuple[str, str]] = []
        self._lost = False
        self._something = asyncio.Event()
        library.add_termination_listener(self._lose)

    async def listen(self, channel: str) -> None:
        """Begin to hear a channel."""
        await self._library.add_listener(channel, self._hear)

    async def fetch(self, sql: str, params: BoundParams) -> Sequence[Row]:
        """Run one statement and return all its rows."""
        rows: Sequence[Row] = await self._library.fetch(sql, *params)
        return rows

    async def wait(self, seconds: float) -> Sequence[tuple[str, str]]:
        """Return channel and payload of what was heard."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._something.wait()
        if self._lost:
            raise ConnectionError("the connection was lost")
        heard, self._heard = self._heard, []
        self._something.clear()
        return heard

    def _hear(self, _: object, __: int, channel: str, payload: str) -> None:
        self._heard.append((channel, payload))
        self._something.set()

    def _lose(self, _: object) -> None:
        self._lost = True
        self._something.set()


@asynccontextmanager
async def listening(engine: Engine) -> AsyncGenerator[AsyncListener]:
    """Open a connection to listen on, made as the engine makes them."""
    connection = AsyncEngine(apart(engine)).connect()
    with reaching():
        await connection.start()
    library: Any = (await connection.get_raw_connection()).driver_connection
    await connection.run_sync(lambda inner: inner.detach())  # it is ours to close
    if hasattr(library, "add_listener"):
        try:
            yield AsyncpgListener(library)
        finally:
            library.terminate()  # a close would wait for the server's answer
    else:
        try:
            await library.set_autocommit(True)
            yield PsycopgListener(library)
        finally:
            await library.close()
