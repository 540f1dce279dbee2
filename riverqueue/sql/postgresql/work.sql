-- name: JobGetAvailable
-- Claims jobs, in River's order. What another client has locked is passed over.
WITH chosen AS (
    SELECT id
    FROM {schema}river_job
    WHERE state = 'available'
        AND queue = @queue::text
        AND scheduled_at <= coalesce(@now::timestamptz, now())
        AND {where}
    ORDER BY priority, scheduled_at, id
    LIMIT @count::int
    FOR UPDATE SKIP LOCKED
)
UPDATE {schema}river_job AS river_job
SET
    state = 'running',
    attempt = river_job.attempt + 1,
    attempted_at = coalesce(@now::timestamptz, now()),
    attempted_by = array_append(
        CASE
            -- The newest 99 of 100, so that this client's makes it 100 again.
            WHEN array_length(river_job.attempted_by, 1) >= 100
            THEN river_job.attempted_by[array_length(river_job.attempted_by, 1) - 98:]
            ELSE river_job.attempted_by
        END,
        @client_id::text
    )
FROM chosen
WHERE river_job.id = chosen.id
RETURNING {job_columns}

-- name: JobCompleteMany
-- What most attempts end in, and nobody subscribes to: completed, with nothing else to store.
UPDATE {schema}river_job AS river_job
SET
    state = 'completed',
    finalized_at = timestamptz 'epoch' + done.finalized_at * interval '1 microsecond'
FROM unnest(@ids::text::bigint[], @attempts::text::int[], @finalized_at::text::bigint[]) AS done (id, attempt, finalized_at)
WHERE river_job.id = done.id
    AND river_job.state = 'running'
    AND river_job.attempt = done.attempt

-- name: _Ours
-- The row is still in the attempt that has ended: neither rescued, nor fetched again since.
(river_job.state = 'running' AND river_job.attempt = ended.attempt)

-- name: _Cancelled
-- It was to be worked again, but its cancellation was asked for meanwhile.
(ended.state IN ('available', 'retryable', 'scheduled') AND river_job.metadata ? 'cancel_attempted_at')

-- name: JobSetStateIfRunningMany
-- Ends attempts, each in its own way. A job that does not run any more, or runs in another attempt, keeps its state; its
-- metadata are merged all the same. Returns all of the jobs that there are, as they are then.
WITH ended AS (
    SELECT *
    FROM jsonb_to_recordset(@jobs::text::jsonb) AS job (
        id bigint, attempt int, next_attempt int, error jsonb, finalized_at timestamptz, metadata jsonb,
        scheduled_at timestamptz, state text
    )
),
updated (id, job) AS (
    UPDATE {schema}river_job AS river_job
    SET
        attempt = CASE
            WHEN {_Ours} AND NOT {_Cancelled} THEN coalesce(ended.next_attempt, river_job.attempt)
            ELSE river_job.attempt
        END,
        errors = CASE
            WHEN {_Ours} AND ended.error IS NOT NULL THEN array_append(river_job.errors, ended.error)
            ELSE river_job.errors
        END,
        finalized_at = CASE
            WHEN {_Ours} AND {_Cancelled} THEN coalesce(@now::timestamptz, now())
            WHEN {_Ours} THEN coalesce(ended.finalized_at, river_job.finalized_at)
            ELSE river_job.finalized_at
        END,
        metadata = CASE
            WHEN ended.metadata IS NULL THEN river_job.metadata
            ELSE river_job.metadata || ended.metadata
        END,
        scheduled_at = CASE
            WHEN {_Ours} AND NOT {_Cancelled} THEN coalesce(ended.scheduled_at, river_job.scheduled_at)
            ELSE river_job.scheduled_at
        END,
        state = CASE
            WHEN {_Ours} AND {_Cancelled} THEN 'cancelled'
            WHEN {_Ours} THEN ended.state::{schema}river_job_state
            ELSE river_job.state
        END
    FROM ended
    WHERE river_job.id = ended.id
        AND ({_Ours} OR ended.metadata IS NOT NULL)
    RETURNING {job_columns}
)
SELECT id, job FROM updated
UNION ALL
SELECT {job_columns}
FROM {schema}river_job AS river_job
JOIN ended ON ended.id = river_job.id
WHERE NOT EXISTS (SELECT FROM updated WHERE updated.id = river_job.id)

-- name: JobGetCancelRequested
-- Which of some running jobs are to be cancelled.
SELECT river_job.id
FROM {schema}river_job AS river_job
WHERE river_job.id = ANY(@ids::bigint[])
    AND river_job.state = 'running'
    AND river_job.metadata ? 'cancel_attempted_at'

-- name: QueueCreateOrSetUpdatedAt
-- Says that a client works a queue; whether it is paused stays.
INSERT INTO {schema}river_queue AS river_queue (name, created_at, updated_at)
VALUES (
    @name::text,
    coalesce(@now::timestamptz, now()),
    coalesce(@now::timestamptz, now())
)
ON CONFLICT (name) DO UPDATE SET updated_at = EXCLUDED.updated_at
RETURNING {queue_columns}
