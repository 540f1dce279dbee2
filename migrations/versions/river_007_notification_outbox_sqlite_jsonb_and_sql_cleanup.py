"""Version 7: an outbox for notifications (unused on PostgreSQL), two defaults, no tables for clients."""

from riverqueue_migrations.ladder import Migration
from riverqueue_migrations.revision import apply

revision = "river_007"
down_revision = "river_006"
branch_labels = None
depends_on = None

MIGRATION = Migration(
    version=7,
    name="notification outbox sqlite jsonb and sql cleanup",
    up=(
        """
CREATE TABLE {schema}river_notification (
    id bigserial PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT now(),
    payload text NOT NULL,
    topic text NOT NULL,
    CONSTRAINT topic_length CHECK (length(topic) > 0 AND length(topic) < 128)
)""",
        "CREATE INDEX river_notification_created_at_idx ON {schema}river_notification (created_at)",
        "CREATE INDEX river_notification_topic_id_idx ON {schema}river_notification (topic, id)",
        "DROP TABLE {schema}river_client_queue",
        "DROP TABLE {schema}river_client",
        "ALTER TABLE {schema}river_job ALTER COLUMN max_attempts SET DEFAULT 25",
        "ALTER TABLE {schema}river_queue ALTER COLUMN updated_at SET DEFAULT CURRENT_TIMESTAMP",
    ),
    down=(
        """
CREATE UNLOGGED TABLE {schema}river_client (
    id text PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT now(),
    metadata jsonb NOT NULL DEFAULT '{}',
    paused_at timestamptz,
    updated_at timestamptz NOT NULL,
    CONSTRAINT name_length CHECK (char_length(id) > 0 AND char_length(id) < 128)
)""",
        """
CREATE UNLOGGED TABLE {schema}river_client_queue (
    river_client_id text NOT NULL REFERENCES {schema}river_client (id) ON DELETE CASCADE,
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    max_workers bigint NOT NULL DEFAULT 0,
    metadata jsonb NOT NULL DEFAULT '{}',
    num_jobs_completed bigint NOT NULL DEFAULT 0,
    num_jobs_running bigint NOT NULL DEFAULT 0,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (river_client_id, name),
    CONSTRAINT name_length CHECK (char_length(name) > 0 AND char_length(name) < 128),
    CONSTRAINT num_jobs_completed_zero_or_positive CHECK (num_jobs_completed >= 0),
    CONSTRAINT num_jobs_running_zero_or_positive CHECK (num_jobs_running >= 0)
)""",
        "ALTER TABLE {schema}river_job ALTER COLUMN max_attempts DROP DEFAULT",
        "ALTER TABLE {schema}river_queue ALTER COLUMN updated_at DROP DEFAULT",
        "DROP TABLE {schema}river_notification",
    ),
)


def upgrade() -> None:
    """Add the outbox and the defaults. Locks ``river_job`` for an instant."""
    apply(MIGRATION, "up")


def downgrade() -> None:
    """Restore the tables for clients. Locks ``river_job`` for an instant."""
    apply(MIGRATION, "down")
