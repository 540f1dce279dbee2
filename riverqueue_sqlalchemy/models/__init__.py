"""River's tables as SQLAlchemy knows tables, to read jobs beside your own rows.

    from riverqueue_sqlalchemy.models import RiverJob

    session.scalars(select(RiverJob).where(RiverJob.args["order_id"].as_integer() == order.id))

For Core: `job`, `queue`, `leader`, `migration`, `notification`, and `tables` to have them on a metadata of yours or
in another schema. For the ORM: `RiverJob` and so on, and `classes`. They are for reading: a session refuses to write
them. Jobs are written by a client.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from riverqueue_sqlalchemy.models.core import Tables, job, leader, metadata, migration, notification, queue, tables
from riverqueue_sqlalchemy.models.types import AttemptErrors, UniqueStates

if TYPE_CHECKING:
    from riverqueue_sqlalchemy.models.orm import (
        Classes,
        JobModel,
        LeaderModel,
        MigrationModel,
        NotificationModel,
        QueueModel,
        RiverJob,
        RiverLeader,
        RiverMigration,
        RiverNotification,
        RiverQueue,
        classes,
    )
    from riverqueue_sqlalchemy.models.read_only import ReadOnlyModelError

__all__ = [
    "AttemptErrors",
    "Classes",
    "JobModel",
    "LeaderModel",
    "MigrationModel",
    "NotificationModel",
    "QueueModel",
    "ReadOnlyModelError",
    "RiverJob",
    "RiverLeader",
    "RiverMigration",
    "RiverNotification",
    "RiverQueue",
    "Tables",
    "UniqueStates",
    "classes",
    "job",
    "leader",
    "metadata",
    "migration",
    "notification",
    "queue",
    "tables",
]


def __getattr__(name: str) -> Any:
    # A program that uses Core only does not import the ORM.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = "read_only" if name == "ReadOnlyModelError" else "orm"
    return getattr(import_module(f"{__name__}.{module}"), name)
