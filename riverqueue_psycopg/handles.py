"""What psycopg handles River accepts, and what it says about the others."""

import socket
import sys
from contextlib import suppress
from functools import cache
from typing import Any

import psycopg
from psycopg.adapt import AdaptersMap
from psycopg.postgres import register_default_adapters, types
from psycopg.pq import TransactionStatus
from psycopg.types.array import register_all_arrays

from riverqueue.driver import IsolationLevel
from riverqueue.errors import ConfigurationError, TransactionError

ISOLATION: dict[IsolationLevel, psycopg.IsolationLevel] = {
    "READ UNCOMMITTED": psycopg.IsolationLevel.READ_UNCOMMITTED,
    "READ COMMITTED": psycopg.IsolationLevel.READ_COMMITTED,
    "REPEATABLE READ": psycopg.IsolationLevel.REPEATABLE_READ,
    "SERIALIZABLE": psycopg.IsolationLevel.SERIALIZABLE,
}

#: How connections of our own are made: they need not be switched to autocommit and back.
OWN: dict[str, Any] = {"autocommit": True}

#: Asks for what `own_settings` compares.
SERVER_PROCESS = "SELECT pg_backend_pid()"

#: psycopg's own adapters, whatever the caller has registered, with psycopg or with the connection.
ADAPTERS = AdaptersMap(types=types)
register_default_adapters(ADAPTERS)
register_all_arrays(ADAPTERS)


@cache
def encoded(sql: str) -> bytes:
    """Return a statement as bytes, the same each time: psycopg keeps what it prepared by them."""
    return sql.encode()


def own_settings(info: psycopg.ConnectionInfo, server_process: object) -> dict[str, Any]:
    """Return how to make connections of our own like one that is there.

    Where something like PgBouncer stands between us and the server, the process that was announced is not the
    one at work. Each transaction may have another session then, which knows nothing of what was prepared.

    Parameters:
        info: That of the connection.
        server_process: The row that `SERVER_PROCESS` gives there.
    """
    return OWN if server_process == (info.backend_pid,) else {**OWN, "prepare_threshold": None}


def is_pool(source: object, name: str) -> bool:
    """Tell whether this is one of psycopg_pool's pools, without importing a package that may not be there."""
    module = sys.modules.get("psycopg_pool")
    return module is not None and isinstance(source, getattr(module, name))


def abort(connection: Any) -> None:
    """Break a connection, whatever waits for its server: that is told of it as if the server had hung up."""
    with suppress(OSError, psycopg.OperationalError):
        of_libpq = socket.socket(fileno=connection.fileno())
        try:
            of_libpq.shutdown(socket.SHUT_RDWR)
        finally:
            of_libpq.detach()  # libpq closes it


def check_listens(bound: bool) -> None:
    """Refuse to listen where there is but the caller's own connection.

    Raises:
        ConfigurationError: saying what to do.
    """
    if bound:
        raise ConfigurationError(
            "a driver made from a connection of yours cannot open others to listen on: make it from a pool or a "
            "connection string"
        )


def check_tx(tx: Any, expected: type[Any], other: type[Any]) -> None:
    """Refuse what is no open psycopg transaction of the expected colour.

    Raises:
        TransactionError: saying what was given and what to pass.
    """
    if not isinstance(tx, expected):
        raise TransactionError(_wrong_type(tx, expected, other))
    if tx.closed:
        raise TransactionError("tx is a closed psycopg connection; pass one that is open")
    status = tx.info.transaction_status
    if status is TransactionStatus.IDLE and tx.autocommit:
        raise TransactionError(
            "tx is a psycopg connection in autocommit outside of a transaction: the insert would commit at once. "
            "Pass it inside `with connection.transaction():`, or leave tx out"
        )
    if status is TransactionStatus.INERROR:
        raise TransactionError("tx is in a failed transaction; roll it back before inserting jobs")


def check_idle(connection: Any) -> None:
    """Refuse to change how a transaction is that has begun.

    Raises:
        ConfigurationError: if it has.
    """
    if connection.info.transaction_status is not TransactionStatus.IDLE:
        raise ConfigurationError("the transaction has begun already: its isolation level cannot be changed any more")


def _wrong_type(tx: Any, expected: type[Any], other: type[Any]) -> str:
    name = f"{type(tx).__module__.split('.')[0]}.{type(tx).__name__}"
    if isinstance(tx, other):
        mine, client = ("Client", "AsyncClient") if expected is psycopg.Connection else ("AsyncClient", "Client")
        return f"tx is a {name}, which {mine} cannot use; use {client} with riverqueue_psycopg's other driver"
    if isinstance(tx, psycopg.Cursor | psycopg.AsyncCursor):
        return f"tx is a {name}; pass its connection: cursor.connection"
    if is_pool(tx, "ConnectionPool") or is_pool(tx, "AsyncConnectionPool"):
        return f"tx is a {name}; pass a connection taken from it: `with pool.connection() as tx:`"
    return f"tx must be a psycopg.{expected.__name__}, not a {name}"
