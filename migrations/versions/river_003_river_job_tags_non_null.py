"""Version 3: a job without tags has an empty list of them."""

from riverqueue_migrations.ladder import Migration
from riverqueue_migrations.revision import apply

revision = "river_003"
down_revision = "river_002"
branch_labels = None
depends_on = None

MIGRATION = Migration(
    version=3,
    name="river job tags non null",
    up=(
        "ALTER TABLE {schema}river_job ALTER COLUMN tags SET DEFAULT '{}'",
        "UPDATE {schema}river_job SET tags = '{}' WHERE tags IS NULL",
        "ALTER TABLE {schema}river_job ALTER COLUMN tags SET NOT NULL",
    ),
    down=(
        """
ALTER TABLE {schema}river_job
    ALTER COLUMN tags DROP NOT NULL,
    ALTER COLUMN tags DROP DEFAULT""",
    ),
)


def upgrade() -> None:
    """Fill in missing tags. Locks ``river_job`` against reads while it is scanned and updated."""
    apply(MIGRATION, "up")


def downgrade() -> None:
    """Allow tags to be missing. Locks ``river_job`` for an instant."""
    apply(MIGRATION, "down")
