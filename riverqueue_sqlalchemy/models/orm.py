"""River's tables for SQLAlchemy's ORM."""

from datetime import datetime
from typing import Any, ClassVar, NamedTuple, TypeAlias, TypeVar

from sqlalchemy import MetaData, Table
from sqlalchemy.orm import (
    DeclarativeBase,
    DeclarativeBaseNoMeta,
    Mapped,
    column_property,
    declared_attr,
    registry,
)

from riverqueue.errors import ConfigurationError
from riverqueue.jobs import AttemptError, JobState
from riverqueue_sqlalchemy.models import core
from riverqueue_sqlalchemy.models.read_only import ReadOnly

ModelT = TypeVar("ModelT", bound=ReadOnly)

#: Where classes can be made.
Base: TypeAlias = type[DeclarativeBase] | type[DeclarativeBaseNoMeta] | registry | MetaData

_REGISTRY = "riverqueue.registry"


class JobModel(ReadOnly):
    """What a mapped class of ``river_job`` has; a mixin for one of your own."""

    _river_methods: ClassVar[dict[str, str]] = {
        "insert": "insert(args)",
        "update": "job_update(), job_cancel() or job_retry()",
        "delete": "job_delete()",
    }
    _river_shown: ClassVar[tuple[str, ...]] = ("id", "kind", "state", "queue")

    id: Mapped[int]
    """Identity, unique in its table."""
    state: Mapped[JobState]
    """Its state."""
    attempt: Mapped[int]
    """Attempts started so far."""
    max_attempts: Mapped[int]
    """Attempts after which it is discarded."""
    attempted_at: Mapped[datetime | None]
    """Start of the latest attempt."""
    created_at: Mapped[datetime]
    """When it was inserted."""
    finalized_at: Mapped[datetime | None]
    """When it was completed, cancelled or discarded."""
    scheduled_at: Mapped[datetime]
    """Time before which it is not worked."""
    priority: Mapped[int]
    """1 (first) to 4 (last)."""
    args: Mapped[dict[str, Any]]
    """What the worker is given."""
    attempted_by: Mapped[list[str] | None]
    """Ids of the clients that attempted it, oldest first, at most 100; None before the first attempt."""
    errors: Mapped[list[AttemptError] | None]
    """Its failed attempts, oldest first; None before the first one."""
    kind: Mapped[str]
    """Says which worker works it."""
    queue: Mapped[str]
    """Name of its queue."""
    tags: Mapped[list[str]]
    """Words to group jobs by."""
    unique_key: Mapped[bytes | None]
    """SHA-256 of its unique properties; None if it is not unique."""
    unique_states: Mapped[list[JobState] | None]
    """States in which it keeps others like it out, by name; None if it is not unique."""

    @declared_attr
    def metadata_(cls) -> Mapped[dict[str, Any]]:  # noqa: N805  (SQLAlchemy passes the class)
        """What programs keep beside the args: the column ``metadata``, whose name SQLAlchemy needs for itself."""
        return column_property(_table(cls).c.metadata)


class LeaderModel(ReadOnly):
    """What a mapped class of ``river_leader`` has; a mixin for one of your own."""

    _river_shown: ClassVar[tuple[str, ...]] = ("name", "leader_id")

    elected_at: Mapped[datetime]
    """When it was elected."""
    expires_at: Mapped[datetime]
    """When another client may take over, unless it is elected again before."""
    leader_id: Mapped[str]
    """Id of the client that leads."""
    name: Mapped[str]
    """Always ``default``."""


class MigrationModel(ReadOnly):
    """What a mapped class of ``river_migration`` has; a mixin for one of your own."""

    _river_shown: ClassVar[tuple[str, ...]] = ("line", "version")

    line: Mapped[str]
    """Which line of migrations; River's own is ``main``."""
    version: Mapped[int]
    """A version that is applied."""
    created_at: Mapped[datetime]
    """When it was applied."""


class NotificationModel(ReadOnly):
    """What a mapped class of ``river_notification`` has; a mixin for one of your own."""

    _river_shown: ClassVar[tuple[str, ...]] = ("id", "topic")

    id: Mapped[int]
    """Identity."""
    created_at: Mapped[datetime]
    """When it was sent."""
    payload: Mapped[str]
    """What it says."""
    topic: Mapped[str]
    """What it is about."""


class QueueModel(ReadOnly):
    """What a mapped class of ``river_queue`` has; a mixin for one of your own."""

    _river_methods: ClassVar[dict[str, str]] = {"update": "queue_pause(), queue_resume() or queue_update()"}
    _river_shown: ClassVar[tuple[str, ...]] = ("name",)

    name: Mapped[str]
    """Its name."""
    created_at: Mapped[datetime]
    """When a client first worked it."""
    paused_at: Mapped[datetime | None]
    """When it was paused; None if it is not."""
    updated_at: Mapped[datetime]
    """When a client last said that it works it."""

    @declared_attr
    def metadata_(cls) -> Mapped[dict[str, Any]]:  # noqa: N805  (SQLAlchemy passes the class)
        """What programs keep with it: the column ``metadata``, whose name SQLAlchemy needs for itself."""
        return column_property(_table(cls).c.metadata)


def _table(model: Any) -> Table:
    return model.__table__  # type: ignore[no-any-return]


class Classes(NamedTuple):
    """Classes mapped to River's tables.

    Parameters:
        job: That of ``river_job``.
        leader: That of ``river_leader``.
        migration: That of ``river_migration``.
        notification: That of ``river_notification``.
        queue: That of ``river_queue``.
    """

    job: type[JobModel]
    leader: type[LeaderModel]
    migration: type[MigrationModel]
    notification: type[NotificationModel]
    queue: type[QueueModel]


def classes(base: Base, *, schema: str | None = None) -> Classes:
    """Map classes to River's tables in a registry of yours; asked again, return the same ones.

    Parameters:
        base: Your declarative base, your registry, or a metadata. The classes do not derive from the base, whatever
            it adds to its own; they share its registry, for relationships, and its metadata.
        schema: Schema of River's tables, as of a client; None leaves it to the ``search_path``, even if the
            metadata has a default.

    Raises:
        ConfigurationError: `base` is none of them, or its metadata has such a table that is not of River's models.
    """
    made_in = _registry(base)
    found = core.tables(made_in.metadata, schema=schema)
    return Classes(
        job=_class(made_in, JobModel, found.job),
        leader=_class(made_in, LeaderModel, found.leader),
        migration=_class(made_in, MigrationModel, found.migration),
        notification=_class(made_in, NotificationModel, found.notification),
        queue=_class(made_in, QueueModel, found.queue),
    )


def _registry(base: Base) -> registry:
    if isinstance(base, MetaData):
        # One for good, so that the classes are found again.
        base = base.info.setdefault(_REGISTRY, registry(metadata=base))
    found = base if isinstance(base, registry) else getattr(base, "registry", None)
    if not isinstance(found, registry):
        raise ConfigurationError(f"base must be a declarative base, a registry or a MetaData, not {base!r}")
    return found


def _class(made_in: registry, model: type[ModelT], table: Table) -> type[ModelT]:
    for mapper in made_in.mappers:
        if mapper.local_table is table and mapper.inherits is None and issubclass(mapper.class_, model):
            return mapper.class_
    name = f"River{model.__name__.removesuffix('Model')}"
    # SQLAlchemy tells classes of one name apart by their modules.
    module = f"{__name__}.{table.schema}" if table.schema else __name__
    made: Any = type(name, (model,), {"__module__": module, "__table__": table})
    mapped: type[ModelT] = made_in.mapped(made)
    return mapped


# --- Ready-made ---

_ready_made = _registry(core.metadata)


@_ready_made.mapped
class RiverJob(JobModel):
    """A row of ``river_job``."""

    __table__ = core.job


@_ready_made.mapped
class RiverLeader(LeaderModel):
    """A row of ``river_leader``."""

    __table__ = core.leader


@_ready_made.mapped
class RiverMigration(MigrationModel):
    """A row of ``river_migration``."""

    __table__ = core.migration


@_ready_made.mapped
class RiverNotification(NotificationModel):
    """A row of ``river_notification``."""

    __table__ = core.notification


@_ready_made.mapped
class RiverQueue(QueueModel):
    """A row of ``river_queue``."""

    __table__ = core.queue
