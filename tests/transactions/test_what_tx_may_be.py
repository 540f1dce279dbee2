from asyncio import current_task
from typing import Any

import psycopg
import pytest
import sqlmodel
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from psycopg_pool import AsyncConnectionPool, ConnectionPool
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, scoped_session, sessionmaker
from sqlmodel.ext.asyncio.session import AsyncSession as SqlmodelAsyncSession

import riverqueue_psycopg
import riverqueue_sqlalchemy
from riverqueue import AsyncClient, Client, DictArgs, TransactionError
from riverqueue.testing.conformance.sample import SORT
from tests.support.server import sqlalchemy_url
from tests.transactions.conftest import Database
from tests.transactions.stacks import PSYCOPG, SESSIONS, Stack, entered, settle


@pytest.mark.parametrize("library", ["psycopg", "psycopg2"])
async def test_each_handle_of_sqlalchemy(library: str, database_url: str, database: Database) -> None:
    engine = create_engine(sqlalchemy_url(database_url, library))
    client = Client(riverqueue_sqlalchemy.Driver(engine))
    sessions = scoped_session(sessionmaker(engine))
    handles: list[Any] = [engine.connect(), Session(engine), sessions, sqlmodel.Session(engine)]
    for tx in handles:
        client.insert(SORT, tx=tx)
        tx.rollback()
        client.insert(SORT, tx=tx)
        tx.commit()
        tx.close()
    engine.dispose()
    assert await database.kinds() == ["sort"] * len(handles)


@pytest.mark.parametrize("library", ["psycopg", "asyncpg"])
async def test_each_async_handle_of_sqlalchemy(library: str, database_url: str, database: Database) -> None:
    engine = create_async_engine(sqlalchemy_url(database_url, library))
    client = AsyncClient(riverqueue_sqlalchemy.AsyncDriver(engine))
    sessions = async_scoped_session(async_sessionmaker(engine), current_task)
    handles: list[Any] = [await engine.connect(), AsyncSession(engine), sessions, SqlmodelAsyncSession(engine)]
    for tx in handles:
        await client.insert(SORT, tx=tx)
        await tx.rollback()
        await client.insert(SORT, tx=tx)
        await tx.commit()
        await tx.close()
    await engine.dispose()
    assert await database.kinds() == ["sort"] * len(handles)


async def test_flask_sqlalchemys_session(database_url: str, database: Database) -> None:
    app, db = Flask("shop"), SQLAlchemy()
    app.config["SQLALCHEMY_DATABASE_URI"] = sqlalchemy_url(database_url, "psycopg")
    db.init_app(app)
    with app.app_context():
        client = Client(riverqueue_sqlalchemy.Driver(db.engine))
        client.insert(SORT, tx=db.session)
        db.session.rollback()
        client.insert(SORT, tx=db.session)
        db.session.commit()
        db.engine.dispose()
    assert await database.kinds() == ["sort"]


async def test_anything_else_is_refused_and_nothing_is_sent(stack: Stack, database_url: str) -> None:
    async with stack.idle() as closed:
        pass
    with psycopg.connect(database_url) as foreign:
        wrong = [stack.driver, "tx", 1, object()]
        if stack.name in PSYCOPG:
            cursor = closed.cursor()
            await settle(closed.close)
            pool = (ConnectionPool if stack.asynchronous else AsyncConnectionPool)(database_url, open=False)
            wrong += [closed, cursor, stack.pool, pool, database_url, Session()]
        else:
            other_colour = Session() if stack.asynchronous else AsyncSession()
            wrong += [stack.engine, stack.source, other_colour, foreign, *([] if stack.name in SESSIONS else [closed])]
        for tx in wrong:
            with pytest.raises(TransactionError, match=r"^tx (is|must be) a"):
                await stack.client.insert(_never, tx=tx)
            with pytest.raises(TransactionError, match=r"^tx (is|must be) a"):
                await stack.client.job_get(1, tx=tx)


def _never() -> Any:
    raise AssertionError("the args were evaluated before tx was looked at")


@pytest.mark.parametrize("stack", PSYCOPG, indirect=True)
async def test_psycopgs_connection_of_the_other_colour(stack: Stack, database_url: str) -> None:
    other = psycopg.Connection if stack.asynchronous else psycopg.AsyncConnection
    connection = await settle(other.connect, database_url)
    with pytest.raises(TransactionError, match="cannot use"):
        await stack.client.insert(_never, tx=connection)
    await settle(connection.close)


async def test_the_insert_may_be_what_begins_it_and_you_end_it(stack: Stack, database: Database) -> None:
    for savepoint in (False, True):
        async with stack.idle() as tx:
            await stack.client.insert(SORT, tx=tx, savepoint=savepoint)
            await settle(tx.rollback)
            await stack.client.insert(DictArgs(f"savepoint_{savepoint}", {}), tx=tx, savepoint=savepoint)
            assert "savepoint_True" not in await database.kinds()
            await settle(tx.commit)
    assert await database.kinds() == ["savepoint_False", "savepoint_True"]


async def test_autocommit_is_refused(stack: Stack, database_url: str, database: Database) -> None:
    if stack.name in PSYCOPG:
        library = psycopg.AsyncConnection if stack.asynchronous else psycopg.Connection
        async with entered(await settle(library.connect, database_url, autocommit=True)) as tx:
            with pytest.raises(TransactionError, match="autocommit .*would commit at once"):
                await stack.client.insert(SORT, tx=tx)
            async with entered(tx.transaction()):
                await stack.client.insert(DictArgs("inside", {}), tx=tx)
    else:
        async with stack.transaction(isolation_level="AUTOCOMMIT") as tx:
            with pytest.raises(TransactionError, match="AUTOCOMMIT: .*would commit at once"):
                await stack.client.insert(SORT, tx=tx)
        await stack.client.insert(DictArgs("inside", {}))
    assert await database.kinds() == ["inside"]


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)


@pytest.mark.parametrize("stack", SESSIONS, indirect=True)
async def test_a_session_is_flushed_before_the_job(stack: Stack) -> None:
    async with stack.undone() as session:
        (session.sync_session if stack.asynchronous else session).autoflush = False
        await settle(session.execute, text("CREATE TEMP TABLE orders (id serial PRIMARY KEY) ON COMMIT DROP"))
        order = Order()
        session.add(order)
        result = await stack.client.insert(lambda: DictArgs("ship", {"order_id": order.id}), tx=session)
        assert result.job.args == {"order_id": 1}
        assert await stack.sql(session, "SELECT id FROM orders") == [(1,)]


@pytest.mark.parametrize("stack", SESSIONS, indirect=True)
async def test_a_session_whose_flush_failed_is_refused(stack: Stack) -> None:
    async with stack.idle() as session:
        session.add(Order())  # there is no such table
        with pytest.raises(Exception, match="orders"):
            await settle(session.flush)
        with pytest.raises(TransactionError, match="roll it back"):
            await stack.client.insert(_never, tx=session)


@pytest.mark.parametrize("stack", PSYCOPG, indirect=True)
async def test_a_psycopg_connection_whose_transaction_failed_is_refused(stack: Stack) -> None:
    async with stack.idle() as connection:
        with pytest.raises(psycopg.errors.DivisionByZero):
            await settle(connection.execute, "SELECT 1 / 0")
        with pytest.raises(TransactionError, match="roll it back"):
            await stack.client.insert(_never, tx=connection)


async def test_a_drivers_own_connection_string_serves_beside(database_url: str, database: Database) -> None:
    with riverqueue_psycopg.Driver(database_url) as driver, psycopg.connect(database_url) as connection:
        Client(driver).insert(SORT, tx=connection)
    assert await database.kinds() == ["sort"]
