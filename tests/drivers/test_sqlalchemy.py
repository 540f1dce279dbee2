"""The conformance suite on SQLAlchemy's sync engines: every handle over every library."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import psycopg
import sqlmodel
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from riverqueue.testing.conformance import DriverConformance
from riverqueue_sqlalchemy import Driver
from tests.drivers.support import NOWHERE, SCARCE, Listening
from tests.support.server import sqlalchemy_url


class _Sqlalchemy(Listening, DriverConformance):
    date_styles = False  # both libraries read datetimes as text
    library: str

    @contextmanager
    def engine(self, url: str | None = None, **settings: Any) -> Generator[Engine]:
        engine = create_engine(sqlalchemy_url(url or self.url, self.library), **settings)
        try:
            yield engine
        finally:
            engine.dispose()

    @contextmanager
    def refused(self, driver: Driver[Any]) -> Generator[list[Any]]:
        with self.engine() as engine, psycopg.connect(self.url) as raw:
            with engine.connect() as closed:
                pass
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as autocommit:
                yield [driver, engine, sessionmaker(engine), closed, autocommit, AsyncSession(), raw]


class _Engine(_Sqlalchemy):
    @contextmanager
    def driver(self) -> Generator[Driver[Connection]]:
        with self.engine() as engine:
            yield Driver(engine)

    @contextmanager
    def scarce(self, seconds: float) -> Generator[Driver[Connection]]:
        with self.engine(**SCARCE, pool_timeout=seconds) as engine:
            yield Driver(engine)

    @contextmanager
    def unreachable(self) -> Generator[Driver[Connection]]:
        with self.engine(NOWHERE) as engine:
            yield Driver(engine)


class _EngineAndSession(_Engine):
    """What most programs have: a driver for the engine, and a session a request."""

    @contextmanager
    def transaction(self, driver: Any) -> Generator[Session]:
        with Session(driver._source) as session:
            yield session
            session.commit()


class _Connection(_Sqlalchemy):
    @contextmanager
    def driver(self) -> Generator[Driver[Connection]]:
        with self.engine() as engine, engine.connect() as connection:
            yield Driver(connection)


class _Session(_Sqlalchemy):
    session_class: type[Session] = Session

    @contextmanager
    def driver(self) -> Generator[Driver[Session]]:
        with self.engine() as engine, self.session_class(engine) as session:
            yield Driver(session)


class _Sessionmaker(_Sqlalchemy):
    @contextmanager
    def driver(self) -> Generator[Driver[Session]]:
        with self.engine() as engine:
            yield Driver(sessionmaker(engine))

    @contextmanager
    def scarce(self, seconds: float) -> Generator[Driver[Session]]:
        with self.engine(**SCARCE, pool_timeout=seconds) as engine:
            yield Driver(sessionmaker(engine))

    @contextmanager
    def unreachable(self) -> Generator[Driver[Session]]:
        with self.engine(NOWHERE) as engine:
            yield Driver(sessionmaker(engine))


class _ScopedSession(_Sqlalchemy):
    @contextmanager
    def driver(self) -> Generator[Driver[Session]]:
        with self.engine() as engine:
            sessions = scoped_session(sessionmaker(engine))
            try:
                yield Driver(sessions)
            finally:
                sessions.remove()


class TestSqlalchemyEnginePsycopg(_Engine):
    library = "psycopg"


class TestSqlalchemyEnginePsycopg2(_Engine):
    library = "psycopg2"


class TestSqlalchemyEngineAndSessionPsycopg(_EngineAndSession):
    library = "psycopg"


class TestSqlalchemyEngineAndSessionPsycopg2(_EngineAndSession):
    library = "psycopg2"


class TestSqlalchemyConnectionPsycopg(_Connection):
    library = "psycopg"


class TestSqlalchemyConnectionPsycopg2(_Connection):
    library = "psycopg2"


class TestSqlalchemySessionPsycopg(_Session):
    library = "psycopg"


class TestSqlalchemySessionPsycopg2(_Session):
    library = "psycopg2"


class TestSqlalchemySessionmakerPsycopg(_Sessionmaker):
    library = "psycopg"


class TestSqlalchemySessionmakerPsycopg2(_Sessionmaker):
    library = "psycopg2"


class TestSqlalchemyScopedSessionPsycopg(_ScopedSession):
    library = "psycopg"


class TestSqlalchemyScopedSessionPsycopg2(_ScopedSession):
    library = "psycopg2"


class TestSqlmodelSessionPsycopg(_Session):
    library = "psycopg"
    session_class = sqlmodel.Session
