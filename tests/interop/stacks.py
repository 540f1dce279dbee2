"""The ways to use our client that are tested against Go: a name for each, and how to make one.

The database URL is a libpq URI, possibly with a Unix socket (``?host=/directory``) and with settings
(``options=-c search_path=…``); each library gets them in its own way.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

from riverqueue import AsyncClient, Client

MAX_CONNECTIONS = 8

#: Makes a client from a URL, the application's name, and options of the client. What must be closed in
#: the end goes on the stack.
MakeClient = Callable[..., Awaitable[Any]]


async def settle(value: Any) -> Any:
    """Await a value if it is to be awaited."""
    return await value if inspect.isawaitable(value) else value


class Stack:
    """One way to use the client, over one database.

    Parameters:
        name: One of `STACKS`.
        url: URI of the database.
        application_name: That of all sessions.
    """

    def __init__(self, name: str, url: str, application_name: str) -> None:
        self.name = name
        self._make = STACKS[name]
        self._url = url
        self._application_name = application_name
        self._driver: Any = None
        self._ends = AsyncExitStack()

    async def client(self, **options: Any) -> Any:
        """Make a client, sync or async as the stack is; all clients share one driver."""
        if self._driver is None:
            self._driver = await self._make(self._url, self._application_name, self._ends)
        return (AsyncClient if self.is_async else Client)(self._driver, **options)

    @property
    def is_async(self) -> bool:
        """Whether its clients are async."""
        return "async" in self.name

    async def close(self) -> None:
        """Close pools and engines."""
        await self._ends.aclose()


def _conninfo(url: str, application_name: str) -> str:
    from psycopg.conninfo import make_conninfo

    return make_conninfo(url, application_name=application_name)


async def _psycopg_pool(url: str, application_name: str, ends: AsyncExitStack) -> Any:
    from psycopg_pool import ConnectionPool

    import riverqueue_psycopg

    pool = ConnectionPool(_conninfo(url, application_name), min_size=1, max_size=MAX_CONNECTIONS, open=True)
    ends.callback(pool.close)
    return riverqueue_psycopg.Driver(pool)


async def _psycopg_conninfo(url: str, application_name: str, ends: AsyncExitStack) -> Any:
    import riverqueue_psycopg

    return ends.enter_context(riverqueue_psycopg.Driver(_conninfo(url, application_name)))


async def _psycopg_async_pool(url: str, application_name: str, ends: AsyncExitStack) -> Any:
    from psycopg_pool import AsyncConnectionPool

    import riverqueue_psycopg

    pool = AsyncConnectionPool(_conninfo(url, application_name), min_size=1, max_size=MAX_CONNECTIONS, open=False)
    await ends.enter_async_context(pool)
    return riverqueue_psycopg.AsyncDriver(pool)


def engine_arguments(url: str, library: str, application_name: str) -> dict[str, Any]:
    """Return the keywords of SQLAlchemy's ``create_engine`` and ``create_async_engine`` over one library."""
    from sqlalchemy import make_url

    parsed = make_url(url).set(drivername=f"postgresql+{library}")
    connect_args: dict[str, Any] = {"application_name": application_name}
    if library == "asyncpg":  # which knows settings one by one, but no `options`
        settings = re.findall(r"-c\s*(\w+)=(\S+)", str(parsed.query.get("options", "")))
        parsed = parsed.difference_update_query(["options"])
        connect_args = {"server_settings": connect_args | dict(settings)}
    return {"url": parsed, "connect_args": connect_args}


_POOL: dict[str, Any] = {"pool_size": MAX_CONNECTIONS, "max_overflow": 0}


def _engine(url: str, library: str, application_name: str, ends: AsyncExitStack) -> Any:
    from sqlalchemy import create_engine

    engine = create_engine(**engine_arguments(url, library, application_name), **_POOL)
    ends.callback(engine.dispose)
    return engine


def _async_engine(url: str, library: str, application_name: str, ends: AsyncExitStack) -> Any:
    from sqlalchemy.ext.asyncio import create_async_engine

    engine = create_async_engine(**engine_arguments(url, library, application_name), **_POOL)
    ends.push_async_callback(engine.dispose)
    return engine


def _sqlalchemy(library: str) -> MakeClient:
    async def make(url: str, application_name: str, ends: AsyncExitStack) -> Any:
        import riverqueue_sqlalchemy

        return riverqueue_sqlalchemy.Driver(_engine(url, library, application_name, ends))

    return make


def _sqlalchemy_session(library: str) -> MakeClient:
    async def make(url: str, application_name: str, ends: AsyncExitStack) -> Any:
        from sqlalchemy.orm import sessionmaker

        import riverqueue_sqlalchemy

        return riverqueue_sqlalchemy.Driver(sessionmaker(_engine(url, library, application_name, ends)))

    return make


def _sqlalchemy_async(library: str) -> MakeClient:
    async def make(url: str, application_name: str, ends: AsyncExitStack) -> Any:
        import riverqueue_sqlalchemy

        return riverqueue_sqlalchemy.AsyncDriver(_async_engine(url, library, application_name, ends))

    return make


def _sqlalchemy_async_session(library: str) -> MakeClient:
    async def make(url: str, application_name: str, ends: AsyncExitStack) -> Any:
        from sqlalchemy.ext.asyncio import async_sessionmaker

        import riverqueue_sqlalchemy

        return riverqueue_sqlalchemy.AsyncDriver(
            async_sessionmaker(_async_engine(url, library, application_name, ends))
        )

    return make


STACKS: dict[str, MakeClient] = {
    "psycopg": _psycopg_pool,
    "psycopg-conninfo": _psycopg_conninfo,
    "psycopg-async": _psycopg_async_pool,
    "sqlalchemy-psycopg": _sqlalchemy("psycopg"),
    "sqlalchemy-psycopg2": _sqlalchemy("psycopg2"),
    "session-psycopg": _sqlalchemy_session("psycopg"),
    "session-psycopg2": _sqlalchemy_session("psycopg2"),
    "async-engine-asyncpg": _sqlalchemy_async("asyncpg"),
    "async-engine-psycopg": _sqlalchemy_async("psycopg"),
    "async-session-asyncpg": _sqlalchemy_async_session("asyncpg"),
    "async-session-psycopg": _sqlalchemy_async_session("psycopg"),
}
