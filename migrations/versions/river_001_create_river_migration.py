"""Version 1: the table in which River notes the versions it has applied."""

from riverqueue_migrations.ladder import Migration
from riverqueue_migrations.revision import apply

revision = "river_001"
down_revision = None
branch_labels = ("river",)
depends_on = None

MIGRATION = Migration(
    version=1,
    name="create river migration",
    up=(
        """
CREATE TABLE {schema}river_migration (
    id bigserial PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT now(),
    version bigint NOT NULL,
    CONSTRAINT version CHECK (version >= 1)
)""",
        "CREATE UNIQUE INDEX ON {schema}river_migration (version)",
    ),
    down=("DROP TABLE {schema}river_migration",),
)


def upgrade() -> None:
    """Create ``river_migration``. Locks nothing that exists."""
    apply(MIGRATION, "up")


def downgrade() -> None:
    """Drop ``river_migration``; nothing of River is left."""
    apply(MIGRATION, "down")
