"""The conformance suite through PgBouncer, as docs/pgbouncer.md says to set each stack up."""

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from typing import Any
from unittest import SkipTest

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from riverqueue_psycopg import AsyncDriver, Driver
from tests.drivers import support, test_psycopg, test_sqlalchemy, test_sqlalchemy_async
from tests.pgbouncer.stacks import PSYCOPG, async_engine, engine

_DEAF = "in transaction mode PgBouncer passes no notifications on"


class Pooled:
    """Comes before the stack's own class: all of a test goes through PgBouncer, but for listening."""

    @pytest.fixture(autouse=True)
    def _pooled(self, _use: None, pooled_url: str) -> None:
        self.direct_url, self.url = self.url, pooled_url

    def listen(self, channel: str) -> AbstractContextManager[Callable[[], str]]:
        direct = support.Listening()
        direct.url = self.direct_url
        return direct.listen(channel)

    @contextmanager
    def opened(self, _: Any) -> Generator[Any]:
        raise SkipTest(_DEAF)
        yield


class AsyncPooled(Pooled):
    @asynccontextmanager
    async def opened(self, _: Any) -> AsyncGenerator[Any]:
        raise SkipTest(_DEAF)
        yield

    def listen(self, channel: str) -> AbstractAsyncContextManager[Callable[[], Any]]:
        direct = support.AsyncListening()
        direct.url = self.direct_url
        return direct.listen(channel)


class TestPsycopg(Pooled, test_psycopg._Psycopg):
    """A driver made from a connection string, and a connection of the caller's."""

    @contextmanager
    def driver(self) -> Generator[Driver]:
        with Driver(self.url) as driver:
            yield driver

    @contextmanager
    def transaction(self, _: Driver) -> Generator[psycopg.Connection]:
        with psycopg.connect(self.url, **PSYCOPG) as connection:
            yield connection


class TestPsycopgAsync(AsyncPooled, test_psycopg._PsycopgAsync):
    """A pool of the caller's."""

    @asynccontextmanager
    async def driver(self) -> AsyncGenerator[AsyncDriver]:
        async with AsyncConnectionPool(self.url, min_size=1, max_size=8, kwargs=PSYCOPG) as pool:
            yield AsyncDriver(pool)

    @asynccontextmanager
    async def scarce(self, seconds: float) -> AsyncGenerator[AsyncDriver]:
        async with AsyncConnectionPool(self.url, min_size=1, max_size=1, timeout=seconds, kwargs=PSYCOPG) as pool:
            await pool.wait()
            yield AsyncDriver(pool)


class TestSqlalchemyPsycopg(Pooled, test_sqlalchemy._EngineAndSession):
    library = "psycopg"

    def engine(self, url: str | None = None, **keywords: Any) -> Any:
        return engine(url or self.url, self.library, **keywords)


class TestSqlalchemyPsycopg2(TestSqlalchemyPsycopg):
    library = "psycopg2"


class TestSqlalchemyAsyncPsycopg(AsyncPooled, test_sqlalchemy_async._Psycopg, test_sqlalchemy_async._EngineAndSession):
    def engine(self, url: str | None = None, **keywords: Any) -> Any:
        return async_engine(url or self.url, self.library, **keywords)


class TestSqlalchemyAsyncpg(AsyncPooled, test_sqlalchemy_async._Asyncpg, test_sqlalchemy_async._EngineAndSession):
    def engine(self, url: str | None = None, **keywords: Any) -> Any:
        return async_engine(url or self.url, self.library, **keywords)
