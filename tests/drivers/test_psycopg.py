"""The conformance suite on psycopg: connection, pool and connection string, sync and async."""

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from riverqueue.testing.conformance import AsyncDriverConformance, DriverConformance
from riverqueue_psycopg import AsyncDriver, Driver
from tests.drivers.support import NOWHERE, AsyncListening, Listening


class _Psycopg(Listening, DriverConformance):
    @contextmanager
    def refused(self, driver: Driver) -> Generator[list[Any]]:
        closed = psycopg.connect(self.url)
        closed.close()
        with psycopg.connect(self.url, autocommit=True) as autocommit, psycopg.connect(self.url) as failed:
            with suppress(psycopg.errors.DivisionByZero):
                failed.execute("SELECT 1 / 0")
            pool = ConnectionPool(self.url, open=False)
            yield [driver, closed, autocommit, failed, failed.cursor(), pool, self.url]
            failed.rollback()


class TestPsycopgConnection(_Psycopg):
    @contextmanager
    def driver(self) -> Generator[Driver]:
        with closing(psycopg.connect(self.url)) as connection:
            yield Driver(connection)


class TestPsycopgPool(_Psycopg):
    @contextmanager
    def driver(self) -> Generator[Driver]:
        with ConnectionPool(self.url, min_size=1, max_size=8) as pool:
            yield Driver(pool)

    @contextmanager
    def scarce(self, seconds: float) -> Generator[Driver]:
        with ConnectionPool(self.url, min_size=1, max_size=1, timeout=seconds) as pool:
            pool.wait()
            yield Driver(pool)

    @contextmanager
    def unreachable(self) -> Generator[Driver]:
        with ConnectionPool(NOWHERE, open=True, timeout=0.1) as pool:
            yield Driver(pool)


class TestPsycopgConninfo(_Psycopg):
    @contextmanager
    def driver(self) -> Generator[Driver]:
        with Driver(self.url) as driver:
            yield driver

    @contextmanager
    def transaction(self, _: Driver) -> Generator[psycopg.Connection]:
        with psycopg.connect(self.url) as connection:
            yield connection

    @contextmanager
    def unreachable(self) -> Generator[Driver]:
        with Driver(NOWHERE) as driver:
            yield driver


class _PsycopgAsync(AsyncListening, AsyncDriverConformance):
    @asynccontextmanager
    async def refused(self, driver: AsyncDriver) -> AsyncGenerator[list[Any]]:
        closed = await psycopg.AsyncConnection.connect(self.url)
        await closed.close()
        with psycopg.connect(self.url) as other_colour:
            async with await psycopg.AsyncConnection.connect(self.url, autocommit=True) as autocommit:
                pool = AsyncConnectionPool(self.url, open=False)
                yield [driver, closed, autocommit, autocommit.cursor(), other_colour, pool, self.url]


class TestPsycopgAsyncConnection(_PsycopgAsync):
    @asynccontextmanager
    async def driver(self) -> AsyncGenerator[AsyncDriver]:
        connection = await psycopg.AsyncConnection.connect(self.url)
        try:
            yield AsyncDriver(connection)
        finally:
            await connection.close()


class TestPsycopgAsyncPool(_PsycopgAsync):
    @asynccontextmanager
    async def driver(self) -> AsyncGenerator[AsyncDriver]:
        async with AsyncConnectionPool(self.url, min_size=1, max_size=8) as pool:
            yield AsyncDriver(pool)

    @asynccontextmanager
    async def scarce(self, seconds: float) -> AsyncGenerator[AsyncDriver]:
        async with AsyncConnectionPool(self.url, min_size=1, max_size=1, timeout=seconds) as pool:
            await pool.wait()
            yield AsyncDriver(pool)

    @asynccontextmanager
    async def unreachable(self) -> AsyncGenerator[AsyncDriver]:
        async with AsyncConnectionPool(NOWHERE, timeout=0.1) as pool:
            yield AsyncDriver(pool)


class TestPsycopgAsyncConninfo(_PsycopgAsync):
    @asynccontextmanager
    async def driver(self) -> AsyncGenerator[AsyncDriver]:
        async with AsyncDriver(self.url) as driver:
            yield driver

    @asynccontextmanager
    async def transaction(self, _: AsyncDriver) -> AsyncGenerator[psycopg.AsyncConnection]:
        async with await psycopg.AsyncConnection.connect(self.url) as connection:
            yield connection

    @asynccontextmanager
    async def unreachable(self) -> AsyncGenerator[AsyncDriver]:
        async with AsyncDriver(NOWHERE) as driver:
            yield driver
