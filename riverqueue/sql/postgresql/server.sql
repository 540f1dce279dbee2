-- name: ServerProbe
-- What must be known of a server before the first insert: who it is, whether it notifies, and whether
-- River's tables are there and new enough. Reads the catalogs only, so that a missing table does not
-- abort the transaction it is asked in.
SELECT
    version(),
    current_setting('server_version_num')::int,
    coalesce(current_setting('yb_enable_listen_notify', true), 'off'),
    to_regclass('{schema}river_job') IS NOT NULL AS has_table,
    EXISTS (
        SELECT FROM pg_attribute
        WHERE attrelid = to_regclass('{schema}river_job') AND attname = 'unique_states' AND NOT attisdropped
    ) AS has_unique_states,
    to_regclass('{schema}river_migration') IS NOT NULL AS has_migrations,
    current_schema()

-- name: MigrationVersion
-- The newest version applied, whichever of its two shapes the table has.
SELECT coalesce(max(version), 0)::bigint FROM {schema}river_migration
