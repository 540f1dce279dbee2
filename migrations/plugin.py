"""Plugin of Alembic 1.18 and later: autogenerate proposes nothing for River's tables.

Alembic finds it by the entry point ``alembic.autogenerate.riverqueue`` in the group ``alembic.plugins``. It
turns on what ``autogenerate_plugins`` names, by default ``alembic.autogenerate.*``: hence the name. Turn it
off with ``autogenerate_plugins=["alembic.autogenerate.*", "~alembic.autogenerate.riverqueue"]``.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from alembic.util import DispatchPriority, PriorityDispatchResult
from riverqueue_migrations.autogenerate import RIVER_TABLES

if TYPE_CHECKING:  # Alembic loads plugins while it is being imported itself: these are not there yet
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations.ops import MigrateOperation, UpgradeOps
    from alembic.runtime.plugins import Plugin

_log = logging.getLogger(__name__)


def setup(plugin: Plugin) -> None:
    """Register with Alembic, which calls this."""
    plugin.add_autogenerate_comparator(_drop_rivers, "autogenerate", "riverqueue", priority=DispatchPriority.LAST)


def _drop_rivers(_context: AutogenContext, upgrade_ops: UpgradeOps) -> PriorityDispatchResult:
    # Last, on the finished proposal: Alembic offers no public way to filter earlier, where it would also
    # keep quiet about "removed tables" in its log.
    kept = [operation for operation in upgrade_ops.ops if not _is_rivers(operation)]
    if len(kept) < len(upgrade_ops.ops):
        _log.info("River's tables are left alone: they are not dropped")
        upgrade_ops.ops[:] = kept
    return PriorityDispatchResult.CONTINUE


def _is_rivers(operation: MigrateOperation) -> bool:
    return getattr(operation, "table_name", None) in RIVER_TABLES
