"""How rows become values; the only module that knows the order of their columns."""

from collections.abc import Sequence

from riverqueue.job_counts import JobCounts
from riverqueue.jobs import InsertResult, JobRow, JobState, Row
from riverqueue.queues import Queue

#: A job as every driver understands it alike: its identity, and all else as one JSON text in the order
#: `JobRow` reads it. One column costs every library less than twenty, JSON spells times alike whatever
#: the session's settings, and what nobody looks at is never decoded.
JOB_JSON = """\
json_build_array(
        river_job.args, river_job.attempt, river_job.attempted_at, river_job.attempted_by, river_job.created_at,
        river_job.errors, river_job.finalized_at, river_job.kind, river_job.max_attempts, river_job.metadata,
        river_job.priority, river_job.queue, river_job.scheduled_at, river_job.state, river_job.tags,
        encode(river_job.unique_key, 'hex'), river_job.unique_states::int
    )::text"""
JOB_COLUMNS = f"river_job.id,\n    {JOB_JSON}"

#: A queue, likewise, in the order `Queue` reads it.
QUEUE_COLUMNS = """\
river_queue.name,
    json_build_array(
        river_queue.created_at, river_queue.metadata, river_queue.paused_at, river_queue.updated_at
    )::text"""


def insert_results(rows: Sequence[Row]) -> list[InsertResult]:
    """Decode inserted jobs, each with the flag that it was there before."""
    return [InsertResult(JobRow(row), row[2]) for row in rows]


def nothing(rows: Sequence[Row]) -> None:
    """Decode a statement whose rows nobody reads."""


def one(rows: Sequence[Row]) -> Row:
    """Decode a statement that always returns one row."""
    return rows[0]


def one_or_none(rows: Sequence[Row]) -> Row | None:
    """Decode a statement that returns one row or none."""
    return rows[0] if rows else None


def jobs(rows: Sequence[Row]) -> list[JobRow]:
    """Decode jobs."""
    return [JobRow(row) for row in rows]


def queues(rows: Sequence[Row]) -> list[Queue]:
    """Decode queues."""
    return [Queue(row) for row in rows]


def job_counts(rows: Sequence[Row]) -> JobCounts:
    """Decode queue, state and number."""
    by_queue: dict[str, dict[JobState, int]] = {}
    for queue, state, count in rows:
        by_queue.setdefault(queue, {})[JobState(state)] = count
    return JobCounts(by_queue)
