"""Migrating from Python: the same revisions, without Alembic's runner, on a connection of yours or ours.

Alembic's runner keeps its state in module globals, so it can neither run in two threads at once nor inside
another Alembic run. These functions can: in a web application's start, in a test's transaction, in a
revision of your own.
"""

import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias, TypeVar, overload

from riverqueue_migrations.bookkeeping import applied_versions, lock, require_schema, run, warn_of_newer
from riverqueue_migrations.ladder import (
    Direction,
    Migration,
    check_version,
    latest,
    migrations,
    plan_down,
    plan_up,
)
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from riverqueue.errors import ConfigurationError

T = TypeVar("T")

#: What a synchronous call takes.
Bind: TypeAlias = Engine | Connection

#: What an asynchronous call takes; the call is then to be awaited.
AsyncBind: TypeAlias = AsyncEngine | AsyncConnection


@dataclass(frozen=True, slots=True)
class AppliedMigration:
    """One version that a call brought in or took out, or with ``dry_run`` would have.

    Parameters:
        version: River's number.
        name: River's name, such as ``initial schema``.
        direction: ``up`` or ``down``.
        duration: How long its statements took; nothing with ``dry_run``.
    """

    version: int
    name: str
    direction: Direction
    duration: timedelta


@overload
def upgrade(
    connection: Bind,
    version: int | None = None,
    schema: str | None = None,
    *,
    max_steps: int | None = None,
    dry_run: bool = False,
) -> list[AppliedMigration]: ...


@overload
def upgrade(
    connection: AsyncBind,
    version: int | None = None,
    schema: str | None = None,
    *,
    max_steps: int | None = None,
    dry_run: bool = False,
) -> Awaitable[list[AppliedMigration]]: ...


def upgrade(
    connection: Bind | AsyncBind,
    version: int | None = None,
    schema: str | None = None,
    *,
    max_steps: int | None = None,
    dry_run: bool = False,
) -> list[AppliedMigration] | Awaitable[list[AppliedMigration]]:
    """Bring River's tables to a version. Does nothing if they have it, so it is safe at every start.

    All in one transaction. On an engine it is our own, committed at the end; on a connection it is the
    caller's, and neither committed nor rolled back here. Processes that call it at once wait for the
    first of them. Versions that Go's migrator applied are left as they are. Behaviour follows River's
    ``rivermigrate/river_migrate.go`` (``migrateUp``).

    Parameters:
        connection: An engine or connection of SQLAlchemy. If it is an asynchronous one, await the call.
        version: The last version to bring in, from 1; None is the newest.
        schema: Schema of River's tables, which must exist; None leaves it to the ``search_path``.
        max_steps: How many versions to bring in at most; None is no limit.
        dry_run: Change nothing and wait for no lock; return what would be brought in.

    Returns:
        The versions brought in, in order; empty if there was nothing to do.

    Raises:
        ConfigurationError: There is no such version, or `max_steps` is below 1.
        SchemaError: The schema does not exist.
        TransactionError: The connection is in autocommit mode.
    """
    check_version(version)
    _check_steps(max_steps)

    def work(inner: Connection) -> list[AppliedMigration]:
        require_schema(inner, schema)
        applied = _applied(inner, schema, dry_run)
        return _perform(inner, plan_up(applied, version)[:max_steps], "up", schema, dry_run)

    return _run(connection, work)


@overload
def downgrade(
    connection: Bind,
    version: int | None = None,
    schema: str | None = None,
    *,
    max_steps: int | None = None,
    dry_run: bool = False,
) -> list[AppliedMigration]: ...


@overload
def downgrade(
    connection: AsyncBind,
    version: int | None = None,
    schema: str | None = None,
    *,
    max_steps: int | None = None,
    dry_run: bool = False,
) -> Awaitable[list[AppliedMigration]]: ...


def downgrade(
    connection: Bind | AsyncBind,
    version: int | None = None,
    schema: str | None = None,
    *,
    max_steps: int | None = None,
    dry_run: bool = False,
) -> list[AppliedMigration] | Awaitable[list[AppliedMigration]]:
    """Take River's tables back to a version, with whatever newer versions store.

    Transactions are as in `upgrade`. Behaviour follows River's ``rivermigrate/river_migrate.go``
    (``migrateDown``).

    Parameters:
        connection: An engine or connection of SQLAlchemy. If it is an asynchronous one, await the call.
        version: The version to arrive at, which must be applied; 0 removes River and all its jobs; None
            goes back by one version, or by `max_steps` of them.
        schema: Schema of River's tables; None leaves it to the ``search_path``.
        max_steps: How many versions to take out at most; None is no limit.
        dry_run: Change nothing and wait for no lock; return what would be taken out.

    Returns:
        The versions taken out, newest first; empty if there was nothing to do.

    Raises:
        ConfigurationError: There is no such version, or the database does not have it, or `max_steps` is
            below 1.
        TransactionError: The connection is in autocommit mode.
    """
    check_version(version, lowest=0)
    _check_steps(max_steps)
    target = 0 if version is None and max_steps else version

    def work(inner: Connection) -> list[AppliedMigration]:
        applied = _applied(inner, schema, dry_run)
        return _perform(inner, plan_down(applied, target)[:max_steps], "down", schema, dry_run)

    return _run(connection, work)


@overload
def current(connection: Bind, schema: str | None = None) -> int: ...


@overload
def current(connection: AsyncBind, schema: str | None = None) -> Awaitable[int]: ...


def current(connection: Bind | AsyncBind, schema: str | None = None) -> int | Awaitable[int]:
    """Return the newest of River's versions 1 to 8 that the database has; 0 if it has none.

    Reads only: no lock, nothing written.

    Parameters:
        connection: An engine or connection of SQLAlchemy. If it is an asynchronous one, await the call.
        schema: Schema of River's tables; None leaves it to the ``search_path``.
    """
    return _run(connection, lambda inner: max(_known(applied_versions(inner, schema)), default=0))


@overload
def pending(connection: Bind, version: int | None = None, schema: str | None = None) -> list[int]: ...


@overload
def pending(connection: AsyncBind, version: int | None = None, schema: str | None = None) -> Awaitable[list[int]]: ...


def pending(
    connection: Bind | AsyncBind, version: int | None = None, schema: str | None = None
) -> list[int] | Awaitable[list[int]]:
    """Return the versions up to a given one that the database does not have; empty if it is up to date.

    Reads only. Behaviour follows River's ``rivermigrate/river_migrate.go`` (``validate``).

    Parameters:
        connection: An engine or connection of SQLAlchemy. If it is an asynchronous one, await the call.
        version: The last version to look at; None is the newest.
        schema: Schema of River's tables; None leaves it to the ``search_path``.

    Raises:
        ConfigurationError: There is no such version.
    """
    check_version(version)

    def work(inner: Connection) -> list[int]:
        applied = applied_versions(inner, schema)
        return [number for number in migrations() if number not in applied and number <= (version or latest())]

    return _run(connection, work)


def _known(applied: Iterable[int]) -> list[int]:
    return [version for version in applied if version in migrations()]


def _check_steps(max_steps: int | None) -> None:
    if max_steps is not None and max_steps < 1:
        raise ConfigurationError(f"max_steps must be 1 or more, or None for no limit, not {max_steps}")


def _applied(connection: Connection, schema: str | None, dry_run: bool) -> frozenset[int]:
    # In this order: what was read before the lock may be out of date after it.
    if not dry_run:
        lock(connection, schema)
    applied = applied_versions(connection, schema)
    warn_of_newer(applied)
    return applied


def _perform(
    connection: Connection, plan: Iterable[Migration], direction: Direction, schema: str | None, dry_run: bool
) -> list[AppliedMigration]:
    if dry_run:
        return [AppliedMigration(migration.version, migration.name, direction, timedelta()) for migration in plan]
    return [_perform_one(connection, migration, direction, schema) for migration in plan]


def _perform_one(
    connection: Connection, migration: Migration, direction: Direction, schema: str | None
) -> AppliedMigration:
    start = time.monotonic()
    run(connection, migration, direction, schema)
    duration = timedelta(seconds=time.monotonic() - start)
    return AppliedMigration(migration.version, migration.name, direction, duration)


def _run(bind: Bind | AsyncBind, work: Callable[[Connection], T]) -> T | Awaitable[T]:
    match bind:
        case Connection():
            return work(bind)
        case AsyncConnection():
            return bind.run_sync(work)
        case Engine():
            return _on_engine(bind, work)
        case AsyncEngine():
            return _on_async_engine(bind, work)
    message = f"expected an engine or connection of SQLAlchemy, not {type(bind).__name__}"
    raise TypeError(message)


# READ COMMITTED, whatever the engine's default: under a stricter level the first statement, which waits
# for the lock, would also fix what can be seen, and that is the state before the others' work.


def _on_engine(engine: Engine, work: Callable[[Connection], T]) -> T:
    with engine.connect() as connection:
        connection.execution_options(isolation_level="READ COMMITTED")
        with connection.begin():
            return work(connection)


async def _on_async_engine(engine: AsyncEngine, work: Callable[[Connection], T]) -> T:
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="READ COMMITTED")
        async with connection.begin():
            return await connection.run_sync(work)
