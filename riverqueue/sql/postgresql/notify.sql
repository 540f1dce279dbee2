-- name: NotifyInsert
-- Tells working clients that their queues have jobs, when this transaction commits.
SELECT {_Notify}
