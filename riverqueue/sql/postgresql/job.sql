-- name: JobInsert
-- One job without a unique key, when no notification is due: what most inserts are. It costs the server
-- three quarters of what JobInsertMany does, and less than half where nothing is prepared.
INSERT INTO {schema}river_job AS river_job (
    args, created_at, kind, max_attempts, metadata, priority, queue, scheduled_at, state, tags
)
VALUES (
    @args::text::jsonb,
    @created_at::timestamptz,
    @kind::text,
    @max_attempts::int,
    @metadata::text::jsonb,
    @priority::int,
    @queue::text,
    @scheduled_at::timestamptz,
    @state::text::{schema}river_job_state,
    string_to_array(@tags::text, ',')::varchar(255)[]
)
RETURNING
    {job_columns},
    false

-- name: _JobInsert
-- Inserts a batch in the order of its JSON document. One text parameter for the whole batch crosses every
-- driver alike, and is quicker to build and to read than thirteen arrays. Elements leave out what has
-- its default, and what is as the parameters beside the document say.
INSERT INTO {schema}river_job AS river_job (
    id, args, created_at, kind, max_attempts, metadata, priority, queue, scheduled_at, state, tags,
    unique_key, unique_states
)
SELECT
    coalesce(job.id, nextval('{schema}river_job_id_seq'::regclass)),
    job.args,
    coalesce(job.created_at, @now::timestamptz),
    coalesce(job.kind, @kind::text),
    coalesce(job.max_attempts, @max_attempts::int),
    coalesce(job.metadata, '{}'::jsonb),
    coalesce(job.priority, @priority::int),
    coalesce(job.queue, @queue::text),
    coalesce(job.scheduled_at, @now::timestamptz),
    coalesce(job.state, @state::text)::{schema}river_job_state,
    coalesce(job.tags, '{}'::varchar(255)[]),
    decode(job.unique_key, 'hex'),
    job.unique_states::bit(8)
FROM jsonb_to_recordset(@jobs::text::jsonb) AS job (
    id bigint, args jsonb, created_at timestamptz, kind text, max_attempts smallint, metadata jsonb,
    priority smallint, queue text, scheduled_at timestamptz, state text, tags varchar(255)[],
    unique_key text, unique_states integer
)

-- name: _Notify
-- Runs once a statement, in its transaction: nobody hears of the jobs before they can be seen, or at all if the
-- transaction rolls back.
(
    SELECT count(pg_notify({channel_prefix} || '.river_insert', payload))
    FROM unnest(@payloads::text[]) AS payload
)

-- name: JobInsertMany
-- Returns a row for each element of the document, in its order. For batches without any unique key: to be
-- ready for a conflict costs a tenth of the time.
{_JobInsert}
RETURNING
    {job_columns},
    false,
    {_Notify}

-- name: JobInsertManyUnique
-- Returns a row for each element of the document, in its order, and whether it was there before.
--
-- On a conflict something has to be updated for the existing row to be returned; its kind stays,
-- which differs from the new job's where the unique options exclude the kind.
{_JobInsert}
ON CONFLICT (unique_key)
    WHERE unique_key IS NOT NULL
        AND unique_states IS NOT NULL
        AND {schema}river_job_state_in_bitmask(unique_states, state)
    DO UPDATE SET kind = river_job.kind
RETURNING
    {job_columns},
    {duplicate},
    {_Notify}

-- name: JobInsertManyNoReturning
-- Returns how many; a unique key that is taken fails the statement, as it fails a COPY.
WITH inserted AS (
    {_JobInsert}
    RETURNING 1
)
SELECT
    count(*),
    {_Notify}
FROM inserted

-- name: JobNextIds
-- Draws identities in the caller's order for a batch that is inserted in another one.
SELECT nextval('{schema}river_job_id_seq'::regclass) FROM generate_series(1, @count::int)

-- name: JobGet
SELECT {job_columns}
FROM {schema}river_job AS river_job
WHERE river_job.id = @id::bigint

-- name: JobWait
-- The job once it is finalized; before that only that it is there.
SELECT
    river_job.id,
    CASE WHEN river_job.finalized_at IS NOT NULL THEN {job_json} END
FROM {schema}river_job AS river_job
WHERE river_job.id = @id::bigint

-- name: JobList
-- The jobs of the page are put into JSON when it is known which they are: where they must be sorted, all would be.
-- Their number is a parameter for a reason: a plan for all values would be made for a tenth of the table, which is dear,
-- so that each list keeps being planned for its own.
SELECT {job_columns}
FROM (
    SELECT river_job.*
    FROM {schema}river_job AS river_job
    WHERE {where}
    ORDER BY {order_by}
    LIMIT @_first::int
) AS river_job
ORDER BY {order_by}

-- name: JobListFiltered
-- Filters that leave few jobs are asked first. PostgreSQL takes what a filter leaves to be spread evenly: but for the
-- OFFSET, it would go through the index of the order from its beginning, and meet the first of them after a million.
SELECT {job_columns}
FROM (
    SELECT river_job.*
    FROM (
        SELECT river_job.*
        FROM {schema}river_job AS river_job
        WHERE {where}
        OFFSET 0
    ) AS river_job
    ORDER BY {order_by}
    LIMIT @_first::int
) AS river_job
ORDER BY {order_by}

-- name: JobListByState
-- The index has jobs in the order of their ends for each state by itself, so each is asked for a page.
SELECT {job_columns}
FROM (
    SELECT river_job.*
    FROM unnest(@_states::text[]::{schema}river_job_state[]) AS listed (state)
    CROSS JOIN LATERAL (
        SELECT river_job.*
        FROM {schema}river_job AS river_job
        WHERE river_job.state = listed.state
            AND {where}
        ORDER BY {order_by}
        LIMIT @_first::int
    ) AS river_job
    ORDER BY {order_by}
    LIMIT @_first::int
) AS river_job
ORDER BY {order_by}

-- name: JobCount
SELECT river_job.queue, river_job.state::text, count(*)
FROM {schema}river_job AS river_job
WHERE {where}
GROUP BY river_job.queue, river_job.state
ORDER BY river_job.queue, river_job.state

-- name: JobCancel
-- A job that runs is left to its client, which hears of it: only the mark is set, which also keeps it from being
-- retried or rescued should its client not hear. All others are cancelled at once. Of two that want the same row, the
-- second waits and returns what the first has made of it, since the row is locked when it is read.
WITH found (id, job, queue, cancellable) AS (
    SELECT
        {job_columns},
        river_job.queue,
        river_job.state NOT IN ('cancelled', 'completed', 'discarded') AND river_job.finalized_at IS NULL
    FROM {schema}river_job AS river_job
    WHERE river_job.id = @id::bigint
    FOR UPDATE
),
notified AS (
    SELECT
        id,
        CASE WHEN @notify::boolean THEN pg_notify(
            {channel_prefix} || '.river_control',
            json_build_object('action', 'cancel', 'job_id', id, 'queue', queue)::text
        ) END
    FROM found
    WHERE cancellable
),
cancelled AS (
    UPDATE {schema}river_job AS river_job
    SET
        state = CASE WHEN state = 'running' THEN state ELSE 'cancelled' END,
        finalized_at = CASE WHEN state = 'running' THEN finalized_at ELSE coalesce(@now::timestamptz, now()) END,
        metadata = jsonb_set(metadata, ARRAY['cancel_attempted_at'], to_jsonb(@cancel_attempted_at::text))
    FROM notified
    WHERE river_job.id = notified.id
    RETURNING {job_columns}
)
SELECT * FROM cancelled
UNION ALL
SELECT id, job FROM found WHERE NOT cancellable

-- name: JobRetry
-- Neither a running job nor one that is about to be worked is touched. What remains of a cancellation goes, or it
-- would cancel the next attempt as well. Which of them it is, is read from the row that is locked: the update's own
-- conditions would first be asked of the row as it was before another transaction changed it, and pass it over.
WITH found (id, job, running, retriable) AS (
    SELECT
        {job_columns},
        river_job.state = 'running',
        river_job.state <> 'running'
            AND NOT (river_job.state = 'available' AND river_job.scheduled_at < coalesce(@now::timestamptz, now()))
    FROM {schema}river_job AS river_job
    WHERE river_job.id = @id::bigint
    FOR UPDATE
),
retried AS (
    UPDATE {schema}river_job AS river_job
    SET
        state = 'available',
        finalized_at = NULL,
        max_attempts = CASE WHEN attempt = max_attempts THEN max_attempts + 1 ELSE max_attempts END,
        metadata = metadata - 'cancel_attempted_at',
        scheduled_at = coalesce(@now::timestamptz, now())
    FROM found
    WHERE river_job.id = found.id AND found.retriable
    RETURNING {job_columns}, false
)
SELECT * FROM retried
UNION ALL
SELECT id, job, running FROM found WHERE NOT retriable

-- name: JobDelete
WITH found (id, job, running) AS (
    SELECT {job_columns}, river_job.state = 'running'
    FROM {schema}river_job AS river_job
    WHERE river_job.id = @id::bigint
    FOR UPDATE
),
deleted AS (
    DELETE FROM {schema}river_job AS river_job
    USING found
    WHERE river_job.id = found.id AND NOT found.running
)
SELECT * FROM found

-- name: JobDeleteMany
-- Jobs that another transaction holds are left to it, as running ones are. The chosen are found again as an array: to
-- join ten thousand, PostgreSQL would read the whole table.
WITH chosen AS (
    SELECT river_job.id
    FROM {schema}river_job AS river_job
    WHERE {where}
        AND river_job.state <> 'running'
    ORDER BY river_job.id
    LIMIT @_first::int
    FOR UPDATE SKIP LOCKED
),
deleted (id, job) AS (
    DELETE FROM {schema}river_job AS river_job
    WHERE river_job.id = ANY(ARRAY(SELECT id FROM chosen))
    RETURNING {job_columns}
)
SELECT * FROM deleted ORDER BY id

-- name: JobUpdate
UPDATE {schema}river_job AS river_job
SET metadata = CASE WHEN @merge::boolean THEN metadata || @metadata::text::jsonb ELSE metadata END
WHERE river_job.id = @id::bigint
RETURNING {job_columns}
