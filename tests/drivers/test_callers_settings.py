"""The caller's settings must not matter: not those of the library, and not those of the session."""

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
import psycopg2.extras
import pytest
from psycopg import rows
from psycopg.adapt import Dumper, Loader
from psycopg.types.json import set_json_dumps, set_json_loads
from sqlalchemy import Connection, Engine, NullPool, StaticPool, create_engine, event, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

from riverqueue import (
    AsyncClient,
    Client,
    DictArgs,
    InsertManyParams,
    InsertOpts,
    InsertResult,
    UnavailableError,
    UniqueOpts,
)
from riverqueue.testing.conformance.expect import Undo, raises
from riverqueue_psycopg import AsyncDriver as AsyncPsycopgDriver
from riverqueue_psycopg import Driver as PsycopgDriver
from riverqueue_sqlalchemy import AsyncDriver, Driver
from tests.support.server import sqlalchemy_url, url_for

ARGS = DictArgs("sort", {"text": 'back\\slash, it\'s 5 % of "x" :y $1', "list": [1, None, 1.5]})
OPTS = InsertOpts(
    metadata={"nested": {"a": [True]}},
    scheduled_at=datetime(2027, 2, 3, 4, 5, 6, 789_012, tzinfo=UTC),
    tags=["one", "two"],
    unique_opts=UniqueOpts(by_args=True),
)


def check_results(first: InsertResult, again: InsertResult, many: list[InsertResult], count: int) -> None:
    assert (first.unique_skipped_as_duplicated, again.unique_skipped_as_duplicated) == (False, True)
    assert again.job == first.job == many[1].job
    assert [result.unique_skipped_as_duplicated for result in many] == [False, True]
    assert (first.job.args, first.job.metadata, first.job.tags) == (ARGS.args, OPTS.metadata, OPTS.tags)
    assert first.job.scheduled_at == OPTS.scheduled_at
    assert len(first.job.unique_key or b"") == 32
    assert (type(first.job.id), type(first.job.kind), type(first.job.created_at)) == (int, str, datetime)
    assert count == 2


def check(client: Client[Any, Any], tx: Any, savepoint: bool = True) -> None:
    many = [InsertManyParams(ARGS), InsertManyParams(ARGS, OPTS)]
    first, again = (
        client.insert(ARGS, OPTS, tx=tx),
        client.insert(ARGS, OPTS, tx=tx, savepoint=savepoint and tx is not None),
    )
    check_results(first, again, client.insert_many(many, tx=tx), client.insert_many_fast([ARGS, ARGS], tx=tx))


async def check_async(client: AsyncClient[Any, Any], tx: Any, savepoint: bool = True) -> None:
    many = [InsertManyParams(ARGS), InsertManyParams(ARGS, OPTS)]
    first = await client.insert(ARGS, OPTS, tx=tx)
    again = await client.insert(ARGS, OPTS, tx=tx, savepoint=savepoint and tx is not None)
    count = await client.insert_many_fast([ARGS, ARGS], tx=tx)
    check_results(first, again, await client.insert_many(many, tx=tx), count)


def count(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM river_job").fetchone()
        return row[0] if row else -1


# --- The session, whatever the library ---

SESSIONS = {
    "TimeZone": "Asia/Kathmandu",
    "standard_conforming_strings": "off",
    "bytea_output": "escape",
    "client_encoding": "LATIN1",
    "extra_float_digits": "-15",
    "IntervalStyle": "postgres_verbose",
    "default_transaction_isolation": "serializable",
    "xmloption": "document",
}
LIBRARIES = ["psycopg", "sqlalchemy-psycopg", "sqlalchemy-psycopg2"]


def set_for_database(url: str, name: str, value: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE \"{connection.info.dbname}\" SET {name} TO '{value}'".encode())


@contextmanager
def sync_driver(library: str, url: str) -> Generator[Any]:
    if library == "psycopg":
        with PsycopgDriver(url) as driver:
            yield driver
    else:
        with engine(url, library.removeprefix("sqlalchemy-")) as made:
            yield Driver(made)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("name", SESSIONS)
def test_session(database_url: str, library: str, name: str) -> None:
    set_for_database(database_url, name, SESSIONS[name])
    with sync_driver(library, database_url) as driver:
        client = Client(driver)
        with client.transaction() as tx:
            check(client, tx)
        assert client.insert(ARGS, OPTS).unique_skipped_as_duplicated


@pytest.mark.parametrize("style", ["German", "SQL, DMY", "Postgres, YMD"])
@pytest.mark.parametrize("library", ["psycopg", "asyncpg"])
async def test_date_style(database_url: str, library: str, style: str) -> None:
    set_for_database(database_url, "DateStyle", style)
    if library == "psycopg":
        with PsycopgDriver(database_url) as driver, Client(driver).transaction() as tx:
            check(Client(driver), tx)
    else:
        async with async_engine(database_url) as made, AsyncClient(AsyncDriver(made)).transaction() as tx:
            await check_async(AsyncClient(AsyncDriver(made)), tx)


# --- psycopg ---


class Broken(Loader):
    """What a caller may have registered for a type: nothing River could use."""

    def load(self, _: Any) -> Any:
        return "broken"


class BrokenDumper(Dumper):
    def dump(self, _: Any) -> bytes:
        return b"broken"


def broken_adapters(connection: psycopg.Connection[Any]) -> None:
    for name in ("text", "int8", "int4", "int2", "bool", "timestamptz", "json", "jsonb", "bytea", 1009):
        connection.adapters.register_loader(name, Broken)
    for cls in (str, int, datetime, list):
        connection.adapters.register_dumper(cls, BrokenDumper)


def broken_json(connection: psycopg.Connection[Any]) -> None:
    set_json_loads(lambda _: "broken", connection)
    set_json_dumps(lambda _: "broken", connection)


def settings(**attributes: Any) -> Callable[[psycopg.Connection[Any]], None]:
    def apply(connection: psycopg.Connection[Any]) -> None:
        for name, value in attributes.items():
            setattr(connection, name, value)

    return apply


class BinaryCursor(psycopg.Cursor[Any]):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.format = psycopg.pq.Format.BINARY


PSYCOPG = {
    "dict_row": settings(row_factory=rows.dict_row),
    "namedtuple_row": settings(row_factory=rows.namedtuple_row),
    "scalar_row": settings(row_factory=rows.scalar_row),
    "args_row": settings(row_factory=rows.args_row(lambda *_: None)),
    "client_cursor": settings(cursor_factory=psycopg.ClientCursor),
    "raw_cursor": settings(cursor_factory=psycopg.RawCursor),
    "binary_cursor": settings(cursor_factory=BinaryCursor),
    "raw_server_cursor": settings(server_cursor_factory=psycopg.RawServerCursor),
    "never_prepared": settings(prepare_threshold=None),
    "prepared_at_once": settings(prepare_threshold=0),
    "serializable": settings(isolation_level=psycopg.IsolationLevel.SERIALIZABLE),
    "repeatable_read": settings(isolation_level=psycopg.IsolationLevel.REPEATABLE_READ),
    "broken_adapters": broken_adapters,
    "broken_json": broken_json,
}


@pytest.mark.parametrize("name", PSYCOPG)
def test_psycopg(database_url: str, name: str) -> None:
    with psycopg.connect(database_url) as tx:
        PSYCOPG[name](tx)
        check(Client(PsycopgDriver(tx)), tx)
    assert count(database_url) == 4


@pytest.mark.parametrize("name", ["dict_row", "binary_cursor", "broken_adapters", "never_prepared", "prepared_at_once"])
async def test_psycopg_async(database_url: str, name: str) -> None:
    async with await psycopg.AsyncConnection.connect(database_url) as tx:
        if name == "binary_cursor":
            tx.cursor_factory = psycopg.AsyncClientCursor
        else:
            PSYCOPG[name](tx)  # type: ignore[arg-type]
        await check_async(AsyncClient(AsyncPsycopgDriver(tx)), tx)
    assert count(database_url) == 4


def test_psycopg_autocommit_in_a_transaction(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        with connection.transaction(force_rollback=True) as transaction:
            check(Client(PsycopgDriver(connection)), transaction.connection)
        assert count(database_url) == 0
        check(Client(PsycopgDriver(connection)), None)  # each in a transaction of its own
        assert count(database_url) == 4
        assert connection.autocommit


def test_psycopg_pipeline(database_url: str) -> None:
    with psycopg.connect(database_url) as tx, tx.pipeline():
        tx.execute("SELECT 1")
        client = Client(PsycopgDriver(tx))
        assert client.insert(ARGS, OPTS, tx=tx, savepoint=True).job.args == ARGS.args
        assert [result.unique_skipped_as_duplicated for result in client.insert_many([ARGS, ARGS], tx=tx)] == [
            False
        ] * 2
    assert count(database_url) == 3


def test_psycopg_two_phase(database_url: str) -> None:
    """PostgreSQL prepares no transaction that has notified, so none is: workers find the jobs by polling."""
    with psycopg.connect(database_url) as tx:
        tx.tpc_begin(tx.xid(1, "river", "test"))
        client = Client(PsycopgDriver(tx))
        client.insert(ARGS, tx=tx)
        client.insert_many_fast([ARGS, InsertManyParams(ARGS, InsertOpts(pending=True))], tx=tx)
        tx.tpc_prepare()
        assert count(database_url) == 0
        tx.tpc_commit()
    assert count(database_url) == 3


def test_psycopg_keeps_the_settings_of_a_bound_connection(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        client = Client(PsycopgDriver(connection))
        with client.transaction(isolation_level="SERIALIZABLE", read_only=False) as tx:
            client.insert(ARGS, tx=tx)
        assert (connection.isolation_level, connection.read_only) == (psycopg.IsolationLevel.REPEATABLE_READ, None)


# --- SQLAlchemy ---


@contextmanager
def engine(url: str, library: str = "psycopg", **keywords: Any) -> Generator[Engine]:
    made = create_engine(sqlalchemy_url(url, library), **keywords)
    try:
        yield made
    finally:
        made.dispose()


@asynccontextmanager
async def async_engine(url: str, library: str = "asyncpg", **keywords: Any) -> AsyncGenerator[Any]:
    made = create_async_engine(sqlalchemy_url(url, library), **keywords)
    try:
        yield made
    finally:
        await made.dispose()


@pytest.mark.parametrize("library", ["asyncpg", "psycopg"])
async def test_sqlalchemy_unknown_database(server_url: str, library: str) -> None:
    async with async_engine(url_for(server_url, "nonexistent"), library) as made:
        for source in (made, async_sessionmaker(made)):
            client = AsyncClient(AsyncDriver(source))
            with raises(UnavailableError):
                await client.insert(ARGS)
            with raises(UnavailableError):
                await client.insert_many_fast([ARGS])


def broken(_: Any) -> Any:
    raise AssertionError("River's values do not pass here")


ENGINES: dict[str, dict[str, Any]] = {
    "echo": {"echo": True},
    "hidden_parameters": {"hide_parameters": True},
    "json": {"json_serializer": broken, "json_deserializer": broken},
    "null_pool": {"poolclass": NullPool},
    "static_pool": {"poolclass": StaticPool},
    "pre_ping": {"pool_pre_ping": True},
    "no_reset": {"pool_reset_on_return": None},
    "small_pool": {"pool_size": 1, "max_overflow": 0},
    "no_cache": {"query_cache_size": 0},
    "repeatable_read": {"isolation_level": "REPEATABLE READ"},
    "serializable": {"isolation_level": "SERIALIZABLE"},
    "autocommit": {"isolation_level": "AUTOCOMMIT"},
    "no_insertmanyvalues": {"use_insertmanyvalues": False},
    "insertmanyvalues_page": {"insertmanyvalues_page_size": 1},
    "schema_translate_map": {"execution_options": {"schema_translate_map": {None: "elsewhere", "public": "elsewhere"}}},
    "stream_results": {"execution_options": {"stream_results": True}},
    "yield_per": {"execution_options": {"yield_per": 1}},
    "autocommit_option": {"execution_options": {"isolation_level": "AUTOCOMMIT"}},
    "format": {"paramstyle": "format"},
}
NO_SAVEPOINTS = {"stream_results", "yield_per"}  # of SQLAlchemy itself: it would declare a cursor for SAVEPOINT
BY_LIBRARY: dict[str, dict[str, dict[str, Any]]] = {
    "psycopg": {
        "never_prepared": {"connect_args": {"prepare_threshold": None}},
        "prepared_at_once": {"connect_args": {"prepare_threshold": 0}},
    },
    "psycopg2": {
        "values_plus_batch": {"executemany_mode": "values_plus_batch"},
        "dict_cursor": {"connect_args": {"cursor_factory": psycopg2.extras.DictCursor}},
        "namedtuple_cursor": {"connect_args": {"cursor_factory": psycopg2.extras.NamedTupleCursor}},
        "latin1": {"client_encoding": "LATIN1"},
    },
}


@pytest.mark.parametrize(
    ("library", "name"), [(library, name) for library in BY_LIBRARY for name in [*ENGINES, *BY_LIBRARY[library]]]
)
def test_sqlalchemy_engine(database_url: str, library: str, name: str) -> None:
    keywords = ENGINES.get(name) or BY_LIBRARY[library][name]
    with engine(database_url, library, **keywords) as made:
        client = Client(Driver(made))
        with raises(Undo), client.transaction() as tx:
            check(client, tx, savepoint=name not in NO_SAVEPOINTS)
            raise Undo
        assert count(database_url) == 0
        check(client, None)
        sessions = sessionmaker(made)
        with Client(Driver(sessions)).transaction() as session:
            assert client.insert(ARGS, OPTS, tx=session).unique_skipped_as_duplicated
        check_again = Client(Driver(sessions)).insert(ARGS, OPTS)
        assert check_again.unique_skipped_as_duplicated
    assert count(database_url) == 4


ASYNCPG: dict[str, dict[str, Any]] = {
    **{name: ENGINES[name] for name in ("echo", "json", "null_pool", "autocommit", "serializable", "stream_results")},
    "no_statement_cache": {"connect_args": {"statement_cache_size": 0, "prepared_statement_cache_size": 0}},
    "server_settings": {"connect_args": {"server_settings": {"jit": "off", "timezone": "Asia/Tokyo"}}},
    "yield_per": ENGINES["yield_per"],
}


@pytest.mark.parametrize("name", ASYNCPG)
async def test_sqlalchemy_asyncpg(database_url: str, name: str) -> None:
    async with async_engine(database_url, **ASYNCPG[name]) as made:
        client = AsyncClient(AsyncDriver(made))
        with raises(Undo):
            async with client.transaction() as tx:
                await check_async(client, tx, savepoint=name not in NO_SAVEPOINTS)
                raise Undo
        assert count(database_url) == 0
        await check_async(client, None)
        async with AsyncClient(AsyncDriver(async_sessionmaker(made))).transaction() as session:
            assert (await client.insert(ARGS, OPTS, tx=session)).unique_skipped_as_duplicated
    assert count(database_url) == 4


def test_sqlalchemy_broken_adapters(database_url: str) -> None:
    """Inward at least: what comes out of SQLAlchemy's own cursor has gone through the caller's loaders."""
    with engine(database_url) as made:

        @event.listens_for(made, "connect")
        def connect(connection: Any, _: Any) -> None:
            broken_json(connection.driver_connection if hasattr(connection, "driver_connection") else connection)

        with made.begin() as tx:
            check(Client(Driver(made)), tx)


SESSION_KEYWORDS: dict[str, dict[str, Any]] = {
    "no_autoflush": {"autoflush": False},
    "no_autobegin": {"autobegin": False},
    "expiring": {"expire_on_commit": False},
}


@pytest.mark.parametrize("name", SESSION_KEYWORDS)
@pytest.mark.parametrize("library", BY_LIBRARY)
def test_sqlalchemy_session(database_url: str, library: str, name: str) -> None:
    with engine(database_url, library) as made:
        client = Client(Driver(made))
        with Session(made, **SESSION_KEYWORDS[name]) as session, session.begin():
            check(client, session)
        with Session(made, **SESSION_KEYWORDS[name]) as session, session.begin():
            client.insert(ARGS, tx=session)
            session.rollback()
        with Client(Driver(sessionmaker(made, **SESSION_KEYWORDS[name]))).transaction() as session:
            client.insert(ARGS, tx=session)
    assert count(database_url) == 5


@pytest.mark.parametrize("library", BY_LIBRARY)
def test_sqlalchemy_two_phase(database_url: str, library: str) -> None:
    """PostgreSQL prepares no transaction that has notified; jobs that are not available do not notify."""
    with engine(database_url, library) as made:
        client = Client(Driver(made))
        with made.connect() as tx:
            transaction = tx.begin_twophase()
            client.insert(ARGS, tx=tx)
            transaction.prepare()
            assert count(database_url) == 0
            transaction.commit()
            assert count(database_url) == 1
        with Session(made, twophase=True) as session:
            client.insert_many_fast([ARGS], tx=session)
            session.commit()
        with Client(Driver(sessionmaker(made, twophase=True))).transaction() as session:
            client.insert(ARGS, tx=session)
    assert count(database_url) == 3


@pytest.mark.parametrize("library", BY_LIBRARY)
def test_sqlalchemy_nested(database_url: str, library: str) -> None:
    with engine(database_url, library) as made, Session(made) as session, session.begin():
        client = Client(Driver(made))
        with raises(Undo), session.begin_nested():
            client.insert(ARGS, tx=session)
            raise Undo
        with session.begin_nested(), session.begin_nested():
            client.insert(ARGS, tx=session)
    assert count(database_url) == 1


@pytest.mark.parametrize("mode", ["conditional_savepoint", "rollback_only", "control_fully", "create_savepoint"])
def test_sqlalchemy_sessions_on_one_connection(database_url: str, mode: Any) -> None:
    """As tests do it: every session in one transaction, rolled back in the end."""
    with engine(database_url) as made, made.connect() as connection:
        outer = connection.begin()
        sessions = sessionmaker(connection, join_transaction_mode=mode)
        client = Client(Driver(sessions))
        with sessions() as session:
            client.insert(ARGS, tx=session)
        client.insert(ARGS)
        client.insert_many_fast([ARGS])
        if outer.is_active:
            outer.rollback()
    assert count(database_url) == (2 if mode == "control_fully" else 0)


def test_sqlalchemy_keeps_the_options_of_a_bound_connection(database_url: str) -> None:
    with engine(database_url) as made, made.connect() as connection:
        connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=False)
        client = Client(Driver(connection))
        with client.transaction(isolation_level="SERIALIZABLE", read_only=True) as tx:
            assert level(tx) == "serializable"
        with connection.begin():
            assert level(connection) == "repeatable read"
            client.insert(ARGS)
    assert count(database_url) == 1


def level(connection: Connection) -> str:
    return str(connection.execute(text("SHOW transaction_isolation")).scalar())


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)


@pytest.mark.parametrize("library", BY_LIBRARY)
def test_sqlalchemy_pending_objects_are_flushed_first(database_url: str, library: str) -> None:
    with engine(database_url, library) as made:
        Base.metadata.create_all(made)
        with Session(made, autoflush=False) as session, session.begin():
            order = Order()
            session.add(order)
            result = Client(Driver(made)).insert(lambda: DictArgs("ship", {"order": order.id}), tx=session)
        assert result.job.args["order"] > 0


async def test_sqlalchemy_pending_objects_are_flushed_first_async(database_url: str) -> None:
    async with async_engine(database_url) as made:
        async with made.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        async with AsyncSession(made) as session, session.begin():
            order = Order()
            session.add(order)
            client = AsyncClient(AsyncDriver(made))
            result = await client.insert(lambda: DictArgs("ship", {"order": order.id}), tx=session)
        assert result.job.args["order"] > 0


def test_sqlalchemy_several_binds(database_url: str, fresh_database_url: str) -> None:
    with ExitStack() as stack:
        jobs, other = (stack.enter_context(engine(url)) for url in (database_url, fresh_database_url))
        sessions = sessionmaker(binds={Order: other})
        client = Client(Driver(sessions, bind_arguments={"bind": jobs}))
        with client.transaction() as session:
            check(client, session)
        client.insert(ARGS)
        session = stack.enter_context(Session(other))
        Client(Driver(session, bind_arguments={"bind": jobs})).insert(ARGS)
        session.commit()
    assert (count(database_url), count(fresh_database_url)) == (6, 0)
