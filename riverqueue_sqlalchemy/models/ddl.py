"""What keeps a metadata from creating and dropping River's tables: only migrations do that."""

from typing import Any

from sqlalchemy import MetaData, Table, event

from riverqueue.errors import SchemaError

#: What River's tables have in their ``info``.
MARK = "riverqueue"


def watch(target: MetaData | Table) -> None:
    """Have River's tables refused, once, where they would be created or dropped.

    Parameters:
        target: A metadata, so that nothing of it is sent before; or a table, for ``Table.create()`` and for copies.
    """
    for name, refuse in (("before_create", _refuse_create), ("before_drop", _refuse_drop)):
        if not event.contains(target, name, refuse):
            event.listen(target, name, refuse, propagate=isinstance(target, Table))


def _refuse_create(target: MetaData | Table, connection: object, **options: Any) -> None:  # noqa: ARG001
    if (found := _rivers(target, options)) is not None:
        call = _call("upgrade", found)
        raise SchemaError(f"River's tables are made by its migrations: run {call} before create_all()")


def _refuse_drop(target: MetaData | Table, connection: object, **options: Any) -> None:  # noqa: ARG001
    if (found := _rivers(target, options)) is not None:
        call = _call("downgrade", found, "0")
        raise SchemaError(
            f"River's tables are dropped by its migrations: run {call} before drop_all(), "
            "or name your own tables: drop_all(tables=[…])"
        )


def _rivers(target: MetaData | Table, options: dict[str, Any]) -> Table | None:
    tables: list[Table] = [target] if isinstance(target, Table) else options["tables"]
    return next((table for table in tables if MARK in table.info), None)


def _call(function: str, table: Table, *arguments: str) -> str:
    schema = [f"schema={str(table.schema)!r}"] if table.schema else []
    return f"riverqueue_migrations.{function}({', '.join(['engine', *arguments, *schema])})"
