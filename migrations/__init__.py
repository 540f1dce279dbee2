"""River's tables in PostgreSQL: created, changed and removed, in step with River's Go migrator.

Eight Alembic revisions mirror River's eight versions. Use them with Alembic (``alembic upgrade head``, in a
history of their own or as a branch of yours), from Python (`upgrade`, `downgrade`, `current`, `pending`) or as
text (`sql`). All of them go by River's own table ``river_migration``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from riverqueue_migrations.api import AppliedMigration, current, downgrade, pending, upgrade
    from riverqueue_migrations.bookkeeping import lock
    from riverqueue_migrations.ladder import Migration, migrations
    from riverqueue_migrations.text import sql

__all__ = [
    "AppliedMigration",
    "Migration",
    "current",
    "downgrade",
    "lock",
    "migrations",
    "pending",
    "sql",
    "upgrade",
]

_HOME = {
    "AppliedMigration": "api",
    "Migration": "ladder",
    "current": "api",
    "downgrade": "api",
    "lock": "bookkeeping",
    "migrations": "ladder",
    "pending": "api",
    "sql": "text",
    "upgrade": "api",
}


def __getattr__(name: str) -> Any:
    # Whenever Alembic is imported, anywhere, it imports this package for its plugin. That must cost
    # nothing, and fail for no reason that lies elsewhere in River.
    if name not in _HOME:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
