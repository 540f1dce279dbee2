"""What SQLAlchemy handles River accepts, and what it says about the others."""

import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, exc
from sqlalchemy.engine import Dialect

from riverqueue.driver import TransactionOptions, sqlstate
from riverqueue.errors import AbortedError, ConfigurationError, TransactionError, UnavailableError
from riverqueue.sql import Paramstyle

if TYPE_CHECKING:  # a program without the ORM does not import it
    from sqlalchemy.orm import Session, scoped_session

_INERROR = 3  # libpq's PQTRANS_INERROR
_ABORTED = "25P02"  # in_failed_sql_transaction

_STYLES: dict[str, Paramstyle] = {
    "pyformat": "pyformat",
    "format": "format",
    "named": "named",
    "numeric_dollar": "numeric_dollar",
}


def is_orm(handle: object, *names: str) -> bool:
    """Tell whether a handle is one of the ORM's, without importing the ORM for a program that does not."""
    orm = sys.modules.get("sqlalchemy.orm")
    return orm is not None and isinstance(handle, tuple(getattr(orm, name) for name in names))


def session_of(handle: Any) -> "Session":
    """Return a session, or the one that a ``scoped_session`` has for us, or a new one of a ``sessionmaker``."""
    return handle if is_orm(handle, "Session") else handle()  # type: ignore[no-any-return]


def style_of(dialect: Dialect) -> Paramstyle:
    """Return how a dialect's library marks parameters.

    Raises:
        ConfigurationError: if it is not one for PostgreSQL, or marks them in a way River does not know.
    """
    if dialect.name != "postgresql":
        raise ConfigurationError(f"River needs PostgreSQL; this engine's dialect is {dialect.name!r}")
    style = _STYLES.get(dialect.paramstyle)
    if style is None:
        raise ConfigurationError(
            f"River does not know how {dialect.driver!r} marks parameters ({dialect.paramstyle!r}); "
            "use psycopg, psycopg2 or asyncpg"
        )
    return style


def options_of(options: TransactionOptions, bind: Connection | Engine | None = None) -> dict[str, Any]:
    """Spell transaction options as SQLAlchemy's execution options.

    Parameters:
        options: What is asked of the transaction.
        bind: Where it is to be; if that is in AUTOCOMMIT, there would be none without a level.
    """
    found: dict[str, Any] = {}
    if options.isolation_level == "READ UNCOMMITTED":
        found["isolation_level"] = "READ COMMITTED"  # the same to PostgreSQL, and SQLAlchemy's asyncpg knows no other
    elif options.isolation_level is not None:
        found["isolation_level"] = options.isolation_level
    elif bind is not None and isolation_of(bind) == "AUTOCOMMIT":
        found["isolation_level"] = getattr(bind.dialect, "default_isolation_level", None) or "READ COMMITTED"
    if options.read_only is not None:
        found["postgresql_readonly"] = options.read_only
    if options.deferrable is not None:
        found["postgresql_deferrable"] = options.deferrable
    return found


def connection_of(
    tx: "Connection | Session | scoped_session[Any]", bind_arguments: Mapping[str, Any] | None
) -> Connection:
    """Return the connection of the caller's transaction; a session's pending objects are flushed first.

    Raises:
        TransactionError: if there is none that could be inserted in.
    """
    if is_orm(tx, "Session", "scoped_session"):
        session: Session = session_of(tx)
        if not session.is_active:
            raise TransactionError("tx is a session whose transaction has failed; roll it back before inserting jobs")
        session.flush()
        tx = session.connection(bind_arguments=dict(bind_arguments) if bind_arguments else None)
    if not isinstance(tx, Connection):
        raise TransactionError(wrong_type(tx))
    check_connection(tx)
    return tx


def check_connection(connection: Connection) -> None:
    """Refuse a connection that cannot carry an insert in a transaction.

    Raises:
        TransactionError: saying why, and what to do.
    """
    if connection.closed:
        raise TransactionError("tx is a closed SQLAlchemy connection; pass one that is open")
    if connection.invalidated and connection.in_transaction():  # without one, SQLAlchemy connects again
        raise TransactionError("tx is a SQLAlchemy connection whose database connection was lost; roll it back")
    transaction = connection.get_nested_transaction() or connection.get_transaction()
    if transaction is not None and not transaction.is_active:
        raise TransactionError("tx is in a failed transaction; roll it back before inserting jobs")
    if isolation_of(connection) == "AUTOCOMMIT":
        raise TransactionError(
            "tx is in AUTOCOMMIT: the insert would commit at once. Pass a connection or session in a transaction, "
            "or leave tx out"
        )


def isolation_of(bind: Connection | Engine) -> str | None:
    """Return the isolation level a connection was asked to have, by itself or by its engine."""
    level: str | None = bind.get_execution_options().get("isolation_level")
    # create_engine(isolation_level=…) keeps its argument with the dialect only.
    return level or getattr(bind.dialect, "_on_connect_isolation_level", None)


def begin_on(connection: Connection, options: Mapping[str, Any]) -> dict[str, Any]:
    """Give the caller's own connection, not yet in a transaction, what its next one is to be like.

    Returns:
        The execution options it has now, for `end_on`.
    """
    if connection.in_transaction():
        raise ConfigurationError("the transaction has begun already: its isolation level cannot be changed any more")
    level = isolation_of(connection) or connection.default_isolation_level
    before = {**dict.fromkeys(options, False), **connection.get_execution_options(), "isolation_level": level}
    connection.execution_options(**options)
    return {name: before[name] for name in options}


def end_on(connection: Connection, before: Mapping[str, Any]) -> None:
    """Undo `begin_on`."""
    if not connection.closed and not connection.invalidated:
        connection.execution_options(**before)


def is_watched(connection: Connection) -> bool:
    """Tell whether anybody sees the statements of a connection: by events, or by SQLAlchemy's echo."""
    watchers = (connection, connection.engine, connection.dialect)
    return getattr(connection, "_echo", True) or any(getattr(watcher, "_has_events", True) for watcher in watchers)


def translated(error: BaseException, sql: str, connection: Connection, cursor: Any = None) -> BaseException:
    """Wrap an error of the library's as SQLAlchemy would, had it run the statement itself.

    A connection that was lost, or left in the middle of a statement by a cancellation, is invalidated, so that
    its pool does not hand it out again.
    """
    if not isinstance(error, Exception):
        connection.invalidate()
        return error
    dialect = connection.dialect
    base: Any = dialect.loaded_dbapi.Error
    if not isinstance(error, base):
        return error
    raised: Any = error
    lost = dialect.is_disconnect(raised, None if connection.invalidated else connection.connection, cursor)
    if lost and not connection.invalidated:
        connection.invalidate(error)
    wrapped: Exception = exc.DBAPIError.instance(sql, None, error, base, connection_invalidated=lost, dialect=dialect)
    return wrapped


def check_not_aborted(connection: Connection) -> None:
    """Refuse to commit a transaction that has failed: PostgreSQL would roll it back, and say no word.

    Raises:
        AbortedError: if it has.
    """
    library: Any = connection.connection.driver_connection
    if hasattr(library, "info"):
        if library.info.transaction_status == _INERROR:
            raise AbortedError
        return
    try:
        connection.exec_driver_sql("SELECT 1")  # asyncpg does not tell
    except exc.DBAPIError as error:
        if sqlstate(error) != _ABORTED:
            raise
        raise AbortedError from error


@contextmanager
def reaching() -> Generator[None]:
    """Say of what goes wrong in the block, where a connection is had, that the database is unavailable."""
    try:
        yield
    except Exception as error:
        # SQLAlchemy 2.0 lets asyncpg's own errors through here; what they have in common is a SQLSTATE.
        if not isinstance(error, exc.DBAPIError | exc.TimeoutError | OSError) and sqlstate(error) is None:
            raise
        raise UnavailableError(f"no connection to the database could be had: {error}") from error


def wrong_type(tx: object) -> str:
    """Say what was given as ``tx`` and what to pass instead."""
    name = f"{type(tx).__module__.split('.')[0]}.{type(tx).__name__}"
    if isinstance(tx, Engine):
        return f"tx is a {name}; pass a connection of it: `with engine.begin() as tx:`"
    if is_orm(tx, "sessionmaker"):
        return f"tx is a {name}; pass a session of it: `with Session.begin() as tx:`"
    if type(tx).__name__ in {"AsyncConnection", "AsyncSession", "async_scoped_session"}:
        return f"tx is a {name}, which Client cannot use; use AsyncClient with riverqueue_sqlalchemy.AsyncDriver"
    return f"tx must be a SQLAlchemy Connection, Session or scoped_session, not a {name}"
