"""What a database server can do, asked once and remembered (River's ``postgres_capabilities.go``)."""

from dataclasses import dataclass
from typing import Literal

from riverqueue.errors import SchemaError
from riverqueue.jobs import Row

#: The oldest version of River's tables that jobs can be inserted in.
VERSION_NEEDED = 6


@dataclass(frozen=True, slots=True)
class ServerCapabilities:
    """What River uses of a server.

    Parameters:
        duplicate: How it tells that an insert met an existing row: ``old`` by the OLD row
            (PostgreSQL 18 and later), ``xmax`` by the system column, ``nonce`` by a mark in the
            metadata (YugabyteDB, which has neither).
        notify: Whether it delivers notifications.
    """

    duplicate: Literal["old", "xmax", "nonce"]
    notify: bool

    @classmethod
    def of(cls, product: str, version: int, yugabyte_notifies: bool) -> "ServerCapabilities":
        """Tell by product name, version number, and YugabyteDB's own setting."""
        name = product.lower()
        if "-yb" in name or "yugabyte" in name:
            return cls("nonce", yugabyte_notifies)
        return cls("old" if version >= 180_000 else "xmax", True)


def from_probe(row: Row) -> ServerCapabilities:
    """Read the capabilities out of a ``ServerProbe`` row."""
    product, version, yugabyte_notifies = row[:3]
    return ServerCapabilities.of(product, version, yugabyte_notifies in {"on", "true", "1"})


def schema_error(schema: str | None, current_schema: str | None, version: int | None) -> SchemaError:
    """Say why River's tables cannot be used, and what to run.

    Parameters:
        schema: The schema the client was given.
        current_schema: Where names without a schema are looked for.
        version: What River's own bookkeeping says; None if it is not there.
    """
    where = f"schema {schema!r}" if schema else f"the search_path (current schema: {current_schema!r})"
    option = f", schema={schema!r}" if schema else ""
    run = f"`alembic upgrade head`, or riverqueue_migrations.upgrade(connection{option})"
    if not version:
        elsewhere = "name that one" if schema else "name it: Client(driver, schema=...)"
        return SchemaError(
            f"River's tables are not in {where} of this database. Create them with {run}; "
            f"if they are in another schema, {elsewhere}."
        )
    return SchemaError(
        f"River's tables are at version {version} in {where}; this client needs {VERSION_NEEDED} or later. Run {run}."
    )
