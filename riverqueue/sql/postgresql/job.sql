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
