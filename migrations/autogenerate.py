"""Filters that keep ``alembic revision --autogenerate`` and ``alembic check`` away from River's tables.

From Alembic 1.18 on `riverqueue_migrations.plugin` does this by itself. Below that, hand one of these to
``context.configure`` in your ``env.py``.
"""

from collections.abc import Mapping

#: Every table that any of River's versions has, by name.
RIVER_TABLES = frozenset(
    {
        "river_client",
        "river_client_queue",
        "river_job",
        "river_leader",
        "river_migration",
        "river_notification",
        "river_queue",
    }
)


def include_name(name: str | None, type_: str, parent_names: Mapping[str, str | None]) -> bool:  # noqa: ARG001
    """Tell Alembic to look at everything in the database but River's tables, in any schema.

    For ``context.configure(include_name=...)``. The tables are not even read, which makes it the quicker
    filter. If River's models are part of your metadata, use `include_object`.

    Parameters:
        name: What Alembic asks about; None for the default schema.
        type_: Its type, such as ``table``.
        parent_names: Where it is.
    """
    return not (type_ == "table" and name in RIVER_TABLES)


def include_object(
    object_: object,  # noqa: ARG001
    name: str | None,
    type_: str,
    reflected: bool,  # noqa: ARG001
    compare_to: object,  # noqa: ARG001
) -> bool:
    """Tell Alembic to compare everything but River's tables, whether found in the database or in metadata.

    For ``context.configure(include_object=...)``.

    Parameters:
        object_: What Alembic asks about.
        name: Its name.
        type_: Its type, such as ``table``.
        reflected: Whether it was found in the database.
        compare_to: Its counterpart on the other side, if any.
    """
    return not (type_ == "table" and name in RIVER_TABLES)
