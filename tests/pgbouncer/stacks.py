"""The stacks, each with the settings that docs/pgbouncer.md tells for it, or with others to see what happens."""

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool, ConnectionPool
from sqlalchemy import Engine, create_engine
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

import riverqueue_psycopg
import riverqueue_sqlalchemy
from tests.support.server import sqlalchemy_url

#: What psycopg needs: on a connection, in a pool's ``kwargs``, in an engine's ``connect_args``.
PSYCOPG: dict[str, Any] = {"prepare_threshold": None}

#: What asyncpg needs in ``connect_args``.
ASYNCPG: dict[str, Any] = {"statement_cache_size": 0, "prepared_statement_name_func": lambda: ""}

DOCUMENTED: dict[str, dict[str, Any]] = {"psycopg": PSYCOPG, "psycopg2": {}, "asyncpg": ASYNCPG}


@contextmanager
def engine(url: str, library: str, settings: dict[str, Any] | None = None, **keywords: Any) -> Generator[Engine]:
    settings = DOCUMENTED[library] if settings is None else settings
    made = create_engine(sqlalchemy_url(url, library), connect_args=settings, **keywords)
    try:
        yield made
    finally:
        made.dispose()


@asynccontextmanager
async def async_engine(
    url: str, library: str, settings: dict[str, Any] | None = None, **keywords: Any
) -> AsyncGenerator[AsyncEngine]:
    settings = DOCUMENTED[library] if settings is None else settings
    made = create_async_engine(sqlalchemy_url(url, library), connect_args=settings, **keywords)
    try:
        yield made
    finally:
        await made.dispose()


def _sqlalchemy(library: str) -> Callable[..., AbstractContextManager[Any]]:
    @contextmanager
    def driver(url: str, settings: dict[str, Any] | None = None) -> Generator[Any]:
        with engine(url, library, settings) as made:
            yield riverqueue_sqlalchemy.Driver(made)

    return driver


def _sqlalchemy_async(library: str) -> Callable[..., AbstractAsyncContextManager[Any]]:
    @asynccontextmanager
    async def driver(url: str, settings: dict[str, Any] | None = None) -> AsyncGenerator[Any]:
        async with async_engine(url, library, settings) as made:
            yield riverqueue_sqlalchemy.AsyncDriver(made)

    return driver


@contextmanager
def _psycopg(url: str, settings: dict[str, Any] | None = None) -> Generator[Any]:
    with ConnectionPool(url, min_size=1, max_size=1, kwargs=PSYCOPG if settings is None else settings) as pool:
        yield riverqueue_psycopg.Driver(pool)


@asynccontextmanager
async def _psycopg_async(url: str, settings: dict[str, Any] | None = None) -> AsyncGenerator[Any]:
    keywords = PSYCOPG if settings is None else settings
    async with AsyncConnectionPool(url, min_size=1, max_size=1, kwargs=keywords) as pool:
        yield riverqueue_psycopg.AsyncDriver(pool)


#: How to open a sync driver: by its URL and, if they are not those of the documentation, its library's settings.
SYNC: dict[str, Callable[..., AbstractContextManager[Any]]] = {
    "psycopg": _psycopg,
    "conninfo": riverqueue_psycopg.Driver,
    "sqlalchemy-psycopg": _sqlalchemy("psycopg"),
    "sqlalchemy-psycopg2": _sqlalchemy("psycopg2"),
}

#: The same for async drivers.
ASYNC: dict[str, Callable[..., AbstractAsyncContextManager[Any]]] = {
    "psycopg": _psycopg_async,
    "conninfo": riverqueue_psycopg.AsyncDriver,
    "sqlalchemy-psycopg": _sqlalchemy_async("psycopg"),
    "sqlalchemy-asyncpg": _sqlalchemy_async("asyncpg"),
}


def connect(url: str, **settings: Any) -> psycopg.Connection:
    """Return a connection as the documentation says, in no transaction yet."""
    return psycopg.connect(url, **PSYCOPG, **settings)


@contextmanager
def in_the_way(url: str) -> Generator[None]:
    """Have someone else use the session with the server that was used last."""
    with connect(url) as other:
        other.execute("SELECT 1")
        yield
