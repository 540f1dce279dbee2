"""Alembic's way into River's revisions: ``alembic upgrade head``, here or with ``-n river`` anywhere.

The database is ``sqlalchemy.url`` of the ini section in use, else the variable ``DATABASE_URL``; or a
connection that the caller put into ``config.attributes["connection"]``, whose transaction stays the caller's.
River's schema: see `riverqueue_migrations.revision.river_schema`.

Alembic wants a table with the revision the database is at. River has such a table already, in a form of
its own, and Go writes to it, so a second one would be wrong sooner or later. Alembic therefore gets a
temporary one, filled from River's at the start of each run, and nothing of Alembic stays in the database.
"""

import asyncio
import logging.config
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from alembic import context
from alembic.runtime.migration import MigrationContext, MigrationInfo
from alembic.util import CommandError
from riverqueue_migrations.bookkeeping import applied_versions, lock, require_schema, warn_of_newer
from riverqueue_migrations.ladder import migrations
from riverqueue_migrations.revision import river_schema
from riverqueue_migrations.url import engine
from sqlalchemy import text
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.ext.asyncio import AsyncEngine

from riverqueue.errors import RiverError

config = context.config
VERSION_TABLE = "river_alembic_version"
_CREATE = f"CREATE TEMPORARY TABLE {VERSION_TABLE} (version_num varchar(32) PRIMARY KEY)"


def migrate_offline() -> None:
    """Write SQL to standard output. Needs no database."""
    context.configure(dialect_name="postgresql", version_table=VERSION_TABLE, version_table_schema="pg_temp")
    with context.begin_transaction():
        # Alembic creates its table only if it starts from nothing.
        for head in context.get_context().get_current_heads():
            context.execute(_CREATE)
            context.execute(f"INSERT INTO {VERSION_TABLE} VALUES ('{head}')")  # noqa: S608
        context.run_migrations()
        # Older Alembics drop it themselves on the way to nothing.
        context.execute(f"DROP TABLE IF EXISTS pg_temp.{VERSION_TABLE}")


def migrate(connection: Connection) -> None:
    """Run the revisions that Alembic's command asks for, in the transaction of a connection."""
    try:
        _prepare(connection, river_schema(config))
    except RiverError as error:
        raise CommandError(str(error)) from error
    # The connection is in a transaction by now, so Alembic neither commits nor rolls back.
    context.configure(connection=connection, version_table=VERSION_TABLE, on_version_apply=_refuse_stamp)
    context.run_migrations()


def _prepare(connection: Connection, schema: str | None) -> None:
    lock(connection, schema)
    require_schema(connection, schema)
    applied = applied_versions(connection, schema)
    warn_of_newer(applied)
    connection.execute(text(f"DROP TABLE IF EXISTS pg_temp.{VERSION_TABLE}"))
    connection.execute(text(_CREATE + " ON COMMIT DROP"))
    # The last version with no gap below it: a revision that is there already does nothing.
    done = [version for version in migrations() if applied.issuperset(range(1, version + 1))]
    for version in done[-1:]:
        connection.execute(text(f"INSERT INTO {VERSION_TABLE} VALUES ('river_{version:03}')"))  # noqa: S608


def _refuse_stamp(
    ctx: MigrationContext,  # noqa: ARG001  (the names are Alembic's)
    step: MigrationInfo,
    heads: Collection[Any],  # noqa: ARG001
    run_args: Mapping[str, Any],  # noqa: ARG001
) -> None:
    if step.is_stamp:
        message = "there is nothing to stamp: River's own table river_migration says what is applied"
        raise CommandError(message)


def migrate_url(url: str) -> None:
    """Run the revisions on a connection of our own, and commit."""
    made = engine(url)
    if isinstance(made, Engine):
        with made.begin() as connection:
            migrate(connection)
    else:
        asyncio.run(_migrate_async(made))


async def _migrate_async(made: AsyncEngine) -> None:
    async with made.begin() as connection:
        await connection.run_sync(migrate)


def database_url() -> str:
    """Find the URL of the database."""
    url = config.get_alembic_option("sqlalchemy.url") or os.environ.get("DATABASE_URL")
    if not url:
        message = (
            "no database: set the variable DATABASE_URL to postgresql://user:password@host/database, or "
            f"sqlalchemy.url in section [{config.config_ini_section}] of the ini file"
        )
        raise CommandError(message)
    return url


def configure_logging() -> None:
    """Log as the ini file says, if it says so."""
    file = config.config_file_name
    if file and "[loggers]" in Path(file).read_text(encoding="utf-8"):
        logging.config.fileConfig(file, disable_existing_loggers=False)


configure_logging()
if context.is_offline_mode():
    migrate_offline()
elif (given := config.attributes.get("connection")) is not None:
    migrate(given)
else:
    migrate_url(database_url())
