"""How rows become values; the only module that knows the order of their columns."""

from collections.abc import Sequence

from riverqueue.jobs import InsertResult, JobRow, Row

#: A job as every driver understands it alike: its identity, and all else as one JSON text in the order
#: `JobRow` reads it. One column costs every library less than twenty, JSON spells times alike whatever
#: the session's settings, and what nobody looks at is never decoded.
JOB_COLUMNS = """\
river_job.id,
    json_build_array(
        river_job.args, river_job.attempt, river_job.attempted_at, river_job.attempted_by, river_job.created_at,
        river_job.errors, river_job.finalized_at, river_job.kind, river_job.max_attempts, river_job.metadata,
        river_job.priority, river_job.queue, river_job.scheduled_at, river_job.state, river_job.tags,
        encode(river_job.unique_key, 'hex'), river_job.unique_states::int
    )::text"""


def insert_results(rows: Sequence[Row]) -> list[InsertResult]:
    """Decode inserted jobs, each with the flag that it was there before."""
    return [InsertResult(JobRow(row), row[2]) for row in rows]


def nothing(rows: Sequence[Row]) -> None:
    """Decode a statement whose rows nobody reads."""


def one(rows: Sequence[Row]) -> Row:
    """Decode a statement that always returns one row."""
    return rows[0]
