"""The async driver for SQLAlchemy."""

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from io import BytesIO
from typing import Any, Generic, TypeAlias, TypeVar, overload

from sqlalchemy import Connection, Engine, exc
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    AsyncSession,
    async_scoped_session,
    async_sessionmaker,
)

from riverqueue.driver import AsyncListener, BoundParams, CopyTarget, Row, TransactionOptions
from riverqueue.errors import ConfigurationError, TransactionError
from riverqueue.sql import Paramstyle
from riverqueue_sqlalchemy import driver as sync
from riverqueue_sqlalchemy.handles import (
    begin_on,
    check_connection,
    check_not_aborted,
    connection_of,
    end_on,
    isolation_of,
    options_of,
    reaching,
    style_of,
    translated,
)

AsyncTx: TypeAlias = AsyncConnection | AsyncSession | async_scoped_session[Any]
AsyncSource: TypeAlias = (
    AsyncEngine | AsyncConnection | AsyncSession | async_sessionmaker[Any] | async_scoped_session[Any]
)
BeginT = TypeVar("BeginT", bound=AsyncConnection | AsyncSession)


class AsyncExecutor:
    """One SQLAlchemy connection in a transaction: the sync executor, run as SQLAlchemy runs sync code."""

    __slots__ = ("_connection",)

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    @property
    def notifies(self) -> bool:
        """Whether its transaction may notify: not one that is to be prepared for a two-phase commit."""
        return sync.Executor(self._connection.sync_connection).notifies  # type: ignore[arg-type]

    async def fetch(self, sql: str, params: BoundParams) -> Sequence[Row]:
        """Run one statement and return all its rows."""
        return await self._connection.run_sync(_fetch, sql, params)

    def savepoint(self) -> AbstractAsyncContextManager[Any]:
        """Keep what goes wrong inside the block from the transaction around it."""
        return self._connection.begin_nested()

    async def copy(self, target: CopyTarget, data: Iterable[bytes]) -> int:
        """Copy binary rows into a table and return how many."""
        raw = await self._connection.get_raw_connection()
        library: Any = raw.driver_connection
        if hasattr(library, "copy_to_table"):
            if not library.is_in_transaction():
                # SQLAlchemy begins asyncpg's transaction with the first statement it sees itself.
                await self._connection.exec_driver_sql("SELECT 1", None, sync.PLAIN)
            copied = _copy_asyncpg(library, target, data)
        else:
            copied = _copy_psycopg(library, target, data)
        try:
            return await copied
        except Exception as error:
            raised = _translated(error, target.sql, raw.dbapi_connection, self._connection)
            if raised is error:
                raise
            raise raised from error


def _fetch(connection: Connection, sql: str, params: BoundParams) -> Sequence[Row]:
    return sync.Executor(connection).fetch(sql, params)


async def _copy_asyncpg(library: Any, target: CopyTarget, data: Iterable[bytes]) -> int:
    status: str = await library.copy_to_table(
        target.table,
        source=BytesIO(b"".join(data)),
        columns=target.columns,
        schema_name=target.schema,
        format="binary",
    )
    return int(status.removeprefix("COPY "))


async def _copy_psycopg(library: Any, target: CopyTarget, data: Iterable[bytes]) -> int:
    async with library.cursor() as cursor:
        async with cursor.copy(target.sql) as copy:
            for piece in data:
                await copy.write(piece)
        return cursor.rowcount  # type: ignore[no-any-return]


def _translated(error: Exception, sql: str, adapter: Any, connection: AsyncConnection) -> BaseException:
    """Wrap an error of the library's as SQLAlchemy would, had it run the statement itself."""
    try:
        adapter._handle_exception(error)  # asyncpg's adapter makes a DBAPI error of it
    except AttributeError:
        pass
    except Exception as adapted:
        error = adapted
    return translated(error, sql, connection.sync_connection)  # type: ignore[arg-type]


class AsyncDriver(Generic[BeginT]):
    """Inserts jobs by SQLAlchemy on an event loop.

    Parameters:
        source: An ``AsyncEngine``, an ``async_sessionmaker``, or an ``AsyncConnection``, ``AsyncSession``
            or ``async_scoped_session`` of yours. From the latter three, inserts without ``tx`` run in
            its own transaction.
        bind_arguments: For sessions with several binds: which one has River's tables, as
            ``AsyncSession.connection(bind_arguments=…)`` takes them.

    Raises:
        ConfigurationError: if `source` is none of them, or not PostgreSQL.
    """

    @overload
    def __init__(
        self: "AsyncDriver[AsyncConnection]",
        source: AsyncEngine | AsyncConnection,
        *,
        bind_arguments: None = None,
    ) -> None: ...
    @overload
    def __init__(
        self: "AsyncDriver[AsyncSession]",
        source: AsyncSession | async_sessionmaker[Any] | async_scoped_session[Any],
        *,
        bind_arguments: Mapping[str, Any] | None = None,
    ) -> None: ...
    def __init__(self, source: AsyncSource, *, bind_arguments: Mapping[str, Any] | None = None) -> None:
        if not isinstance(
            source, AsyncEngine | AsyncConnection | AsyncSession | async_sessionmaker | async_scoped_session
        ):
            raise ConfigurationError(_wrong_source(source))
        self._source = source
        self._bind_arguments = bind_arguments
        self._style: Paramstyle | None = (
            None if not isinstance(source, AsyncEngine | AsyncConnection) else style_of(source.dialect)
        )

    @property
    def style(self) -> Paramstyle:
        """How the engine's library marks parameters."""
        if self._style is None:
            self._style = style_of(self._bind().dialect)
        return self._style

    @property
    def copies(self) -> bool:
        """Whether its executors can copy."""
        return True

    @property
    def bound(self) -> bool:
        """Whether it was made from the caller's own connection or session."""
        if isinstance(self._source, AsyncSession | async_scoped_session):
            return True
        # A sessionmaker may make sessions on one connection: tests do, to undo everything in the end.
        return not isinstance(self._bind(), Engine)

    async def unwrap(self, tx: AsyncTx, /) -> AsyncExecutor:
        """Find the executor in the caller's transaction; a session's pending objects are flushed."""
        if isinstance(tx, AsyncConnection):
            if tx.sync_connection is None:
                raise TransactionError("tx is an AsyncConnection that was not started; use `async with` or await it")
            check_connection(tx.sync_connection)
            return AsyncExecutor(tx)
        if not isinstance(tx, AsyncSession | async_scoped_session):
            raise TransactionError(_wrong_type(tx))
        session: AsyncSession = tx() if isinstance(tx, async_scoped_session) else tx
        # The check flushes, which is SQLAlchemy's to do in its own way of running sync code.
        connection = await session.run_sync(connection_of, self._bind_arguments)
        return AsyncExecutor(AsyncConnection(AsyncEngine(connection.engine), connection))

    @asynccontextmanager
    async def begin(self, options: TransactionOptions) -> AsyncGenerator[BeginT]:
        """Open a transaction, ended with the block."""
        source: Any = self._source
        if isinstance(source, AsyncEngine):
            async with _connect(source, options_of(options, source.sync_engine)) as tx, tx.begin() as transaction:
                await _deny(options, tx)
                yield tx
                if transaction.is_active:  # its user may have ended it early
                    await tx.run_sync(check_not_aborted)
        elif isinstance(source, async_sessionmaker):
            execution_options = options_of(options, self._bind())
            async with source() as session, session.begin() as transaction:
                with reaching():
                    connection = await session.connection(dict(self._bind_arguments or {}), execution_options)
                await _deny(options, connection)
                yield session
                if transaction.is_active:
                    await connection.run_sync(check_not_aborted)
        else:
            handle = source() if isinstance(source, async_scoped_session) else source
            async with _within(handle, options, self._bind_arguments) as tx:
                yield tx

    @asynccontextmanager
    async def autocommit(self) -> AsyncGenerator[AsyncExecutor]:
        """Give an executor whose statements each commit by themselves."""
        source = self._source
        raw = source.sync_connection if isinstance(source, AsyncConnection) else None
        if raw is not None and isolation_of(raw) == "AUTOCOMMIT":
            yield AsyncExecutor(source)  # type: ignore[arg-type]
            return
        if isinstance(source, AsyncConnection | AsyncSession | async_scoped_session):
            yield await self.unwrap(source)
            return
        bind = self._bind()
        if isinstance(bind, Engine):
            async with _connect(AsyncEngine(bind), {"isolation_level": "AUTOCOMMIT"}) as connection:
                yield AsyncExecutor(connection)
        else:
            yield AsyncExecutor(AsyncConnection(AsyncEngine(bind.engine), bind))

    def listener(self) -> AbstractAsyncContextManager[AsyncListener]:
        """Open a connection to hear notifications on, one of the engine's but not of its pool."""
        from riverqueue_sqlalchemy.async_listener import listening

        bind = self._bind()
        return listening(bind if isinstance(bind, Engine) else bind.engine)

    def _bind(self) -> Engine | Connection:
        """Return the engine or connection that SQLAlchemy's async handles are a face of."""
        source = self._source
        if isinstance(source, AsyncEngine):
            return source.sync_engine
        if isinstance(source, AsyncConnection):
            return source.sync_connection or source.engine.sync_engine
        session: AsyncSession = source if isinstance(source, AsyncSession) else source()
        try:
            return session.get_bind(**(self._bind_arguments or {}))
        except exc.UnboundExecutionError as error:
            raise ConfigurationError(
                "the session has no engine for River's tables: give it a bind, or name one by "
                "AsyncDriver(source, bind_arguments={'bind': engine.sync_engine})"
            ) from error


@asynccontextmanager
async def _connect(engine: AsyncEngine, options: Mapping[str, Any]) -> AsyncGenerator[Any]:
    connection = engine.connect()
    with reaching():
        await connection.start()
    try:
        if options:
            await connection.execution_options(**options)
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def _within(
    source: Any, options: TransactionOptions, bind_arguments: Mapping[str, Any] | None
) -> AsyncGenerator[Any]:
    """Begin on the caller's own handle: a transaction if there is none, a savepoint otherwise."""
    changes = options_of(options, source.sync_connection if isinstance(source, AsyncConnection) else None)
    if source.in_transaction() and not changes:
        async with source.begin_nested():
            yield source
    elif source.in_transaction():
        raise ConfigurationError("the transaction has begun already: its isolation level cannot be changed any more")
    elif isinstance(source, AsyncConnection):
        before = await source.run_sync(begin_on, changes)
        try:
            async with source.begin() as transaction:
                await _deny(options, source)
                yield source
                if transaction.is_active:
                    await source.run_sync(check_not_aborted)
        finally:
            await source.run_sync(end_on, before)
    else:
        async with source.begin() as transaction:
            connection = await source.connection(dict(bind_arguments or {}), changes)
            await _deny(options, connection)
            yield source
            if transaction.is_active:
                await connection.run_sync(check_not_aborted)


async def _deny(options: TransactionOptions, connection: AsyncConnection) -> None:
    """Say what a transaction is not to be; SQLAlchemy's asyncpg would leave that to the session's defaults."""
    denied = [("READ WRITE", options.read_only), ("NOT DEFERRABLE", options.deferrable)]
    modes = [mode for mode, value in denied if value is False]
    if modes and connection.dialect.driver == "asyncpg":
        await connection.exec_driver_sql(f"SET TRANSACTION {', '.join(modes)}")


def _wrong_type(tx: object) -> str:
    name = f"{type(tx).__module__.split('.')[0]}.{type(tx).__name__}"
    if isinstance(tx, AsyncEngine):
        return f"tx is a {name}; pass a connection of it: `async with engine.begin() as tx:`"
    if isinstance(tx, async_sessionmaker):
        return f"tx is a {name}; pass a session of it: `async with Session.begin() as tx:`"
    if type(tx).__name__ in {"Connection", "Session", "scoped_session"}:
        return f"tx is a {name}, which AsyncClient cannot use; use Client with riverqueue_sqlalchemy.Driver"
    return f"tx must be a SQLAlchemy AsyncConnection, AsyncSession or async_scoped_session, not a {name}"


def _wrong_source(source: object) -> str:
    name = type(source).__name__
    if name in {"Engine", "Connection", "Session", "sessionmaker", "scoped_session"}:
        return f"AsyncDriver cannot use {name}; use riverqueue_sqlalchemy.Driver"
    if isinstance(source, str):
        return "AsyncDriver must be made from an AsyncEngine, not a URL: AsyncDriver(create_async_engine(url))"
    return (
        "AsyncDriver must be made from an AsyncEngine, async_sessionmaker, AsyncConnection, AsyncSession or "
        f"async_scoped_session, not {name}"
    )
