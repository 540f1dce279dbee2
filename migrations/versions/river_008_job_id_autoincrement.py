"""Version 8: nothing on PostgreSQL, whose sequences never hand out a job's id again."""

from riverqueue_migrations.ladder import Migration
from riverqueue_migrations.revision import apply

revision = "river_008"
down_revision = "river_007"
branch_labels = None
depends_on = None

MIGRATION = Migration(version=8, name="job id autoincrement", up=(), down=())


def upgrade() -> None:
    """Note the version. Locks nothing."""
    apply(MIGRATION, "up")


def downgrade() -> None:
    """Forget the version. Locks nothing."""
    apply(MIGRATION, "down")
