"""What may be said about a job when it is inserted (River's ``insert_opts.go``)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from riverqueue.jobs import JobState

MAX_ATTEMPTS_DEFAULT = 25
PRIORITY_DEFAULT = 1
QUEUE_DEFAULT = "default"

#: States that count for uniqueness unless ``UniqueOpts.by_state`` says otherwise.
UNIQUE_STATES_DEFAULT = (
    JobState.AVAILABLE,
    JobState.COMPLETED,
    JobState.PENDING,
    JobState.RETRYABLE,
    JobState.RUNNING,
    JobState.SCHEDULED,
)

#: States that ``UniqueOpts.by_state`` must contain, in the order errors name them.
UNIQUE_STATES_REQUIRED = (JobState.AVAILABLE, JobState.PENDING, JobState.RUNNING, JobState.SCHEDULED)

#: One selected arg: ``"customer.id"`` is a dotted path, ``("name.with.dots",)`` names its parts literally.
ArgPath = str | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UniqueOpts:
    """Which jobs count as the same job.

    A job whose unique properties match those of an existing job is not inserted again: the
    existing row is returned, flagged ``unique_skipped_as_duplicated``. The kind always counts,
    unless `exclude_kind`.

    Parameters:
        by_args: ``True`` for all args, or the paths of those that count. A string is a dotted
            path (``"customer.id"``); a tuple names each part literally.
        by_period: Jobs are the same only within one period, counted from year 1 in UTC and
            placed by ``scheduled_at`` when given. A number is seconds; at least one second.
        by_queue: Jobs are the same only within one queue.
        by_state: States in which an existing job counts; must contain available, pending,
            running and scheduled. Default: all but cancelled and discarded.
        exclude_kind: Jobs of different kinds can be the same; needs one of `by_args`,
            `by_period` and `by_queue` beside it.
    """

    by_args: bool | Sequence[ArgPath] | None = None
    by_period: timedelta | float | None = None
    by_queue: bool | None = None
    by_state: Sequence[JobState | str] | None = None
    exclude_kind: bool | None = None


@dataclass(frozen=True, slots=True)
class InsertOpts:
    """Options of one insert; what is left out is taken from the args' own ``insert_opts()``.

    Parameters:
        max_attempts: Attempts before the job is discarded, 1 to 32767 (default: the client's, 25).
        priority: 1 (first) to 4 (last); default 1.
        queue: Queue to put the job in; default ``"default"``.
        scheduled_at: Aware time before which the job is not worked. Given, even in the past, the
            job begins as ``scheduled``.
        tags: Words of 3 to 255 ASCII letters, digits, ``_`` and ``-``. An empty list replaces the
            tags of the args' own options.
        unique_opts: See `UniqueOpts`.
        metadata: A JSON object, as a mapping or as JSON text. Not read from the args' own options.
        pending: Insert as ``pending``: not worked until something makes it available. Not read
            from the args' own options.
    """

    max_attempts: int | None = None
    priority: int | None = None
    queue: str | None = None
    scheduled_at: datetime | None = None
    tags: Sequence[str] | None = None
    unique_opts: UniqueOpts | None = None
    metadata: Mapping[str, Any] | str | bytes | None = None
    pending: bool = False
