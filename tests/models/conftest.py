"""A session on each stack, and jobs for it to find."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias, TypeVar

import psycopg
import pytest
from riverqueue_migrations import upgrade
from sqlalchemy import Engine, NullPool, create_engine
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session
from sqlalchemy.schema import CreateSchema

import riverqueue_psycopg
from riverqueue import Client
from tests.support.schema import describe
from tests.support.server import sqlalchemy_url

T = TypeVar("T")
Work: TypeAlias = Callable[[Session], T]
InSession: TypeAlias = Callable[[Work[T]], T]
OnStack: TypeAlias = Callable[[str, Work[T]], T]

#: What renames all that it can in a metadata.
CONVENTION = {"ix": "ix_%(column_0_label)s", "ck": "ck_%(table_name)s_%(constraint_name)s", "pk": "pk_%(table_name)s"}

STACKS = ["psycopg", "psycopg2", "asyncpg", "psycopg-async"]


@pytest.fixture(params=STACKS)
def on_stack(request: pytest.FixtureRequest) -> OnStack[Any]:
    """What runs a function in a session on one stack, at a libpq URL, and commits."""
    library, _, is_async = request.param.partition("-")
    if is_async or library == "asyncpg":
        return lambda url, work: asyncio.run(_in_async_session(sqlalchemy_url(url, library), work))
    return lambda url, work: _in_session(sqlalchemy_url(url, library), work)


@pytest.fixture
def in_session(on_stack: OnStack[Any], database_url: str) -> InSession[Any]:
    """What runs a function in a session on one stack, and commits."""
    return partial(on_stack, database_url)


def _in_session(url: str, work: Work[T]) -> T:
    engine = create_engine(url)
    try:
        with Session(engine) as session, session.begin():
            return work(session)
    finally:
        engine.dispose()


async def _in_async_session(url: str, work: Work[T]) -> T:
    engine = create_async_engine(url)
    try:
        async with AsyncSession(engine) as session, session.begin():
            return await session.run_sync(work)
    finally:
        await engine.dispose()


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(sqlalchemy_url(database_url, "psycopg"))
    yield engine
    engine.dispose()


@pytest.fixture
def own_engine(fresh_database_url: str) -> Iterator[Engine]:
    """An engine on a database in which a test may move and drop River's tables."""
    engine = create_engine(sqlalchemy_url(fresh_database_url, "psycopg"))
    yield engine
    engine.dispose()


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection]:
    """A connection of psycopg's, to see and do what other programs do."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def client(database_url: str) -> Iterator[Client[Any, Any]]:
    with riverqueue_psycopg.Driver(database_url) as driver:
        yield Client(driver)


@dataclass(frozen=True)
class Migrated:
    """A database with River's tables in one schema only; None is the default."""

    url: str
    engine: Engine
    schema: str | None

    def describe(self) -> str:
        with psycopg.connect(self.url) as connection:
            return describe(connection, self.schema or "public")


@pytest.fixture
def database(request: pytest.FixtureRequest, empty_database_url: str) -> Iterator[Migrated]:
    """River's tables in the schema that a test names by an indirect parameter."""
    engine = create_engine(sqlalchemy_url(empty_database_url, "psycopg"), poolclass=NullPool)
    with engine.begin() as connection:
        if request.param:
            connection.execute(CreateSchema(request.param))
        upgrade(connection, schema=request.param)
    yield Migrated(empty_database_url, engine, request.param)
    engine.dispose()
