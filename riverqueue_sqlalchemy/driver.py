"""The sync driver for SQLAlchemy."""

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar, overload

from sqlalchemy import Connection, Engine, exc
from sqlalchemy.engine import TwoPhaseTransaction

from riverqueue.driver import BoundParams, CopyTarget, Listener, Row, TransactionOptions
from riverqueue.errors import ConfigurationError
from riverqueue.sql import Paramstyle
from riverqueue_sqlalchemy.handles import (
    begin_on,
    check_not_aborted,
    connection_of,
    end_on,
    is_orm,
    is_watched,
    isolation_of,
    options_of,
    reaching,
    session_of,
    style_of,
    translated,
)

if TYPE_CHECKING:  # a program without the ORM does not import it
    from sqlalchemy.orm import Session, scoped_session, sessionmaker

Tx: TypeAlias = "Connection | Session | scoped_session[Any]"
Source: TypeAlias = "Engine | Connection | Session | sessionmaker[Any] | scoped_session[Any]"
BeginT = TypeVar("BeginT", bound="Connection | Session")

#: No server-side cursor, whatever the caller's options are: SQLAlchemy would buffer its rows for itself.
PLAIN = {"stream_results": False, "yield_per": None}


class Executor:
    """One SQLAlchemy connection in a transaction."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def notifies(self) -> bool:
        """Whether its transaction may notify: not one that is to be prepared for a two-phase commit."""
        return not isinstance(self._connection.get_transaction(), TwoPhaseTransaction)

    def fetch(self, sql: str, params: BoundParams) -> Sequence[Row]:
        """Run one statement and return all its rows."""
        if is_watched(self._connection):
            return self._fetch_watched(sql, params)
        with self._cursor(sql) as cursor:
            cursor.execute(sql, params)
            return cursor.fetchall() if cursor.description else []

    def _fetch_watched(self, sql: str, params: BoundParams) -> Sequence[Row]:
        # Events and echo see the statement. It costs more, most of that for describing the rows.
        values: Any = params
        result: Any = self._connection.exec_driver_sql(sql, values, PLAIN)
        rows: Sequence[Row] = result.cursor.fetchall() if result.returns_rows else []
        result.close()
        return rows

    def savepoint(self) -> AbstractContextManager[Any]:
        """Keep what goes wrong inside the block from the transaction around it."""
        return self._connection.begin_nested()

    def copy(self, target: CopyTarget, data: Iterable[bytes]) -> int:
        """Copy binary rows into a table and return how many."""
        with self._cursor(target.sql) as cursor:
            return _copy(cursor, target.sql, data)

    @contextmanager
    def _cursor(self, sql: str) -> Generator[Any]:
        """Give a cursor of the library's own, in the transaction as SQLAlchemy knows it."""
        connection = self._connection
        if not connection.in_transaction():
            connection.begin()
        cursor = None
        try:
            cursor = connection.connection.cursor()  # psycopg refuses one on a connection that was lost
            yield cursor
        except BaseException as error:
            raised = translated(error, sql, connection, cursor)
            if raised is error:
                raise
            raise raised from error
        finally:
            if cursor is not None and not connection.invalidated:
                cursor.close()


def _copy(cursor: Any, sql: str, data: Iterable[bytes]) -> int:
    if hasattr(cursor, "copy_expert"):  # psycopg2
        cursor.copy_expert(sql, BytesIO(b"".join(data)))
    else:
        with cursor.copy(sql) as copy:
            for piece in data:
                copy.write(piece)
    return cursor.rowcount  # type: ignore[no-any-return]


class Driver(Generic[BeginT]):
    """Inserts jobs by SQLAlchemy.

    Parameters:
        source: An ``Engine``, a ``sessionmaker``, or a ``Connection``, ``Session`` or ``scoped_session``
            of yours. From the latter three, inserts without ``tx`` run in its own transaction.
        bind_arguments: For sessions with several binds: which one has River's tables, as
            ``Session.connection(bind_arguments=…)`` takes them.

    Raises:
        ConfigurationError: if `source` is none of them, or not PostgreSQL.
    """

    @overload
    def __init__(self: "Driver[Connection]", source: Engine | Connection, *, bind_arguments: None = None) -> None: ...
    @overload
    def __init__(
        self: "Driver[Session]",
        source: "Session | sessionmaker[Any] | scoped_session[Any]",
        *,
        bind_arguments: Mapping[str, Any] | None = None,
    ) -> None: ...
    def __init__(self, source: Source, *, bind_arguments: Mapping[str, Any] | None = None) -> None:
        known = isinstance(source, Engine | Connection)
        if not known and not is_orm(source, "Session", "sessionmaker", "scoped_session"):
            raise ConfigurationError(_wrong_source(source))
        self._source = source
        self._bind_arguments = bind_arguments
        self._style: Paramstyle | None = (
            None if not isinstance(source, Engine | Connection) else style_of(source.dialect)
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
        # A sessionmaker may make sessions on one connection: tests do, to undo everything in the end.
        return is_orm(self._source, "Session", "scoped_session") or isinstance(self._bind(), Connection)

    def unwrap(self, tx: Tx, /) -> Executor:
        """Find the executor in the caller's transaction; a session's pending objects are flushed."""
        return Executor(connection_of(tx, self._bind_arguments))

    @contextmanager
    def begin(self, options: TransactionOptions) -> Generator[BeginT]:
        """Open a transaction, ended with the block."""
        source: Any = self._source
        if isinstance(source, Engine):
            with _connect(source, options_of(options, source)) as tx, tx.begin() as transaction:
                yield tx
                if transaction.is_active:  # its user may have ended it early
                    check_not_aborted(tx)
        elif is_orm(source, "sessionmaker"):
            execution_options = options_of(options, self._bind())
            with source() as session, session.begin() as transaction:
                with reaching():
                    connection = session.connection(dict(self._bind_arguments or {}), execution_options)
                yield session
                if transaction.is_active:
                    check_not_aborted(connection)
        else:
            handle = source() if is_orm(source, "scoped_session") else source
            with _within(handle, options, self._bind_arguments) as tx:
                yield tx

    @contextmanager
    def autocommit(self) -> Generator[Executor]:
        """Give an executor whose statements each commit by themselves."""
        source: Any = self._source
        if is_orm(source, "Session", "scoped_session"):
            yield self.unwrap(source)
            return
        bind = self._bind()
        if isinstance(bind, Engine):
            with _connect(bind, {"isolation_level": "AUTOCOMMIT"}) as connection:
                yield Executor(connection)
        else:
            yield Executor(bind) if isolation_of(bind) == "AUTOCOMMIT" else self.unwrap(bind)

    def listener(self) -> AbstractContextManager[Listener]:
        """Open a connection to hear notifications on, one of the engine's but not of its pool."""
        from riverqueue_sqlalchemy.listener import listening

        bind = self._bind()
        return listening(bind if isinstance(bind, Engine) else bind.engine)

    def _bind(self) -> Engine | Connection:
        source = self._source
        if isinstance(source, Engine | Connection):
            return source
        session = session_of(source)
        try:
            return session.get_bind(**(self._bind_arguments or {}))
        except exc.UnboundExecutionError as error:
            raise ConfigurationError(
                "the session has no engine for River's tables: give it a bind, or name one by "
                "Driver(source, bind_arguments={'bind': engine})"
            ) from error
        finally:
            if is_orm(source, "sessionmaker"):
                session.close()


@contextmanager
def _connect(engine: Engine, options: Mapping[str, Any]) -> Generator[Any]:
    with reaching():
        connection = engine.connect()
    with connection:
        yield connection.execution_options(**options) if options else connection


@contextmanager
def _within(source: Any, options: TransactionOptions, bind_arguments: Mapping[str, Any] | None) -> Generator[Any]:
    """Begin on the caller's own handle: a transaction if there is none, a savepoint otherwise."""
    changes = options_of(options, source if isinstance(source, Connection) else None)
    if source.in_transaction() and not changes:
        with source.begin_nested():
            yield source
    elif source.in_transaction():
        raise ConfigurationError("the transaction has begun already: its isolation level cannot be changed any more")
    elif isinstance(source, Connection):
        before = begin_on(source, changes)
        try:
            with source.begin() as transaction:
                yield source
                if transaction.is_active:
                    check_not_aborted(source)
        finally:
            end_on(source, before)
    else:
        with source.begin() as transaction:
            connection = source.connection(dict(bind_arguments or {}), changes)
            yield source
            if transaction.is_active:
                check_not_aborted(connection)


def _wrong_source(source: object) -> str:
    name = type(source).__name__
    if name.startswith(("Async", "async_")):
        return f"Driver cannot use {name}; use riverqueue_sqlalchemy.AsyncDriver"
    if isinstance(source, str):
        return "Driver must be made from an Engine, not a URL: Driver(sqlalchemy.create_engine(url))"
    return f"Driver must be made from an Engine, sessionmaker, Connection, Session or scoped_session, not {name}"
