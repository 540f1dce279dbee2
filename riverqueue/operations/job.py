"""Look after jobs (River's ``JobGetByID``, ``JobList``, ``JobCancel`` and so on, in ``river_job.sql``)."""

from collections.abc import Sequence
from datetime import datetime

from riverqueue import rows
from riverqueue.encoding import rfc3339
from riverqueue.errors import JobRunningError, NotFoundError
from riverqueue.job_counts import JobCounts
from riverqueue.job_params import JobDeleteManyParams, JobListParams, JobListResult
from riverqueue.jobs import JobRow, Row
from riverqueue.operations import filters
from riverqueue.statement import Operation, ask


def job_get(job_id: int) -> Operation[JobRow]:
    """Read a job.

    Raises:
        NotFoundError: if there is none.
    """
    return JobRow(_found((yield from ask("JobGet", rows.one_or_none, id=job_id)), job_id))


def job_wait(job_id: int) -> Operation[JobRow | None]:
    """Read a job if it is finalized.

    Raises:
        NotFoundError: if there is none.
    """
    row = _found((yield from ask("JobWait", rows.one_or_none, id=job_id)), job_id)
    return None if row[1] is None else JobRow(row)


def job_list(params: JobListParams) -> Operation[JobListResult]:
    """Read one page of a listing."""
    clauses, values = filters.of_listing(params)
    jobs = yield from ask(filters.listing(params), rows.jobs, clauses, **values, _first=params.first)
    return JobListResult(jobs, params.cursor_of(jobs[-1]) if jobs else None)


def job_count(queues: Sequence[str] | None) -> Operation[JobCounts]:
    """Count jobs by queue and state."""
    clauses, values = filters.of_queues(queues)
    counts = yield from ask("JobCount", rows.job_counts, clauses, **values)
    if queues is None:
        return counts
    return JobCounts({queue: counts.by_queue.get(queue, {}) for queue in sorted(set(queues))})


def job_cancel(job_id: int, *, attempted_at: datetime, now: datetime | None, notify: bool) -> Operation[JobRow]:
    """Cancel a job, or ask its client to if it is running.

    Parameters:
        job_id: Which job.
        attempted_at: When the cancellation was asked for.
        now: When the job is finalized; None is the database's time.
        notify: Whether working clients are told.

    Raises:
        NotFoundError: if there is none.
    """
    row = yield from ask(
        "JobCancel",
        rows.one_or_none,
        id=job_id,
        cancel_attempted_at=rfc3339(attempted_at),
        now=now,
        notify=notify,
    )
    return JobRow(_found(row, job_id))


def job_retry(job_id: int, *, now: datetime | None) -> Operation[JobRow]:
    """Make a job available to be worked at once.

    Parameters:
        job_id: Which job.
        now: When it may be worked; None is the database's time.

    Raises:
        NotFoundError: if there is none.
        JobRunningError: if it is running.
    """
    row = _found((yield from ask("JobRetry", rows.one_or_none, id=job_id, now=now)), job_id)
    return _not_running(row, "retried")


def job_delete(job_id: int) -> Operation[JobRow]:
    """Delete a job.

    Raises:
        NotFoundError: if there is none.
        JobRunningError: if it is running.
    """
    row = _found((yield from ask("JobDelete", rows.one_or_none, id=job_id)), job_id)
    return _not_running(row, "deleted")


def job_delete_many(params: JobDeleteManyParams) -> Operation[list[JobRow]]:
    """Delete jobs that do not run, and return them by id."""
    clauses, values = filters.of_deletion(params)
    return (yield from ask("JobDeleteMany", rows.jobs, clauses, **values, _first=params.first))


def job_update(job_id: int, metadata: str | None) -> Operation[JobRow]:
    """Merge an object into a job's metadata.

    Parameters:
        job_id: Which job.
        metadata: JSON text of an object; None changes nothing.

    Raises:
        NotFoundError: if there is none.
    """
    merge = metadata is not None
    row = yield from ask("JobUpdate", rows.one_or_none, id=job_id, merge=merge, metadata=metadata or "{}")
    return JobRow(_found(row, job_id))


def _found(row: Row | None, job_id: int) -> Row:
    if row is None:
        raise NotFoundError(f"job {job_id} is not found: it is deleted, or in a transaction that has not committed")
    return row


def _not_running(row: Row, what: str) -> JobRow:
    job = JobRow(row)
    if row[2]:
        raise JobRunningError(job, what)
    return job
