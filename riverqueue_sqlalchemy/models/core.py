"""River's tables for SQLAlchemy Core, as River's newest migration makes them."""

from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    func,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP, VARCHAR
from sqlalchemy.schema import BLANK_SCHEMA, SchemaItem, conv
from sqlalchemy.types import TypeEngine

from riverqueue.errors import ConfigurationError
from riverqueue.sql import quote
from riverqueue_sqlalchemy.models.ddl import MARK, watch
from riverqueue_sqlalchemy.models.types import AttemptErrors, UniqueStates, state_type


class Tables(NamedTuple):
    """River's tables on one metadata.

    Parameters:
        job: ``river_job``, the jobs.
        leader: ``river_leader``, the client that leads.
        migration: ``river_migration``, the versions that are applied.
        notification: ``river_notification``, unused on PostgreSQL.
        queue: ``river_queue``, the queues, and whether they are paused.
    """

    job: Table
    leader: Table
    migration: Table
    notification: Table
    queue: Table


def tables(metadata: MetaData, *, schema: str | None = None) -> Tables:
    """Put River's tables on a metadata; asked again, return the same ones.

    They are told apart by schema, so that a metadata may have several of each. Their names are River's, whatever
    the metadata's naming convention. The metadata then refuses to create or drop them: migrations do that.

    Parameters:
        metadata: Yours, or a new one.
        schema: Schema of River's tables, as of a client; None leaves it to the ``search_path``, even if the
            metadata has a default.

    Raises:
        ConfigurationError: The metadata has such a table that is not of River's models.
    """
    watch(metadata)
    return Tables(
        job=_job(metadata, schema),
        leader=_leader(metadata, schema),
        migration=_migration(metadata, schema),
        notification=_notification(metadata, schema),
        queue=_queue(metadata, schema),
    )


def _job(metadata: MetaData, schema: str | None) -> Table:
    final = "('cancelled', 'completed', 'discarded')"
    prefix = f"{quote(schema)}." if schema else ""
    return _table(
        metadata,
        schema,
        "river_job",
        Column("id", BigInteger),
        _required("state", state_type(schema), "available"),
        _required("attempt", SmallInteger(), text("0")),
        _required("max_attempts", SmallInteger(), text("25")),
        Column("attempted_at", _time()),
        _required("created_at", _time(), func.now()),
        Column("finalized_at", _time()),
        _required("scheduled_at", _time(), func.now()),
        _required("priority", SmallInteger(), text("1")),
        _required("args", JSONB()),
        Column("attempted_by", ARRAY(Text)),
        Column("errors", AttemptErrors),
        _required("kind", Text()),
        _required("metadata", JSONB(), "{}"),
        _required("queue", Text(), "default"),
        _required("tags", ARRAY(VARCHAR(255)), "{}"),
        Column("unique_key", LargeBinary),
        Column("unique_states", UniqueStates),
        PrimaryKeyConstraint("id", name=conv("river_job_pkey")),
        _check(
            "finalized_or_finalized_at_null",
            f"(finalized_at IS NULL AND state NOT IN {final}) OR (finalized_at IS NOT NULL AND state IN {final})",
        ),
        _check("kind_length", "char_length(kind) > 0 AND char_length(kind) < 128"),
        _check("max_attempts_is_positive", "max_attempts > 0"),
        _check("priority_in_range", "priority >= 1 AND priority <= 4"),
        _check("queue_length", "char_length(queue) > 0 AND char_length(queue) < 128"),
        _index("river_job_args_index", "args", postgresql_using="gin"),
        _index("river_job_kind", "kind"),
        _index("river_job_metadata_index", "metadata", postgresql_using="gin"),
        _index("river_job_prioritized_fetching_index", "state", "queue", "priority", "scheduled_at", "id"),
        _index(
            "river_job_state_and_finalized_at_index",
            "state",
            "finalized_at",
            postgresql_where=text("finalized_at IS NOT NULL"),
        ),
        _index(
            "river_job_unique_idx",
            "unique_key",
            unique=True,
            postgresql_where=literal_column(
                "unique_key IS NOT NULL AND unique_states IS NOT NULL"
                f" AND {prefix}river_job_state_in_bitmask(unique_states, state)"
            ),
        ),
    )


def _leader(metadata: MetaData, schema: str | None) -> Table:
    return _table(
        metadata,
        schema,
        "river_leader",
        _required("elected_at", _time()),
        _required("expires_at", _time()),
        _required("leader_id", Text()),
        _required("name", Text(), "default"),
        PrimaryKeyConstraint("name", name=conv("river_leader_pkey")),
        _check("leader_id_length", "char_length(leader_id) > 0 AND char_length(leader_id) < 128"),
        _check("name_length", "name = 'default'"),
        prefixes=["UNLOGGED"],
    )


def _migration(metadata: MetaData, schema: str | None) -> Table:
    return _table(
        metadata,
        schema,
        "river_migration",
        _required("line", Text()),
        _required("version", BigInteger()),
        _required("created_at", _time(), func.now()),
        # The number is there because River makes the table anew while it has the old one.
        PrimaryKeyConstraint("line", "version", name=conv("river_migration_pkey1")),
        _check("line_length", "char_length(line) > 0 AND char_length(line) < 128"),
        _check("version_gte_1", "version >= 1"),
    )


def _notification(metadata: MetaData, schema: str | None) -> Table:
    return _table(
        metadata,
        schema,
        "river_notification",
        Column("id", BigInteger),
        _required("created_at", _time(), func.now()),
        _required("payload", Text()),
        _required("topic", Text()),
        PrimaryKeyConstraint("id", name=conv("river_notification_pkey")),
        _check("topic_length", "length(topic) > 0 AND length(topic) < 128"),
        _index("river_notification_created_at_idx", "created_at"),
        _index("river_notification_topic_id_idx", "topic", "id"),
    )


def _queue(metadata: MetaData, schema: str | None) -> Table:
    return _table(
        metadata,
        schema,
        "river_queue",
        _required("name", Text()),
        _required("created_at", _time(), func.now()),
        _required("metadata", JSONB(), "{}"),
        Column("paused_at", _time()),
        _required("updated_at", _time(), func.current_timestamp()),
        PrimaryKeyConstraint("name", name=conv("river_queue_pkey")),
    )


def _table(metadata: MetaData, schema: str | None, name: str, *items: SchemaItem, **options: Any) -> Table:
    key = f"{schema}.{name}" if schema else name
    found = metadata.tables.get(key)
    if found is None:
        found = Table(name, metadata, *items, schema=schema or BLANK_SCHEMA, info={MARK: True}, **options)
        watch(found)
    elif MARK not in found.info:
        raise ConfigurationError(f"the metadata has a table {key} that is not of River's models; take another metadata")
    return found


def _required(name: str, type_: TypeEngine[Any], default: Any = None) -> Column[Any]:
    return Column(name, type_, nullable=False, server_default=default)


def _time() -> TIMESTAMP:
    return TIMESTAMP(timezone=True)


# `conv` keeps the metadata's naming convention off.


def _check(name: str, condition: str) -> CheckConstraint:
    return CheckConstraint(condition, name=conv(name))


def _index(name: str, *columns: str, **options: Any) -> Index:
    return Index(conv(name), *columns, **options)


#: The metadata of the ready-made tables and classes.
metadata = MetaData()

job, leader, migration, notification, queue = tables(metadata)
