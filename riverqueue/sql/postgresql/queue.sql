-- name: QueueGet
SELECT {queue_columns}
FROM {schema}river_queue AS river_queue
WHERE river_queue.name = @name::text

-- name: QueueList
SELECT {queue_columns}
FROM {schema}river_queue AS river_queue
ORDER BY river_queue.name
LIMIT @first::int

-- name: _QueueNotify
-- Tells working clients, when this transaction commits.
(
    SELECT count(pg_notify({channel_prefix} || '.river_control', @payload::text))
    WHERE @notify::boolean
)

-- name: QueuePause
-- Returns how many queues there are of that name; `*` is all that there are.
WITH paused AS (
    UPDATE {schema}river_queue AS river_queue
    SET
        paused_at = coalesce(paused_at, @now::timestamptz, now()),
        updated_at = CASE WHEN paused_at IS NULL THEN coalesce(@now::timestamptz, now()) ELSE updated_at END
    WHERE @name::text = '*' OR river_queue.name = @name::text
    RETURNING 1
)
SELECT
    count(*),
    CASE WHEN count(*) > 0 OR @name::text = '*' THEN {_QueueNotify} END
FROM paused

-- name: QueueResume
-- Returns how many queues there are of that name; `*` is all that there are.
WITH resumed AS (
    UPDATE {schema}river_queue AS river_queue
    SET
        paused_at = NULL,
        updated_at = CASE WHEN paused_at IS NULL THEN updated_at ELSE coalesce(@now::timestamptz, now()) END
    WHERE @name::text = '*' OR river_queue.name = @name::text
    RETURNING 1
)
SELECT
    count(*),
    CASE WHEN count(*) > 0 OR @name::text = '*' THEN {_QueueNotify} END
FROM resumed

-- name: QueueUpdate
UPDATE {schema}river_queue AS river_queue
SET
    metadata = CASE WHEN @replace::boolean THEN @metadata::text::jsonb ELSE metadata END,
    updated_at = now()
WHERE river_queue.name = @name::text
RETURNING
    {queue_columns},
    {_QueueNotify}
