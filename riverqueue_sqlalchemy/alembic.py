"""For your ``env.py`` with Alembic below 1.18: leave River's tables out of ``--autogenerate``.

From 1.18 on the plugin that comes with riverqueue does it. Behaviour: `riverqueue_migrations.autogenerate`.
"""

from riverqueue_migrations.autogenerate import RIVER_TABLES, include_name, include_object

__all__ = ["RIVER_TABLES", "include_name", "include_object"]
