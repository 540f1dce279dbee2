"""Version 5: migration lines, the first kind of unique jobs, and tables for clients."""

from riverqueue_migrations.ladder import Migration
from riverqueue_migrations.revision import apply

revision = "river_005"
down_revision = "river_004"
branch_labels = None
depends_on = None

MIGRATION = Migration(
    version=5,
    name="migration unique client",
    up=(
        # Someone who migrates with another tool may have left out version 1 and have no such table.
        # A new table instead of a new column, so that the columns and names are those River's own gives.
        """
DO $river$
BEGIN
    IF to_regclass($name${schema}river_migration$name$) IS NOT NULL THEN
        ALTER TABLE {schema}river_migration RENAME TO river_migration_old;
        CREATE TABLE {schema}river_migration (
            line text NOT NULL,
            version bigint NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT line_length CHECK (char_length(line) > 0 AND char_length(line) < 128),
            CONSTRAINT version_gte_1 CHECK (version >= 1),
            PRIMARY KEY (line, version)
        );
        INSERT INTO {schema}river_migration (line, version, created_at)
            SELECT 'main', version, created_at FROM {schema}river_migration_old;
        DROP TABLE {schema}river_migration_old;
    END IF;
END
$river$""",
        # IF NOT EXISTS, twice: the index may have been built concurrently beforehand.
        "ALTER TABLE {schema}river_job ADD COLUMN IF NOT EXISTS unique_key bytea",
        """
CREATE UNIQUE INDEX IF NOT EXISTS river_job_kind_unique_key_idx ON {schema}river_job (kind, unique_key)
    WHERE unique_key IS NOT NULL""",
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
    ),
    down=(
        """
DO $river$
BEGIN
    IF to_regclass($name${schema}river_migration$name$) IS NOT NULL THEN
        IF EXISTS (SELECT FROM {schema}river_migration WHERE line <> 'main') THEN
            RAISE EXCEPTION 'Found non-main migration lines in the database; version 005 migration is irreversible because it would result in loss of migration information.'
                USING HINT = 'Migrate the other lines down first.';
        END IF;
        ALTER TABLE {schema}river_migration RENAME TO river_migration_old;
        CREATE TABLE {schema}river_migration (
            id bigserial PRIMARY KEY,
            created_at timestamptz NOT NULL DEFAULT now(),
            version bigint NOT NULL,
            CONSTRAINT version CHECK (version >= 1)
        );
        CREATE UNIQUE INDEX ON {schema}river_migration (version);
        INSERT INTO {schema}river_migration (created_at, version)
            SELECT created_at, version FROM {schema}river_migration_old;
        DROP TABLE {schema}river_migration_old;
    END IF;
END
$river$""",  # noqa: E501
        "ALTER TABLE {schema}river_job DROP COLUMN unique_key",
        "DROP TABLE {schema}river_client_queue",
        "DROP TABLE {schema}river_client",
    ),
)


def upgrade() -> None:
    """Add lines, unique keys, clients. Locks ``river_job`` against reads while the index is built."""
    apply(MIGRATION, "up")


def downgrade() -> None:
    """Remove them. Locks ``river_job`` for an instant; refuses while other lines have rows."""
    apply(MIGRATION, "down")
