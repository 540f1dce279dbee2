"""What River's own bookkeeping says, on one SQLAlchemy connection; and a version's statements run on it.

``river_migration`` is the only truth. Go's migrator, this package and Alembic revisions all read it under
one lock before they do anything, so it does not matter which of them ran before.
"""

import warnings
from typing import Any

from riverqueue_migrations.ladder import Direction, Migration, latest
from sqlalchemy import text
from sqlalchemy.engine import Connection, CursorResult

from riverqueue.errors import SchemaError, TransactionError
from riverqueue.sql import quote

_TABLE = text("""
    SELECT to_regclass(:name) IS NOT NULL,
           EXISTS (SELECT FROM pg_attribute
                   WHERE attrelid = to_regclass(:name) AND attname = 'line' AND NOT attisdropped)""")
_LOCK = text("""
    SELECT pg_advisory_xact_lock(
        hashtextextended('riverqueue_migrations ' || coalesce(:schema, current_schema(), ''), 0))""")
_TRANSACTION = text("SELECT CAST(pg_current_xact_id() AS text)")
_SCHEMA_EXISTS = text("SELECT CAST(to_regnamespace(coalesce(:quoted, quote_ident(current_schema()))) AS text)")


def applied_versions(connection: Connection, schema: str | None = None) -> frozenset[int]:
    """Read the versions of River's main line that the database has, those unknown to us included.

    Behaviour follows River's ``rivermigrate/river_migrate.go`` (``existingMigrations``): no table means
    none, and a table without ``line`` belongs to the main line.
    """
    name = _qualified("river_migration", schema)
    exists, has_line = connection.execute(_TABLE, {"name": name}).one()
    if not exists:
        return frozenset()
    where = " WHERE line = 'main'" if has_line else ""
    rows = _execute(connection, f"SELECT version FROM {name}{where}")  # noqa: S608
    return frozenset(rows.scalars())


def lock(connection: Connection, schema: str | None = None) -> None:
    """Wait for every other migrator of this schema, and keep others waiting until the transaction ends.

    The lock is an advisory one. Taking it twice in a transaction does no harm. In an ``env.py`` of your
    own, take it before ``context.run_migrations()`` if several processes may migrate at once.

    Parameters:
        connection: A connection in a transaction.
        schema: Schema of River's tables; None means the first of the ``search_path``.

    Raises:
        TransactionError: The connection is in autocommit mode, where no lock would last.
    """
    before = connection.execute(_TRANSACTION).scalar_one()
    connection.execute(_LOCK, {"schema": schema})
    if connection.execute(_TRANSACTION).scalar_one() != before:
        message = "migrations need a transaction, and this connection is in autocommit mode"
        raise TransactionError(message)


def require_schema(connection: Connection, schema: str | None = None) -> None:
    """Refuse to go on without a schema to create tables in. River never creates one.

    Raises:
        SchemaError: There is no such schema, or none of the ``search_path`` exists.
    """
    quoted = quote(schema) if schema else None
    if connection.execute(_SCHEMA_EXISTS, {"quoted": quoted}).scalar() is not None:
        return
    if quoted is None:
        message = "no schema in the search_path exists: create one, or name River's schema"
        raise SchemaError(message)
    message = f"schema {quoted} does not exist; migrations never create one. Run first: CREATE SCHEMA {quoted}"
    raise SchemaError(message)


def warn_of_newer(applied: frozenset[int]) -> None:
    """Say that the database has versions that this release does not know. They are left alone, as in Go."""
    newer = sorted(version for version in applied if version > latest())
    if newer:
        message = f"the database has River migrations {newer}, this release knows 1–{latest()}: newer ones are ignored"
        warnings.warn(message, stacklevel=2)


def run(connection: Connection, migration: Migration, direction: Direction, schema: str | None = None) -> None:
    """Run one version's statements and keep its row, in the connection's transaction."""
    for statement in migration.statements(direction, schema):
        _execute(connection, statement)


def _execute(connection: Connection, statement: str) -> CursorResult[Any]:
    # Straight to the driver, without parameters: neither ``%`` nor ``:`` in a schema's name means anything.
    return connection.exec_driver_sql(statement, execution_options={"no_parameters": True})


def _qualified(name: str, schema: str | None) -> str:
    return f"{quote(schema)}.{name}" if schema else name
