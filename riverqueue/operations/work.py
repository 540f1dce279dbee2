"""Claim jobs and end their attempts (River's ``JobGetAvailable``, ``JobSetStateIfRunningMany``)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from riverqueue import rows
from riverqueue.encoding import rfc3339
from riverqueue.errors import NotFoundError
from riverqueue.events import EventKind
from riverqueue.jobs import JobRow, JobState, Row
from riverqueue.queues import Queue
from riverqueue.statement import Clauses, Operation, Param, ask

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(slots=True)
class Ending:
    """How an attempt ended.

    Parameters:
        job: The job as it was fetched.
        started_at: When its work began.
        ended_at: When its work ended.
        reason: What subscribers are told, unless the row says otherwise.
        state: The state that the job is to have.
        finalized_at: When it was finalized.
        error: JSON text of the attempt's error.
        metadata: JSON text of what is merged into the metadata.
        scheduled_at: When it is to be worked again.
        next_attempt: What its number of attempts becomes, if the attempt does not count.
    """

    job: JobRow
    started_at: datetime
    ended_at: datetime
    reason: EventKind
    state: JobState
    finalized_at: datetime | None = None
    error: str | None = None
    metadata: str | None = None
    scheduled_at: datetime | None = None
    next_attempt: int | None = None

    @property
    def is_plain(self) -> bool:
        """Whether the job is completed, with nothing else to store."""
        return self.state is JobState.COMPLETED and self.metadata is None


def queue_create_or_set_updated_at(name: str, now: datetime | None) -> Operation[Queue]:
    """Say that a client works a queue, and read how the queue stands."""
    return Queue((yield from ask("QueueCreateOrSetUpdatedAt", rows.one, name=name, now=now)))


def job_get_available(
    queue: str, count: int, *, client_id: str, kinds: Sequence[str] | None, now: datetime | None
) -> Operation[list[JobRow]]:
    """Claim jobs for a client.

    Parameters:
        queue: Of which queue.
        count: How many at most.
        client_id: Who claims them.
        kinds: Only of these kinds; None is any.
        now: The time; None is the database's.
    """
    values: dict[str, Param] = {"queue": queue, "count": count, "client_id": client_id, "now": now}
    clauses: Clauses = ()
    if kinds is not None:
        clauses = (("where", "kind = ANY(@_kinds::text[])"),)
        values["_kinds"] = list(kinds)
    return (yield from ask("JobGetAvailable", rows.jobs, clauses, **values))


def job_get_cancel_requested(ids: Sequence[int]) -> Operation[list[int]]:
    """Tell which of some running jobs are to be cancelled."""
    return (yield from ask("JobGetCancelRequested", _ids, ids=list(ids)))


def job_complete_many(endings: Sequence[Ending]) -> Operation[None]:
    """Store attempts that ended well and plainly; what became of each is not asked."""
    yield from ask(
        "JobCompleteMany",
        rows.nothing,
        ids=_array([ending.job.id for ending in endings]),
        attempts=_array([ending.job.attempt for ending in endings]),
        finalized_at=_array([_microseconds(ending.finalized_at or _EPOCH) for ending in endings]),
    )


def job_set_state_if_running_many(endings: Sequence[Ending], now: datetime | None) -> Operation[list[JobRow]]:
    """Store how attempts ended; return the jobs as they are then, those that there still are.

    Parameters:
        endings: At most one for each job.
        now: When jobs are finalized whose cancellation was asked for; None is the database's time.
    """
    jobs = f"[{','.join(map(_document, endings))}]"
    return (yield from ask("JobSetStateIfRunningMany", rows.jobs, jobs=jobs, now=now))


def job_complete(job_id: int, attempt: int, now: datetime, metadata: str | None) -> Operation[JobRow]:
    """Complete one job in the transaction of its worker.

    Raises:
        NotFoundError: if it is gone.
    """
    values = {"id": job_id, "attempt": attempt, "finalized_at": rfc3339(now), "state": JobState.COMPLETED.value}
    jobs = f"[{_merged(values, metadata=metadata)}]"
    found = yield from ask("JobSetStateIfRunningMany", rows.jobs, jobs=jobs, now=None)
    if not found:
        raise NotFoundError(f"job {job_id} is not found: it is deleted")
    return found[0]


def _document(ending: Ending) -> str:
    values: dict[str, Any] = {
        "id": ending.job.id,
        "attempt": ending.job.attempt,
        "next_attempt": ending.next_attempt,
        "finalized_at": ending.finalized_at and rfc3339(ending.finalized_at),
        "scheduled_at": ending.scheduled_at and rfc3339(ending.scheduled_at),
        "state": ending.state.value,
    }
    return _merged(values, error=ending.error, metadata=ending.metadata)


def _merged(values: dict[str, Any], **texts: str | None) -> str:
    """Spell an object; of what is given by name the values are JSON text already."""
    text = json.dumps({name: value for name, value in values.items() if value is not None})
    for name, value in texts.items():
        if value is not None:
            text = f'{text[:-1]},"{name}":{value}}}'
    return text


def _array(numbers: list[int]) -> str:
    # Libraries spell arrays number by number; all at once is several times as fast.
    return f"{{{str(numbers)[1:-1]}}}"


def _microseconds(time: datetime) -> int:
    return (time - _EPOCH) // _MICROSECOND


def _ids(found: Sequence[Row]) -> list[int]:
    return [row[0] for row in found]
