-- All but the youngest fiftieth are finalized. Half of the jobs are of one kind, the others of two thousand. No share
-- is so near to where another plan would be better that the samples ANALYZE takes could decide.
INSERT INTO river_job (
    id, state, attempt, attempted_at, attempted_by, created_at, finalized_at, scheduled_at, priority, args, kind,
    max_attempts, metadata, queue, tags
)
SELECT
    n,
    state,
    CASE WHEN begun THEN 1 ELSE 0 END,
    CASE WHEN begun THEN inserted + interval '1 second' END,
    CASE WHEN begun THEN ARRAY['client'] END,
    inserted,
    CASE WHEN state IN ('cancelled', 'completed', 'discarded') THEN inserted + interval '1 second' * (2 + n %% 7) END,
    CASE WHEN state IN ('retryable', 'scheduled') THEN inserted + interval '1 hour' * (1 + n %% 24) ELSE inserted END,
    1 + n %% 4,
    jsonb_build_object('customer', n %% 20000),
    CASE n %% 2 WHEN 0 THEN 'common' ELSE 'kind_' || n / 2 %% 2000 END,
    25,
    CASE n %% 4 WHEN 0 THEN jsonb_build_object('tenant', n %% 5000) ELSE '{}' END,
    CASE WHEN n %% 10 = 0 THEN 'mail' WHEN n %% 5000 = 5 THEN 'rare' ELSE 'default' END,
    CASE n %% 5 WHEN 0 THEN ARRAY['tag_' || n %% 1000] ELSE '{}' END
FROM (
    SELECT
        n,
        timestamptz '2026-01-01 00:00:00Z' + interval '0.25 seconds' * n AS inserted,
        state::river_job_state AS state,
        state NOT IN ('available', 'pending', 'scheduled') AS begun
    FROM generate_series(1, %s) AS n
    CROSS JOIN LATERAL (
        SELECT CASE
            WHEN n <= 980000 THEN CASE n %% 500 WHEN 0 THEN 'discarded' WHEN 1 THEN 'cancelled' ELSE 'completed' END
            WHEN n %% 100 = 4 THEN 'running'
            WHEN n %% 10 = 0 THEN 'retryable'
            WHEN n %% 10 IN (1, 2) THEN 'scheduled'
            WHEN n %% 10 = 3 THEN 'pending'
            ELSE 'available'
        END
    ) AS states (state)
) AS jobs
