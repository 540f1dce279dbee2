"""What SQLAlchemy handles River accepts, and what it says about the others."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from riverqueue.driver import TransactionOptions
from riverqueue.errors import ConfigurationError, TransactionError
from riverqueue.sql import Paramstyle

_STYLES: dict[str, Paramstyle] = {
    "pyformat": "pyformat",
    "format": "format",
    "named": "named",
    "numeric_dollar": "numeric_dollar",
}


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


def options_of(options: TransactionOptions) -> dict[str, Any]:
    """Spell transaction options as SQLAlchemy's execution options."""
    found: dict[str, Any] = {}
    if options.isolation_level is not None:
        found["isolation_level"] = options.isolation_level
    if options.read_only is not None:
        found["postgresql_readonly"] = options.read_only
    if options.deferrable is not None:
        found["postgresql_deferrable"] = options.deferrable
    return found


def connection_of(
    tx: Connection | Session | scoped_session[Any], bind_arguments: Mapping[str, Any] | None
) -> Connection:
    """Return the connection of the caller's transaction; a session's pending objects are flushed first.

    Raises:
        TransactionError: if there is none that could be inserted in.
    """
    if isinstance(tx, Session | scoped_session):
        session = tx() if isinstance(tx, scoped_session) else tx
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
    if connection.invalidated:
        raise TransactionError("tx is a SQLAlchemy connection whose database connection was lost; roll it back")
    transaction = connection.get_nested_transaction() or connection.get_transaction()
    if transaction is not None and not transaction.is_active:
        raise TransactionError("tx is in a failed transaction; roll it back before inserting jobs")
    if isolation_of(connection) == "AUTOCOMMIT":
        raise TransactionError(
            "tx is in AUTOCOMMIT: the insert would commit at once. Pass a connection or session in a transaction, "
            "or leave tx out"
        )


def isolation_of(connection: Connection) -> str | None:
    """Return the isolation level a connection was asked to have, by itself or by its engine."""
    level: str | None = connection.get_execution_options().get("isolation_level")
    # create_engine(isolation_level=…) keeps its argument with the dialect only.
    return level or getattr(connection.dialect, "_on_connect_isolation_level", None)


def begin_on(connection: Connection, options: TransactionOptions) -> None:
    """Give the caller's own connection, not yet in a transaction, what its next one is to be like."""
    if connection.in_transaction():
        raise ConfigurationError("the transaction has begun already: its isolation level cannot be changed any more")
    connection.execution_options(**options_of(options))


def end_on(connection: Connection, options: TransactionOptions) -> None:
    """Undo `begin_on`."""
    found: dict[str, Any] = dict.fromkeys(options_of(options), False)
    if "isolation_level" in found:
        found["isolation_level"] = connection.default_isolation_level
    connection.execution_options(**found)


def wrong_type(tx: object) -> str:
    """Say what was given as ``tx`` and what to pass instead."""
    name = f"{type(tx).__module__.split('.')[0]}.{type(tx).__name__}"
    if isinstance(tx, Engine):
        return f"tx is a {name}; pass a connection of it: `with engine.begin() as tx:`"
    if isinstance(tx, sessionmaker):
        return f"tx is a {name}; pass a session of it: `with Session.begin() as tx:`"
    if type(tx).__name__ in {"AsyncConnection", "AsyncSession", "async_scoped_session"}:
        return f"tx is a {name}, which Client cannot use; use AsyncClient with riverqueue_sqlalchemy.AsyncDriver"
    return f"tx must be a SQLAlchemy Connection, Session or scoped_session, not a {name}"
