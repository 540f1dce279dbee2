"""How rows become values; the only module that knows the order of their columns."""

from collections.abc import Sequence

from riverqueue.jobs import InsertResult, JobRow, Row

#: The columns of a job as every driver understands them alike, in the order `JobRow` reads them.
JOB_COLUMNS = """\
river_job.id, river_job.args::text, river_job.attempt, river_job.attempted_at, river_job.attempted_by,
    river_job.created_at, river_job.errors::text[], river_job.finalized_at, river_job.kind,
    river_job.max_attempts, river_job.metadata::text, river_job.priority, river_job.queue,
    river_job.scheduled_at, river_job.state::text, river_job.tags::text[],
    encode(river_job.unique_key, 'hex'), river_job.unique_states::int"""


def insert_results(rows: Sequence[Row]) -> list[InsertResult]:
    """Decode inserted jobs, each with the flag that it was there before."""
    return [InsertResult(JobRow(row), row[18]) for row in rows]


def nothing(rows: Sequence[Row]) -> None:
    """Decode a statement whose rows nobody reads."""


def one(rows: Sequence[Row]) -> Row:
    """Decode a statement that always returns one row."""
    return rows[0]
