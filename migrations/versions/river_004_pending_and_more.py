"""Version 4: the state ``pending``, queues, args and metadata that are never null; no trigger any more."""

from riverqueue_migrations.ladder import Migration
from riverqueue_migrations.revision import apply

revision = "river_004"
down_revision = "river_003"
branch_labels = None
depends_on = None

MIGRATION = Migration(
    version=4,
    name="pending and more",
    up=(
        # After a way down and up again, metadata may be null and without its default. This comes first
        # for its lock, too: no job without args can slip in between the updates and SET NOT NULL.
        "ALTER TABLE {schema}river_job ALTER COLUMN metadata SET DEFAULT '{}'",
        "UPDATE {schema}river_job SET args = '{}' WHERE args IS NULL",
        "UPDATE {schema}river_job SET metadata = '{}' WHERE metadata IS NULL",
        """
ALTER TABLE {schema}river_job
    ALTER COLUMN args SET NOT NULL,
    ALTER COLUMN metadata SET NOT NULL""",
        # Downgrading leaves the value in place, so it may be there. It may not be used before the
        # transaction ends; version 6 knows what to do if that is too late.
        "ALTER TYPE {schema}river_job_state ADD VALUE IF NOT EXISTS 'pending' AFTER 'discarded'",
        "ALTER TABLE {schema}river_job DROP CONSTRAINT finalized_or_finalized_at_null",
        """
ALTER TABLE {schema}river_job ADD CONSTRAINT finalized_or_finalized_at_null CHECK (
    (finalized_at IS NULL AND state NOT IN ('cancelled', 'completed', 'discarded')) OR
    (finalized_at IS NOT NULL AND state IN ('cancelled', 'completed', 'discarded'))
)""",
        "DROP TRIGGER river_notify ON {schema}river_job",
        "DROP FUNCTION {schema}river_job_notify",
        """
CREATE TABLE {schema}river_queue (
    name text PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT now(),
    metadata jsonb NOT NULL DEFAULT '{}',
    paused_at timestamptz,
    updated_at timestamptz NOT NULL
)""",
        """
ALTER TABLE {schema}river_leader
    ALTER COLUMN name SET DEFAULT 'default',
    DROP CONSTRAINT name_length,
    ADD CONSTRAINT name_length CHECK (name = 'default')""",
    ),
    down=(
        """
ALTER TABLE {schema}river_job
    ALTER COLUMN args DROP NOT NULL,
    ALTER COLUMN metadata DROP NOT NULL,
    ALTER COLUMN metadata DROP DEFAULT""",
        # An enum cannot lose a value, so 'pending' stays.
        "ALTER TABLE {schema}river_job DROP CONSTRAINT finalized_or_finalized_at_null",
        """
ALTER TABLE {schema}river_job ADD CONSTRAINT finalized_or_finalized_at_null CHECK (
    (state IN ('cancelled', 'completed', 'discarded') AND finalized_at IS NOT NULL) OR finalized_at IS NULL
)""",
        """
CREATE OR REPLACE FUNCTION {schema}river_job_notify()
  RETURNS TRIGGER
  AS $$
DECLARE
  payload json;
BEGIN
  IF NEW.state = 'available' THEN
    -- Notify will coalesce duplicate notifications within a transaction, so
    -- keep these payloads generalized:
    payload = json_build_object('queue', NEW.queue);
    PERFORM
      pg_notify('river_insert', payload::text);
  END IF;
  RETURN NULL;
END;
$$
LANGUAGE plpgsql""",
        """
CREATE TRIGGER river_notify AFTER INSERT ON {schema}river_job
    FOR EACH ROW EXECUTE FUNCTION {schema}river_job_notify()""",
        "DROP TABLE {schema}river_queue",
        """
ALTER TABLE {schema}river_leader
    ALTER COLUMN name DROP DEFAULT,
    DROP CONSTRAINT name_length,
    ADD CONSTRAINT name_length CHECK (char_length(name) > 0 AND char_length(name) < 128)""",
    ),
)


def upgrade() -> None:
    """Add ``pending`` and queues. Locks ``river_job`` against reads while it is scanned and updated."""
    apply(MIGRATION, "up")


def downgrade() -> None:
    """Drop queues and restore the trigger. Locks ``river_job`` against reads while it is scanned."""
    apply(MIGRATION, "down")
