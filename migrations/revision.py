"""What a revision file does when Alembic runs it, under our ``env.py`` or a user's own."""

from collections.abc import Sequence

from alembic import op
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from riverqueue_migrations.bookkeeping import applied_versions, lock, require_schema, run
from riverqueue_migrations.ladder import Direction, Migration

SCHEMA_OPTION = "river_schema"


def apply(migration: Migration, direction: Direction) -> None:
    """Bring one version in or take it out; do nothing where River's bookkeeping says it is done.

    That is how a database which Go migrated is adopted. With ``--sql`` there is no database to ask, so
    the statements are written out as they are.

    Parameters:
        migration: The version.
        direction: ``up`` or ``down``.

    Raises:
        SchemaError: River's schema does not exist.
        TransactionError: The connection is in autocommit mode.
    """
    context = op.get_context()
    schema = river_schema(context.config)
    if context.as_sql:
        _write(context, migration.statements(direction, schema))
    else:
        _run(migration, direction, schema)


def _write(context: MigrationContext, statements: Sequence[str]) -> None:
    for statement in statements:
        context.impl.static_output(statement + ";")


def _run(migration: Migration, direction: Direction, schema: str | None) -> None:
    connection = op.get_bind()
    lock(connection, schema)
    require_schema(connection, schema)
    applied = migration.version in applied_versions(connection, schema)
    if applied != (direction == "up"):
        run(connection, migration, direction, schema)


def river_schema(config: Config | None) -> str | None:
    """Find the schema of River's tables in Alembic's configuration.

    In this order: ``config.attributes["river_schema"]``, ``-x river_schema=...`` on the command line, and
    ``river_schema = ...`` in the ini section or pyproject table in use. None leaves it to the ``search_path``.
    """
    if config is None:
        return None
    given = config.attributes.get(SCHEMA_OPTION) or _x_argument(config)
    return given or config.get_alembic_option(SCHEMA_OPTION) or None


def _x_argument(config: Config) -> str | None:
    arguments: Sequence[str] = getattr(config.cmd_opts, "x", None) or ()
    pairs = (argument.partition("=") for argument in arguments)
    return {key: value for key, _, value in pairs}.get(SCHEMA_OPTION)
