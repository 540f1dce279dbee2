"""What a client tells its subscribers (River's ``event.go``)."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from riverqueue.jobs import JobRow

#: Events that a subscriber may leave unread before new ones are dropped.
BUFFER = 1000


class EventKind(StrEnum):
    """What happened."""

    JOB_CANCELLED = "job_cancelled"
    """A job was cancelled: by its worker, or from outside."""

    JOB_COMPLETED = "job_completed"
    """A job was completed."""

    JOB_FAILED = "job_failed"
    """An attempt failed; the job's state says whether there will be another."""

    JOB_INTERRUPTED = "job_interrupted"
    """The client stopped before a job had ended; it is available again, and the attempt does not count."""

    JOB_SNOOZED = "job_snoozed"
    """A job was put off by its worker."""

    QUEUE_PAUSED = "queue_paused"
    """A queue that this client works was paused."""

    QUEUE_RESUMED = "queue_resumed"
    """A queue that this client works was resumed."""


@dataclass(frozen=True, slots=True)
class JobStatistics:
    """How long a job took.

    Parameters:
        complete_duration: From the end of its work until that was stored.
        queue_wait_duration: From the time for which it was scheduled until its work began.
        run_duration: Of its work.
    """

    complete_duration: timedelta
    queue_wait_duration: timedelta
    run_duration: timedelta


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in this client.

    Parameters:
        kind: What.
        job: The job as it is stored now; None if it is about a queue.
        job_stats: How long it took; None if it is about a queue.
        queue: Name of the queue.
    """

    kind: EventKind
    queue: str
    job: JobRow | None = None
    job_stats: JobStatistics | None = None
