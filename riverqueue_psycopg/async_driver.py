"""The async driver for psycopg."""

from __future__ import annotations

import asyncio
from asyncio import Lock
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, TypeAlias

import psycopg
from psycopg.adapt import AdaptersMap
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from riverqueue.driver import BoundParams, CopyTarget, Paramstyle, Row, TransactionOptions
from riverqueue.errors import AbortedError, ConfigurationError, UnavailableError
from riverqueue.sql import quote
from riverqueue_psycopg.handles import (
    ADAPTERS,
    ISOLATION,
    OWN,
    SERVER_PROCESS,
    abort,
    check_idle,
    check_listens,
    check_tx,
    encoded,
    is_pool,
    own_settings,
)

if TYPE_CHECKING:  # the pool is an optional package
    from psycopg_pool import AsyncConnectionPool

AsyncConnection: TypeAlias = psycopg.AsyncConnection[Any]


class _Cursor(psycopg.AsyncRawCursor[Row]):
    """A cursor of our own: `$1` goes to the server as it is, and no setting of the caller's matters.

    Not the connection's row factory, cursor class or adapters; and as results are binary, not the session's
    ``DateStyle``.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        super().__init__(connection, row_factory=tuple_row)

    @property
    def adapters(self) -> AdaptersMap:
        return ADAPTERS


class AsyncExecutor:
    """One psycopg connection in a transaction."""

    __slots__ = ("_connection",)

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    @property
    def notifies(self) -> bool:
        """Whether its transaction may notify: not one that is to be prepared for a two-phase commit."""
        return getattr(self._connection, "_tpc", None) is None

    async def fetch(self, sql: str, params: BoundParams) -> Sequence[Row]:
        """Run one statement and return all its rows."""
        cursor = _Cursor(self._connection)  # nothing to close: a client-side cursor has only memory
        await cursor.execute(encoded(sql), params, binary=True)
        result = cursor.pgresult  # None in a pipeline, until rows are fetched
        return [] if result is not None and not result.nfields else await cursor.fetchall()

    @asynccontextmanager
    async def savepoint(self) -> AsyncGenerator[None]:
        """Keep what goes wrong inside the block from the transaction around it."""
        if self._connection.info.transaction_status is TransactionStatus.IDLE:
            # Begin the caller's transaction as any statement would: psycopg's own block would end it as well.
            await self.fetch("SELECT 1", ())
        async with self._connection.transaction():
            yield

    async def copy(self, target: CopyTarget, data: Iterable[bytes]) -> int:
        """Copy binary rows into a table and return how many."""
        async with _Cursor(self._connection) as cursor:
            async with cursor.copy(target.sql.encode()) as copy:
                for piece in data:
                    await copy.write(piece)
            return cursor.rowcount


class AsyncListener:
    """A psycopg connection that hears notifications."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._executor = AsyncExecutor(connection)

    async def listen(self, channel: str) -> None:
        """Begin to hear a channel."""
        await self._executor.fetch(f"LISTEN {quote(channel)}", ())

    async def fetch(self, sql: str, params: BoundParams) -> Sequence[Row]:
        """Run one statement and return all its rows."""
        fetching = asyncio.ensure_future(self._executor.fetch(sql, params))
        try:
            return await asyncio.shield(fetching)
        except asyncio.CancelledError:
            abort(self._connection)  # psycopg itself would ask the server to cancel, and wait for its answer
            fetching.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody else asks for it
            await asyncio.wait([fetching])
            if not fetching.cancelled():
                fetching.exception()  # taken, so that nobody says that it was not
            raise

    async def wait(self, seconds: float) -> Sequence[tuple[str, str]]:
        """Return channel and payload of what was heard."""
        return [
            (heard.channel, heard.payload) async for heard in self._connection.notifies(timeout=seconds, stop_after=1)
        ]


class AsyncDriver:
    """Inserts jobs by psycopg on an event loop.

    Parameters:
        source: A connection string, a ``psycopg_pool.AsyncConnectionPool``, or a
            ``psycopg.AsyncConnection``. From a connection string the driver keeps a small pool of its
            own; end it by `close`, or use the driver as an async context manager. From a connection,
            inserts without ``tx`` run in that connection's own transaction (in autocommit, each in one
            of its own).

    Raises:
        ConfigurationError: if `source` is none of them.
    """

    style: Paramstyle = "numeric_dollar"
    copies = True

    def __init__(self, source: str | AsyncConnection | AsyncConnectionPool[Any]) -> None:
        if isinstance(source, psycopg.Connection) or is_pool(source, "ConnectionPool"):
            raise ConfigurationError(f"AsyncDriver cannot use {type(source).__name__}; use riverqueue_psycopg.Driver")
        if not isinstance(source, str | psycopg.AsyncConnection) and not is_pool(source, "AsyncConnectionPool"):
            raise ConfigurationError(
                "AsyncDriver must be made from a connection string, a psycopg_pool.AsyncConnectionPool or a "
                f"psycopg.AsyncConnection, not {type(source).__name__}"
            )
        self._source = source
        self._own_pool: AsyncConnectionPool[Any] | None = None
        self._lock = Lock()

    @property
    def bound(self) -> bool:
        """Whether it was made from the caller's own connection."""
        return isinstance(self._source, psycopg.AsyncConnection)

    async def unwrap(self, tx: AsyncConnection, /) -> AsyncExecutor:
        """Find the executor in the caller's transaction."""
        check_tx(tx, psycopg.AsyncConnection, psycopg.Connection)
        return AsyncExecutor(tx)

    @asynccontextmanager
    async def begin(self, options: TransactionOptions) -> AsyncGenerator[AsyncConnection]:
        """Open a transaction, ended with the block."""
        async with self._connection() as connection, _settings(connection, options), connection.transaction():
            yield connection
            if connection.info.transaction_status is TransactionStatus.INERROR:
                raise AbortedError  # PostgreSQL would answer COMMIT with a rollback, and no error

    @asynccontextmanager
    async def autocommit(self) -> AsyncGenerator[AsyncExecutor]:
        """Give an executor whose statements each commit by themselves."""
        if isinstance(self._source, psycopg.AsyncConnection):
            yield AsyncExecutor(self._usable(self._source))
            return
        async with self._connection() as connection:
            before = connection.autocommit
            if not before:
                await connection.set_autocommit(True)
            try:
                yield AsyncExecutor(connection)
            finally:
                if not before and not connection.closed:
                    await connection.set_autocommit(False)

    @asynccontextmanager
    async def listener(self) -> AsyncGenerator[AsyncListener]:
        """Open a connection of its own to hear notifications on, made as those of the pool are."""
        check_listens(self.bound)
        pool: Any = await self._pool()
        conninfo, kwargs = await _called(pool.conninfo), await _called(pool.kwargs) or {}
        try:
            connection = await pool.connection_class.connect(conninfo, **{**kwargs, "autocommit": True})
        except psycopg.OperationalError as error:
            raise UnavailableError(f"the database cannot be reached: {error}") from error
        try:
            yield AsyncListener(connection)
        finally:
            await connection.close()

    async def close(self) -> None:
        """Close the pool made from a connection string; what the caller owns stays open."""
        async with self._lock:
            pool, self._own_pool = self._own_pool, None
        if pool is not None:
            await pool.close()

    async def __aenter__(self) -> AsyncDriver:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[AsyncConnection]:
        if isinstance(self._source, psycopg.AsyncConnection):
            yield self._usable(self._source)
            return
        pool = await self._pool()
        try:
            connection = await pool.getconn()
        except psycopg.OperationalError as error:
            raise UnavailableError(f"no connection to the database could be had from the pool: {error}") from error
        try:
            yield connection
        finally:
            await pool.putconn(connection)

    def _usable(self, connection: AsyncConnection) -> AsyncConnection:
        if connection.closed:
            raise UnavailableError("the psycopg connection this driver was made from is closed")
        return connection

    async def _pool(self) -> AsyncConnectionPool[Any]:
        if not isinstance(self._source, str):
            return self._source  # type: ignore[return-value]
        async with self._lock:
            if self._own_pool is None:
                self._own_pool = await _new_pool(self._source)
            return self._own_pool


async def _new_pool(conninfo: str) -> AsyncConnectionPool[Any]:
    try:
        # Once by hand first: a pool would try for half a minute before it says what is wrong.
        async with await psycopg.AsyncConnection.connect(conninfo, **OWN) as connection:
            process = await connection.execute(SERVER_PROCESS)
            settings = own_settings(connection.info, await process.fetchone())
    except psycopg.OperationalError as error:
        raise UnavailableError(f"the database cannot be reached: {error}") from error
    from psycopg_pool import AsyncConnectionPool

    pool = AsyncConnectionPool(conninfo, min_size=1, max_size=8, open=False, name="riverqueue", kwargs=settings)
    await pool.open()
    return pool


async def _called(value: Any) -> Any:
    """Return a pool's argument, or what it gives: a value or something to await."""
    value = value() if callable(value) else value
    return await value if isawaitable(value) else value


@asynccontextmanager
async def _settings(connection: AsyncConnection, options: TransactionOptions) -> AsyncGenerator[None]:
    before = (connection.isolation_level, connection.read_only, connection.deferrable)
    changed = options != TransactionOptions()
    if changed:
        check_idle(connection)
        if options.isolation_level is not None:
            await connection.set_isolation_level(ISOLATION[options.isolation_level])
        if options.read_only is not None:
            await connection.set_read_only(options.read_only)
        if options.deferrable is not None:
            await connection.set_deferrable(options.deferrable)
    try:
        yield
    finally:
        if changed and not connection.closed:
            await connection.set_isolation_level(before[0])
            await connection.set_read_only(before[1])
            await connection.set_deferrable(before[2])
