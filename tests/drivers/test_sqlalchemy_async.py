"""The conformance suite on SQLAlchemy's async engines: every handle over every library."""

from asyncio import current_task
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    AsyncSession,
    async_scoped_session,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import Session

from riverqueue.testing.conformance import AsyncDriverConformance
from riverqueue_sqlalchemy import AsyncDriver
from tests.drivers.support import NOWHERE, SCARCE, AsyncListening
from tests.support.server import sqlalchemy_url


class _Sqlalchemy(AsyncListening, AsyncDriverConformance):
    library: str

    @asynccontextmanager
    async def engine(self, url: str | None = None, **settings: Any) -> AsyncGenerator[AsyncEngine]:
        engine = create_async_engine(sqlalchemy_url(url or self.url, self.library), **settings)
        try:
            yield engine
        finally:
            await engine.dispose()

    @asynccontextmanager
    async def refused(self, driver: AsyncDriver[Any]) -> AsyncGenerator[list[Any]]:
        async with self.engine() as engine, await psycopg.AsyncConnection.connect(self.url) as raw:
            async with engine.connect() as closed:
                pass
            async with engine.connect() as autocommit:
                await autocommit.execution_options(isolation_level="AUTOCOMMIT")
                never_started = engine.connect()
                wrong = [closed, never_started, autocommit, Session(), raw, engine.sync_engine]
                yield [driver, engine, async_sessionmaker(engine), *wrong]


class _Engine(_Sqlalchemy):
    @asynccontextmanager
    async def driver(self) -> AsyncGenerator[AsyncDriver[AsyncConnection]]:
        async with self.engine() as engine:
            yield AsyncDriver(engine)

    @asynccontextmanager
    async def scarce(self, seconds: float) -> AsyncGenerator[AsyncDriver[AsyncConnection]]:
        async with self.engine(**SCARCE, pool_timeout=seconds) as engine:
            yield AsyncDriver(engine)

    @asynccontextmanager
    async def unreachable(self) -> AsyncGenerator[AsyncDriver[AsyncConnection]]:
        async with self.engine(NOWHERE) as engine:
            yield AsyncDriver(engine)


class _EngineAndSession(_Engine):
    """What most programs have: a driver for the engine, and a session a request."""

    @asynccontextmanager
    async def transaction(self, driver: Any) -> AsyncGenerator[AsyncSession]:
        async with AsyncSession(driver._source) as session:
            yield session
            await session.commit()


class _Connection(_Sqlalchemy):
    @asynccontextmanager
    async def driver(self) -> AsyncGenerator[AsyncDriver[AsyncConnection]]:
        async with self.engine() as engine, engine.connect() as connection:
            yield AsyncDriver(connection)


class _Session(_Sqlalchemy):
    @asynccontextmanager
    async def driver(self) -> AsyncGenerator[AsyncDriver[AsyncSession]]:
        async with self.engine() as engine, AsyncSession(engine) as session:
            yield AsyncDriver(session)


class _Sessionmaker(_Sqlalchemy):
    @asynccontextmanager
    async def driver(self) -> AsyncGenerator[AsyncDriver[AsyncSession]]:
        async with self.engine() as engine:
            yield AsyncDriver(async_sessionmaker(engine))

    @asynccontextmanager
    async def scarce(self, seconds: float) -> AsyncGenerator[AsyncDriver[AsyncSession]]:
        async with self.engine(**SCARCE, pool_timeout=seconds) as engine:
            yield AsyncDriver(async_sessionmaker(engine))

    @asynccontextmanager
    async def unreachable(self) -> AsyncGenerator[AsyncDriver[AsyncSession]]:
        async with self.engine(NOWHERE) as engine:
            yield AsyncDriver(async_sessionmaker(engine))


class _ScopedSession(_Sqlalchemy):
    @asynccontextmanager
    async def driver(self) -> AsyncGenerator[AsyncDriver[AsyncSession]]:
        async with self.engine() as engine:
            sessions = async_scoped_session(async_sessionmaker(engine), current_task)
            try:
                yield AsyncDriver(sessions)
            finally:
                await sessions.remove()


class _Asyncpg:
    library = "asyncpg"


class _Psycopg:
    library = "psycopg"
    date_styles = False  # read as text


class TestSqlalchemyAsyncEngineAsyncpg(_Asyncpg, _Engine):
    pass


class TestSqlalchemyAsyncEnginePsycopg(_Psycopg, _Engine):
    pass


class TestSqlalchemyAsyncEngineAndSessionAsyncpg(_Asyncpg, _EngineAndSession):
    pass


class TestSqlalchemyAsyncEngineAndSessionPsycopg(_Psycopg, _EngineAndSession):
    pass


class TestSqlalchemyAsyncConnectionAsyncpg(_Asyncpg, _Connection):
    pass


class TestSqlalchemyAsyncConnectionPsycopg(_Psycopg, _Connection):
    pass


class TestSqlalchemyAsyncSessionAsyncpg(_Asyncpg, _Session):
    pass


class TestSqlalchemyAsyncSessionPsycopg(_Psycopg, _Session):
    pass


class TestSqlalchemyAsyncSessionmakerAsyncpg(_Asyncpg, _Sessionmaker):
    pass


class TestSqlalchemyAsyncSessionmakerPsycopg(_Psycopg, _Sessionmaker):
    pass


class TestSqlalchemyAsyncScopedSessionAsyncpg(_Asyncpg, _ScopedSession):
    pass


class TestSqlalchemyAsyncScopedSessionPsycopg(_Psycopg, _ScopedSession):
    pass
