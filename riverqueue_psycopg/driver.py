"""The sync driver for psycopg."""

from __future__ import annotations

import weakref
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing, contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeAlias

import psycopg
from psycopg.adapt import AdaptersMap
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from riverqueue.driver import BoundParams, CopyTarget, Paramstyle, Row, TransactionOptions
from riverqueue.errors import AbortedError, ConfigurationError, UnavailableError
from riverqueue.sql import quote
from riverqueue_psycopg.handles import (
    ADAPTERS,
    ISOLATION,
    OWN,
    SERVER_PROCESS,
    abort,
    check_idle,
    check_listens,
    check_tx,
    encoded,
    is_pool,
    own_settings,
)

if TYPE_CHECKING:  # the pool is an optional package
    from psycopg_pool import ConnectionPool

Connection: TypeAlias = psycopg.Connection[Any]


class _Cursor(psycopg.RawCursor[Row]):
    """A cursor of our own: `$1` goes to the server as it is, and no setting of the caller's matters.

    Not the connection's row factory, cursor class or adapters; and as results are binary, not the session's
    ``DateStyle``.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, row_factory=tuple_row)

    @property
    def adapters(self) -> AdaptersMap:
        return ADAPTERS


class Executor:
    """One psycopg connection in a transaction."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def notifies(self) -> bool:
        """Whether its transaction may notify: not one that is to be prepared for a two-phase commit."""
        return getattr(self._connection, "_tpc", None) is None

    def fetch(self, sql: str, params: BoundParams) -> Sequence[Row]:
        """Run one statement and return all its rows."""
        cursor = _Cursor(self._connection)  # nothing to close: a client-side cursor has only memory
        cursor.execute(encoded(sql), params, binary=True)
        result = cursor.pgresult  # None in a pipeline, until rows are fetched
        return [] if result is not None and not result.nfields else cursor.fetchall()

    @contextmanager
    def savepoint(self) -> Generator[None]:
        """Keep what goes wrong inside the block from the transaction around it."""
        if self._connection.info.transaction_status is TransactionStatus.IDLE:
            # Begin the caller's transaction as any statement would: psycopg's own block would end it as well.
            self.fetch("SELECT 1", ())
        with self._connection.transaction():
            yield

    def copy(self, target: CopyTarget, data: Iterable[bytes]) -> int:
        """Copy binary rows into a table and return how many."""
        with _Cursor(self._connection) as cursor:
            with cursor.copy(target.sql.encode()) as copy:
                for piece in data:
                    copy.write(piece)
            return cursor.rowcount


class Listener:
    """A psycopg connection that hears notifications."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._executor = Executor(connection)

    def listen(self, channel: str) -> None:
        """Begin to hear a channel."""
        self._executor.fetch(f"LISTEN {quote(channel)}", ())

    def fetch(self, sql: str, params: BoundParams) -> Sequence[Row]:
        """Run one statement and return all its rows."""
        return self._executor.fetch(sql, params)

    def wait(self, seconds: float) -> Sequence[tuple[str, str]]:
        """Return channel and payload of what was heard."""
        return [(heard.channel, heard.payload) for heard in self._connection.notifies(timeout=seconds, stop_after=1)]

    def abort(self) -> None:
        """Break the connection, from any thread."""
        abort(self._connection)


class Driver:
    """Inserts jobs by psycopg.

    Parameters:
        source: A connection string, a ``psycopg_pool.ConnectionPool``, or a ``psycopg.Connection``.
            From a connection string the driver keeps a small pool of its own; end it by `close`, or
            use the driver as a context manager. From a connection, inserts without ``tx`` run in that
            connection's own transaction (in autocommit, each in one of its own).

    Raises:
        ConfigurationError: if `source` is none of them.
    """

    style: Paramstyle = "numeric_dollar"
    copies = True

    def __init__(self, source: str | Connection | ConnectionPool[Any]) -> None:
        if isinstance(source, psycopg.AsyncConnection) or is_pool(source, "AsyncConnectionPool"):
            raise ConfigurationError(f"Driver cannot use {type(source).__name__}; use riverqueue_psycopg.AsyncDriver")
        if not isinstance(source, str | psycopg.Connection) and not is_pool(source, "ConnectionPool"):
            raise ConfigurationError(
                "Driver must be made from a connection string, a psycopg_pool.ConnectionPool or a "
                f"psycopg.Connection, not {type(source).__name__}"
            )
        self._source = source
        self._own_pool: ConnectionPool[Any] | None = None
        self._lock = Lock()

    @property
    def bound(self) -> bool:
        """Whether it was made from the caller's own connection."""
        return isinstance(self._source, psycopg.Connection)

    def unwrap(self, tx: Connection, /) -> Executor:
        """Find the executor in the caller's transaction."""
        check_tx(tx, psycopg.Connection, psycopg.AsyncConnection)
        return Executor(tx)

    @contextmanager
    def begin(self, options: TransactionOptions) -> Generator[Connection]:
        """Open a transaction, ended with the block."""
        with self._connection() as connection, _settings(connection, options), connection.transaction():
            yield connection
            if connection.info.transaction_status is TransactionStatus.INERROR:
                raise AbortedError  # PostgreSQL would answer COMMIT with a rollback, and no error

    @contextmanager
    def autocommit(self) -> Generator[Executor]:
        """Give an executor whose statements each commit by themselves."""
        if isinstance(self._source, psycopg.Connection):
            yield Executor(self._usable(self._source))
            return
        with self._connection() as connection:
            before = connection.autocommit
            if not before:
                connection.autocommit = True
            try:
                yield Executor(connection)
            finally:
                if not before and not connection.closed:
                    connection.autocommit = False

    @contextmanager
    def listener(self) -> Generator[Listener]:
        """Open a connection of its own to hear notifications on, made as those of the pool are."""
        check_listens(self.bound)
        pool: Any = self._pool()
        conninfo, kwargs = _called(pool.conninfo), _called(pool.kwargs) or {}
        try:
            connection = pool.connection_class.connect(conninfo, **{**kwargs, "autocommit": True})
        except psycopg.OperationalError as error:
            raise UnavailableError(f"the database cannot be reached: {error}") from error
        with closing(connection):
            yield Listener(connection)

    def close(self) -> None:
        """Close the pool made from a connection string; what the caller owns stays open."""
        with self._lock:
            pool, self._own_pool = self._own_pool, None
        if pool is not None:
            pool.close()

    def __enter__(self) -> Driver:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @contextmanager
    def _connection(self) -> Generator[Connection]:
        if isinstance(self._source, psycopg.Connection):
            yield self._usable(self._source)
            return
        pool = self._pool()
        try:
            connection = pool.getconn()
        except psycopg.OperationalError as error:
            raise UnavailableError(f"no connection to the database could be had from the pool: {error}") from error
        try:
            yield connection
        finally:
            pool.putconn(connection)

    def _usable(self, connection: Connection) -> Connection:
        if connection.closed:
            raise UnavailableError("the psycopg connection this driver was made from is closed")
        return connection

    def _pool(self) -> ConnectionPool[Any]:
        if not isinstance(self._source, str):
            return self._source  # type: ignore[return-value]
        with self._lock:
            if self._own_pool is None:
                self._own_pool = _new_pool(self._source)
                weakref.finalize(self, self._own_pool.close)
            return self._own_pool


def _new_pool(conninfo: str) -> ConnectionPool[Any]:
    try:
        # Once by hand first: a pool would try for half a minute before it says what is wrong.
        with psycopg.connect(conninfo, **OWN) as connection:
            settings = own_settings(connection.info, connection.execute(SERVER_PROCESS).fetchone())
    except psycopg.OperationalError as error:
        raise UnavailableError(f"the database cannot be reached: {error}") from error
    from psycopg_pool import ConnectionPool

    return ConnectionPool(conninfo, min_size=1, max_size=8, open=True, name="riverqueue", kwargs=settings)


def _called(value: Any) -> Any:
    """Return a pool's argument, or what it gives."""
    return value() if callable(value) else value


@contextmanager
def _settings(connection: Connection, options: TransactionOptions) -> Generator[None]:
    before = (connection.isolation_level, connection.read_only, connection.deferrable)
    changed = options != TransactionOptions()
    if changed:
        check_idle(connection)
        if options.isolation_level is not None:
            connection.isolation_level = ISOLATION[options.isolation_level]
        if options.read_only is not None:
            connection.read_only = options.read_only
        if options.deferrable is not None:
            connection.deferrable = options.deferrable
    try:
        yield
    finally:
        if changed and not connection.closed:
            connection.isolation_level, connection.read_only, connection.deferrable = before
