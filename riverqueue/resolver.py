"""From what a user asks to insert to what stands in the row (River's ``insertParamsFromConfigArgsAndOptions``)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from riverqueue import insert_params, job_args, unique
from riverqueue.errors import InvalidJobError
from riverqueue.insert_opts import PRIORITY_DEFAULT, QUEUE_DEFAULT, InsertOpts, UniqueOpts
from riverqueue.insert_params import ArgsOrCallable, JobInsertParams
from riverqueue.jobs import JobState

_NO_OPTS = InsertOpts()


class Settled(NamedTuple):
    """Options by precedence, checked."""

    max_attempts: int
    metadata: str
    priority: int
    queue: str
    scheduled_at: datetime | None
    state: JobState
    tags: tuple[str, ...]
    unique_opts: UniqueOpts | None


class Kinds(Protocol):
    """The kinds that a client works."""

    def insert_opts(self, kind: str, /) -> InsertOpts | None:
        """Return the options of a kind, if its worker has any.

        Raises:
            UnknownJobKindError: if there is no worker, and jobs without one are not to be inserted.
        """
        ...


class Resolver:
    """Works out jobs: options by precedence, checked; args encoded; unique key computed.

    Parameters:
        max_attempts: The client's default.
        unique: Whether unique options count.
        workers: Those of the client, which have options for the jobs of their kinds; others are refused.
    """

    def __init__(
        self,
        *,
        max_attempts: int,
        unique: bool = True,
        workers: Kinds | None = None,
    ) -> None:
        self._workers = workers
        self._max_attempts = max_attempts
        self._unique = unique
        self._default = self._settle(_NO_OPTS, _NO_OPTS)

    def resolve(
        self, pairs: Sequence[tuple[ArgsOrCallable, InsertOpts | None]], now: datetime, first: int = 0
    ) -> list[JobInsertParams]:
        """Work out a batch.

        Parameters:
            pairs: What the user passed: args and the call's options.
            now: The time of the insert.
            first: Place of the first in the user's batch, of which this may be a part.

        Raises:
            InvalidJobError: if anything about a job cannot be stored or would surprise.
        """
        # Most batches have the same options object, or none, for all jobs: it is settled once.
        settled: dict[int, Settled] = {}
        jobs: list[JobInsertParams] = []
        try:
            for given, opts in pairs:
                jobs.append(self._resolve(given, opts, settled, now))
        except Exception as error:
            if len(pairs) > 1 or first:
                error.add_note(f"job {first + len(jobs)} of the batch, counted from 0: {pairs[len(jobs)][0]!r:.200}")
            raise
        return jobs

    def _resolve(
        self, given: ArgsOrCallable, opts: InsertOpts | None, settled: dict[int, Settled], now: datetime
    ) -> JobInsertParams:
        args: Any = given() if callable(given) and not hasattr(given, "kind") else given
        kind = job_args.kind_of(args)
        encoded_args = job_args.encode_args(args)
        own = job_args.own_insert_opts(args)
        if self._workers is not None:
            own = _over(own, self._workers.insert_opts(kind))
        if own is not None:
            found = self._settle(_checked(opts), own)
        elif opts is None:
            found = self._default
        elif id(opts) in settled:
            found = settled[id(opts)]
        else:
            found = settled[id(opts)] = self._settle(_checked(opts), _NO_OPTS)
        max_attempts, metadata, priority, queue, scheduled_at, state, tags, unique_opts = found
        job = JobInsertParams(
            args, encoded_args, kind, max_attempts, metadata, priority, queue, scheduled_at, state, tags
        )
        if unique_opts is not None:
            _make_unique(job, unique_opts, now)
        return job

    def _settle(self, call: InsertOpts, own: InsertOpts) -> Settled:
        scheduled_at = insert_params.checked_scheduled_at(_first(call.scheduled_at, own.scheduled_at))
        unique_opts = _unique_opts(call.unique_opts, own.unique_opts)
        return Settled(
            insert_params.checked_max_attempts(_first(call.max_attempts, own.max_attempts, self._max_attempts)),
            insert_params.checked_metadata(call.metadata),
            insert_params.checked_priority(_first(call.priority, own.priority, PRIORITY_DEFAULT)),
            insert_params.checked_queue(_first(call.queue, own.queue, QUEUE_DEFAULT)),
            scheduled_at,
            _state(call.pending, scheduled_at),
            insert_params.checked_tags(_first(call.tags, own.tags)),
            unique_opts if self._unique else None,
        )


def _checked(opts: InsertOpts | None) -> InsertOpts:
    if opts is None:
        return _NO_OPTS
    if not isinstance(opts, InsertOpts):
        raise InvalidJobError(f"insert_opts must be an InsertOpts, not {type(opts).__name__}")
    return opts


def _over(own: InsertOpts | None, workers: InsertOpts | None) -> InsertOpts | None:
    """Put the options of the args' class before those of the worker."""
    if own is None or workers is None:
        return own or workers
    return InsertOpts(
        max_attempts=_first(own.max_attempts, workers.max_attempts),
        priority=_first(own.priority, workers.priority),
        queue=_first(own.queue, workers.queue),
        scheduled_at=_first(own.scheduled_at, workers.scheduled_at),
        tags=_first(own.tags, workers.tags),
        unique_opts=_first(own.unique_opts, workers.unique_opts),
    )


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _state(pending: bool, scheduled_at: datetime | None) -> JobState:
    if pending:
        return JobState.PENDING
    return JobState.AVAILABLE if scheduled_at is None else JobState.SCHEDULED


def _unique_opts(call: UniqueOpts | None, own: UniqueOpts | None) -> UniqueOpts | None:
    for opts in (call, own):
        if opts is not None:
            unique.validate(opts)
            if not unique.is_empty(opts):
                return opts
    return None


def _make_unique(job: JobInsertParams, opts: UniqueOpts, now: datetime) -> None:
    job.unique_key = unique.unique_key(
        opts,
        kind=job.kind,
        encoded_args=job.encoded_args,
        queue=job.queue,
        scheduled_at=job.scheduled_at,
        now=now,
        paths=job_args.unique_paths(job.args),
    )
    job.unique_states = unique.states_mask(opts)
