"""Every stack in one text for both colours: what a sync library does is done in a thread, and awaited.

A stack holds a transaction as programs of its library do: in a connection of a psycopg pool, in a SQLAlchemy
connection, or in a session.
"""

import asyncio
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool, ConnectionPool
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import sessionmaker

import riverqueue_psycopg
import riverqueue_sqlalchemy
from riverqueue import AsyncClient, Client
from riverqueue.testing.conformance.expect import Undo, raises
from tests.interop.stacks import engine_arguments

NAMES = [
    "psycopg",
    "psycopg-async",
    "connection-psycopg",
    "connection-psycopg2",
    "session-psycopg",
    "session-psycopg2",
    "async-connection-asyncpg",
    "async-connection-psycopg",
    "async-session-asyncpg",
    "async-session-psycopg",
]

SYNC_SQLALCHEMY = [name for name in NAMES if name.startswith(("connection", "session"))]
ASYNC = [name for name in NAMES if "async" in name]
PSYCOPG = [name for name in NAMES if name.startswith("psycopg")]
SESSIONS = [name for name in NAMES if "session" in name]
SQLALCHEMY = [name for name in NAMES if name not in PSYCOPG]

_END = object()


class Settled:
    """A client of either colour, whose methods are awaited.

    Parameters:
        client: A `Client` or an `AsyncClient`.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        if isinstance(self._client, AsyncClient) or not callable(method):
            return method
        return partial(asyncio.to_thread, method)

    def transaction(self, **options: Any) -> Any:
        return entered(self._client.transaction(**options))

    def job_list_all(self, *args: Any, **options: Any) -> AsyncIterator[Any]:
        jobs = self._client.job_list_all(*args, **options)
        return jobs if isinstance(self._client, AsyncClient) else _in_threads(jobs)


async def _in_threads(items: Iterator[Any]) -> AsyncIterator[Any]:
    while (item := await asyncio.to_thread(next, items, _END)) is not _END:
        yield item


@asynccontextmanager
async def entered(manager: Any) -> AsyncGenerator[Any]:
    """Enter a context manager of either colour."""
    if hasattr(manager, "__aenter__"):
        async with manager as value:
            yield value
    else:
        with manager as value:
            yield value


async def settle(call: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Call a function of either colour, a sync one in a thread."""
    if inspect.iscoroutinefunction(call):
        return await call(*args, **options)
    return await asyncio.to_thread(call, *args, **options)


class Stack:
    """One way to hold a transaction.

    Parameters:
        name: One of `NAMES`.
        driver: River's driver, on connections of its own.

    Attributes:
        engine: SQLAlchemy's, if it is that.
        pool: psycopg's, if it is that.
        source: What SQLAlchemy's driver was made from: the engine, or a maker of sessions.
    """

    engine: Any
    pool: Any
    source: Any

    def __init__(self, name: str, driver: Any) -> None:
        self.name = name
        self.driver = driver
        self.asynchronous = inspect.iscoroutinefunction(driver.unwrap)
        self.client = self.client_of(driver)

    def client_of(self, driver: Any, **options: Any) -> Any:
        """Make a client of the stack's colour, and settle it."""
        return Settled((AsyncClient if self.asynchronous else Client)(driver, **options))

    def bound(self, tx: Any) -> Any:
        """Make a client on a driver made from the caller's transaction."""
        return self.client_of(type(self.driver)(tx))

    def transaction(self, **options: Any) -> Any:
        """Begin the caller's own transaction, which commits unless an exception leaves it.

        Parameters:
            options: ``isolation_level``, ``read_only``, ``deferrable``.
        """
        raise NotImplementedError

    @asynccontextmanager
    async def undone(self, **options: Any) -> AsyncGenerator[Any]:
        """Begin the caller's own transaction, which rolls back; see `transaction`."""
        with raises(Undo):
            async with self.transaction(**options) as tx:
                yield tx
                raise Undo

    def idle(self) -> Any:
        """Open what the library holds transactions in, without beginning one."""
        raise NotImplementedError

    def savepoint(self, tx: Any) -> Any:
        """Set a savepoint as the library does, released or rolled back to when the block ends."""
        raise NotImplementedError

    async def sql(self, tx: Any, sql: str) -> list[tuple[Any, ...]]:
        """Run a statement of the caller's own."""
        raise NotImplementedError


class _Psycopg(Stack):
    def __init__(self, name: str, pool: Any) -> None:
        family = riverqueue_psycopg
        super().__init__(name, (family.AsyncDriver if isinstance(pool, AsyncConnectionPool) else family.Driver)(pool))
        self.pool = pool

    @asynccontextmanager
    async def transaction(self, **options: Any) -> AsyncGenerator[Any]:
        if "isolation_level" in options:
            level = options["isolation_level"].replace(" ", "_")
            options["isolation_level"] = psycopg.IsolationLevel[level]
        async with entered(self.pool.connection()) as connection:
            for name, value in options.items():
                await settle(getattr(connection, f"set_{name}"), value)
            try:
                async with entered(connection):
                    yield connection
            finally:
                if not connection.closed:
                    for name in options:
                        await settle(getattr(connection, f"set_{name}"), None)

    def idle(self) -> Any:
        return entered(self.pool.connection())

    def savepoint(self, tx: Any) -> Any:
        return entered(tx.transaction())

    async def sql(self, tx: Any, sql: str) -> list[tuple[Any, ...]]:
        cursor = await settle(tx.execute, sql)
        return (await settle(cursor.fetchall)) if cursor.description else []


_OPTIONS = {
    "isolation_level": "isolation_level",
    "read_only": "postgresql_readonly",
    "deferrable": "postgresql_deferrable",
}


class _Sqlalchemy(Stack):
    def __init__(self, name: str, source: Any) -> None:
        asynchronous = name.startswith("async-")
        family = riverqueue_sqlalchemy
        super().__init__(name, (family.AsyncDriver if asynchronous else family.Driver)(source))
        self.source = source
        self.engine = source.kw["bind"] if "session" in name else source

    def transaction(self, **options: Any) -> Any:
        engine = self.engine.execution_options(**{_OPTIONS[name]: value for name, value in options.items()})
        if "session" not in self.name:
            return entered(engine.begin())
        return entered(type(self.source)(engine).begin())

    def idle(self) -> Any:
        return entered(self.source() if "session" in self.name else self.source.connect())

    def savepoint(self, tx: Any) -> Any:
        return entered(tx.begin_nested())

    async def sql(self, tx: Any, sql: str) -> list[tuple[Any, ...]]:
        result = await settle(tx.execute, text(sql))
        return [tuple(row) for row in result] if result.returns_rows else []


@asynccontextmanager
async def opened(name: str, url: str, **settings: str) -> AsyncGenerator[Stack]:
    """Open a stack on a database.

    Parameters:
        name: One of `NAMES`.
        url: The libpq URL of the database.
        settings: Of the server, for all sessions of the stack.
    """
    if settings:
        # Tabs: SQLAlchemy writes a space as a plus sign, which libpq takes for one.
        options = "\t".join(f"-c{name}={value}" for name, value in settings.items())
        url = make_url(url).update_query_dict({"options": options}).render_as_string(hide_password=False)
    async with AsyncExitStack() as ends:
        *_, library = name.split("-")
        if name == "psycopg":
            yield _Psycopg(name, ends.enter_context(ConnectionPool(url, min_size=1, max_size=8, open=True)))
        elif name == "psycopg-async":
            pool = AsyncConnectionPool(url, min_size=1, max_size=8, open=False)
            yield _Psycopg(name, await ends.enter_async_context(pool))
        elif name.startswith("async-"):
            async_engine = create_async_engine(**engine_arguments(url, library, "transactions"))
            ends.push_async_callback(async_engine.dispose)
            yield _Sqlalchemy(name, async_sessionmaker(async_engine) if "session" in name else async_engine)
        else:
            engine = create_engine(**engine_arguments(url, library, "transactions"))
            ends.callback(engine.dispose)
            yield _Sqlalchemy(name, sessionmaker(engine) if "session" in name else engine)
