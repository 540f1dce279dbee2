-- name: NotifyInsert
-- Tells working clients that their queues have jobs, when this transaction commits.
SELECT count(pg_notify({channel_prefix} || '.river_insert', payload))
FROM unnest(@payloads::text[]) AS payload
