"""Version 6: unique jobs that bulk inserts can use, with the states that count as a bit mask."""

from riverqueue_migrations.ladder import Migration
from riverqueue_migrations.revision import apply

revision = "river_006"
down_revision = "river_005"
branch_labels = None
depends_on = None

MIGRATION = Migration(
    version=6,
    name="bulk unique",
    up=(
        # PostgreSQL does not let a transaction use an enum value that it added itself, and the function
        # below uses version 4's 'pending'. Where both versions run in one transaction, the type is
        # therefore made anew, with all its values at once: such a type is usable straight away. That
        # rewrites river_job, which is empty on the common way, from nothing to the newest version.
        """
DO $river$
BEGIN
    PERFORM 'pending'::{schema}river_job_state;
EXCEPTION WHEN unsafe_new_enum_value_usage THEN
    ALTER TYPE {schema}river_job_state RENAME TO river_job_state_old;
    CREATE TYPE {schema}river_job_state AS ENUM (
        'available', 'cancelled', 'completed', 'discarded', 'pending', 'retryable', 'running', 'scheduled'
    );
    ALTER TABLE {schema}river_job
        DROP CONSTRAINT finalized_or_finalized_at_null,
        ALTER COLUMN state DROP DEFAULT,
        ALTER COLUMN state TYPE {schema}river_job_state USING state::text::{schema}river_job_state,
        ALTER COLUMN state SET DEFAULT 'available',
        ADD CONSTRAINT finalized_or_finalized_at_null CHECK (
            (finalized_at IS NULL AND state NOT IN ('cancelled', 'completed', 'discarded')) OR
            (finalized_at IS NOT NULL AND state IN ('cancelled', 'completed', 'discarded'))
        );
    DROP TYPE {schema}river_job_state_old;
END
$river$""",
        # The body is River's to the byte: a schema dump shows it.
        """
CREATE OR REPLACE FUNCTION {schema}river_job_state_in_bitmask(bitmask BIT(8), state {schema}river_job_state)
RETURNS boolean
LANGUAGE SQL
IMMUTABLE
AS $$
    SELECT CASE state
        WHEN 'available' THEN get_bit(bitmask, 7)
        WHEN 'cancelled' THEN get_bit(bitmask, 6)
        WHEN 'completed' THEN get_bit(bitmask, 5)
        WHEN 'discarded' THEN get_bit(bitmask, 4)
        WHEN 'pending'   THEN get_bit(bitmask, 3)
        WHEN 'retryable' THEN get_bit(bitmask, 2)
        WHEN 'running'   THEN get_bit(bitmask, 1)
        WHEN 'scheduled' THEN get_bit(bitmask, 0)
        ELSE 0
    END = 1;
$$""",
        # IF NOT EXISTS, twice: the index may have been built concurrently beforehand.
        "ALTER TABLE {schema}river_job ADD COLUMN IF NOT EXISTS unique_states bit(8)",
        """
CREATE UNIQUE INDEX IF NOT EXISTS river_job_unique_idx ON {schema}river_job (unique_key)
    WHERE unique_key IS NOT NULL
      AND unique_states IS NOT NULL
      AND {schema}river_job_state_in_bitmask(unique_states, state)""",
        "DROP INDEX {schema}river_job_kind_unique_key_idx",
    ),
    down=(
        "DROP INDEX {schema}river_job_unique_idx",
        "ALTER TABLE {schema}river_job DROP COLUMN unique_states",
        """
CREATE UNIQUE INDEX IF NOT EXISTS river_job_kind_unique_key_idx ON {schema}river_job (kind, unique_key)
    WHERE unique_key IS NOT NULL""",
        "DROP FUNCTION {schema}river_job_state_in_bitmask",
    ),
)


def upgrade() -> None:
    """Add unique states and their index. Locks ``river_job`` against reads while the index is built."""
    apply(MIGRATION, "up")


def downgrade() -> None:
    """Return to version 5's unique index. Locks ``river_job`` against reads while it is built."""
    apply(MIGRATION, "down")
