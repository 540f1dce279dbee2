"""Look at a server before first use."""

from riverqueue import rows
from riverqueue.capabilities import ServerCapabilities, from_probe, schema_error
from riverqueue.statement import Operation, ask


def probe(schema: str | None) -> Operation[ServerCapabilities]:
    """Learn what the server can do, and make sure that River's tables can be used.

    Raises:
        SchemaError: if River's tables are missing or too old.
    """
    row = yield from ask("ServerProbe", rows.one)
    has_table, has_unique_states, has_migrations, current_schema = row[3:7]
    if not has_unique_states:
        version = 0
        if has_table and has_migrations:
            version = (yield from ask("MigrationVersion", rows.one))[0]
        raise schema_error(schema, current_schema, version)
    return from_probe(row)
