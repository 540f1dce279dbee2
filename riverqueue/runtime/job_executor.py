"""One attempt at one job, from its start until it is known how it ended (River's ``internal/jobexecutor``)."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from copy import copy
from datetime import datetime, timedelta
from enum import Enum
from functools import partial
from typing import Any

from riverqueue.clock import Clock
from riverqueue.errors import UnknownJobKindError
from riverqueue.events import EventKind
from riverqueue.hooks import OfArgs, having, settle_async
from riverqueue.job_logs import job_fields
from riverqueue.jobs import Job, JobRow, JobState
from riverqueue.operations.work import Ending
from riverqueue.outcomes import JobCancel, JobSnooze
from riverqueue.retry_policy import DefaultRetryPolicy, RetryPolicy, checked_time, later
from riverqueue.runtime.calls import Calls
from riverqueue.runtime.deadlines import Deadlines
from riverqueue.runtime.error_entry import WITHOUT_TRACE, JobDecodeError, error_entry, storable, text_of, within
from riverqueue.work_context import WorkContext, enter
from riverqueue.worker import ErrorHandler, ExecutorKind
from riverqueue.workers import Workers, WorkUnit

logger = logging.getLogger("riverqueue.worker")

#: What is to be worked again within this time is made available at once; later, it waits for the leader.
SOON = timedelta(seconds=5)

NO_TIME = timedelta(0)

_TIMED_OUT = "context deadline exceeded"


class Cause(Enum):
    """Why the work of a job is cancelled."""

    REMOTE = "remote"
    TIMEOUT = "timeout"
    STOP = "stop"


class Settings:
    """What all attempts of a client share."""

    def __init__(
        self,
        *,
        client: Any,
        clock: Clock,
        workers: Workers,
        middleware: Sequence[Any],
        work_begin: Sequence[Any],
        work_end: Sequence[Any],
        of_args: Callable[[object], OfArgs],
        job_timeout: timedelta | None,
        stuck_threshold: timedelta,
        retry_policy: RetryPolicy,
        error_handler: ErrorHandler | None,
        calls: Calls,
        deadlines: Deadlines,
        random_uniform: Callable[[float, float], float],
    ) -> None:
        self.client = client
        self.clock = clock
        self.workers = workers
        self.middleware = middleware
        self.work_begin = work_begin
        self.work_end = work_end
        self.of_args = of_args
        self.job_timeout = job_timeout
        self.stuck_threshold = stuck_threshold.total_seconds()
        self.retry_policy = retry_policy
        self.default_retry_policy = DefaultRetryPolicy(clock, random_uniform)
        self.error_handler = error_handler
        self.calls = calls
        self.deadlines = deadlines
        self.executor: ExecutorKind | None = None

    def of_queue(self, executor: ExecutorKind | None) -> "Settings":
        """Return the settings of a queue, which may have its jobs run somewhere."""
        settings = copy(self)
        settings.executor = executor
        return settings


class JobExecutor:
    """Works one job.

    Parameters:
        settings: What all attempts share.
        job: The job as it was fetched.
        on_stuck: Told when the work goes on long after its time.
    """

    __slots__ = (
        "_cause",
        "_context",
        "_deadline",
        "_is_working",
        "_on_stuck",
        "_settings",
        "_timed_out",
        "_typed",
        "_unit",
        "ended_at",
        "is_stuck",
        "job",
        "started_at",
        "task",
    )

    def __init__(self, settings: Settings, job: JobRow, on_stuck: Callable[["JobExecutor"], None]) -> None:
        self._settings = settings
        self._on_stuck = on_stuck
        self.job = job
        self.is_stuck = False
        self._cause: Cause | None = None
        self.task: asyncio.Task[Any] | None = None
        self._is_working = False
        self._deadline: dict[Any, float] | None = None
        self._timed_out = False
        self._typed: Job[Any] | None = None
        self._unit: WorkUnit | None = None
        self._context = WorkContext(job, settings.client)
        self.started_at = self.ended_at = settings.clock.now()

    def cancel(self, cause: Cause) -> None:
        """Cancel the work, if it goes on; the first cause counts, but a cancellation from outside counts always."""
        if self._cause is None or cause is Cause.REMOTE:
            self._cause = cause
        self._context.cancelled = True
        if self.task is not None and self._is_working:
            self.task.cancel()

    async def run(self) -> Ending:
        """Work the job and say how that ended; nothing is raised, not even a cancellation from outside."""
        task = self.task
        error: BaseException | None = None
        self._is_working = True  # from here on, a cancellation is caught
        try:
            if self._cause is not None and task is not None:
                task.cancel()  # it was cancelled before it began, which its worker sees where it first waits
            await self._work()
        except BaseException as raised:  # the worker's own affair, whatever it is
            error = raised
        finally:
            self._is_working = False
            if self._deadline is not None:
                self._deadline.pop(self, None)
            while task is not None and task.cancelling():
                task.uncancel()
        self.ended_at = self._settings.clock.now()
        if self._cause is not None:
            await _late_cancellation()
        if error is None:
            return self._ended(EventKind.JOB_COMPLETED, JobState.COMPLETED, finalized_at=self.ended_at)
        self._context.keep_steps()
        return await self._ending(error)

    async def _work(self) -> None:
        unit = self._unit = self._found()
        enter(self._context)
        own, middleware = unit.worker.middleware(self.job), self._settings.middleware
        if own or middleware:
            inner: Callable[[], Awaitable[None]] = partial(self._call, unit)
            for layer in reversed([*own, *middleware]):
                inner = partial(layer.work, self.job, inner)
            await inner()
        else:
            await self._call(unit)
        self._context.check_steps()

    def _found(self) -> WorkUnit:
        try:
            kind, metadata = self.job.kind, self.job.metadata
            if not isinstance(metadata, dict):
                raise TypeError(f"metadata must be a JSON object, not {metadata!r:.80}")
        except Exception as error:
            raise JobDecodeError(f"job row couldn't be decoded: {error}") from error
        unit = self._settings.workers.get(kind)
        if unit is None:
            raise UnknownJobKindError(kind)
        return unit

    async def _call(self, unit: WorkUnit) -> None:
        """Call the worker between its hooks, within its time."""
        settings = self._settings
        begin, end = settings.work_begin, settings.work_end
        own = unit.worker.hooks(self.job)
        if own:
            begin, end = [*begin, *having("work_begin", own)], [*end, *having("work_end", own)]
        for hook in begin:
            await settle_async(hook.work_begin(self.job))
        typed = self._typed = Job(self.job, unit.decode(self.job.args))
        of_args = settings.of_args(typed.args)
        for hook in of_args.work_begin:
            await settle_async(hook.work_begin(self.job))
        end = [*end, *of_args.work_end] if of_args.work_end else end
        timeout = unit.worker.timeout(typed) or settings.job_timeout
        if timeout is not None and timeout > NO_TIME:
            self._deadline = settings.deadlines.add(self, timeout.total_seconds())
        if not end and not of_args.work:
            await self._function(unit, typed)
            return
        inner: Callable[[], Awaitable[None]] = partial(self._function, unit, typed)
        for layer in reversed(of_args.work):
            inner = partial(layer.work, self.job, inner)
        error: Exception | asyncio.CancelledError | None = None
        try:
            await inner()
        except (Exception, asyncio.CancelledError) as raised:
            error = raised
        for hook in end:
            error = await settle_async(hook.work_end(self.job, error))
        if error is not None:
            raise error

    async def _function(self, unit: WorkUnit, typed: Job[Any]) -> None:
        settings = self._settings
        result = await settings.calls.call(unit, settings.executor, typed, self._context)
        if result is not None:
            logger.warning(
                "worker for kind %r returned %r, which is ignored; use record_output() to keep it",
                unit.kind,
                result,
                extra=job_fields(self.job),
            )

    def time_out(self) -> None:
        """Cancel the work, whose time is over; if it goes on, it is stuck after a while."""
        if self._timed_out:
            self.is_stuck = True
            self._on_stuck(self)
            return
        self._timed_out = True
        self.cancel(Cause.TIMEOUT)
        self._deadline = self._settings.deadlines.add(self, self._settings.stuck_threshold)

    # --- How it ended ---

    async def _ending(self, error: BaseException) -> Ending:
        if self._cause is Cause.REMOTE:
            error = JobCancel("job cancelled remotely")
        if (snooze := within(error, JobSnooze)) is not None:
            return self._snoozed(snooze)
        if within(error, JobCancel) is not None:
            return self._cancelled(error)
        if self._cause is Cause.STOP and within(error, asyncio.CancelledError) is not None:
            return self._interrupted()
        if isinstance(error, asyncio.CancelledError) and self._cause is Cause.TIMEOUT:
            error = TimeoutError(_TIMED_OUT)
        if await self._handled(error):
            return self._cancelled(error)
        return self._failed(error)

    def _ended(self, reason: EventKind, state: JobState, **columns: Any) -> Ending:
        metadata = self._context.metadata_updates
        return Ending(self.job, self.started_at, self.ended_at, reason, state, metadata=metadata, **columns)

    def _snoozed(self, snooze: JobSnooze) -> Ending:
        self._context.set_metadata("snoozes", str(next_snooze_count(self.job.metadata.get("snoozes"))))
        return self._ended(
            EventKind.JOB_SNOOZED,
            JobState.AVAILABLE if snooze.duration <= SOON else JobState.SCHEDULED,
            scheduled_at=later(self.ended_at, snooze.duration.total_seconds()),
            next_attempt=self.job.attempt - 1,
        )

    def _interrupted(self) -> Ending:
        ending = interrupted(self.job, self.ended_at)
        ending.started_at, ending.metadata = self.started_at, self._context.metadata_updates
        return ending

    def _cancelled(self, error: BaseException) -> Ending:
        return self._ended(
            EventKind.JOB_CANCELLED, JobState.CANCELLED, finalized_at=self.ended_at, error=self._entry(error)
        )

    def _failed(self, error: BaseException) -> Ending:
        entry = self._entry(error)
        if self.job.attempt >= self.job.max_attempts:
            self._log(logging.ERROR, error, "it is discarded")
            return self._ended(EventKind.JOB_FAILED, JobState.DISCARDED, finalized_at=self.ended_at, error=entry)
        time = self._next_retry()
        state = JobState.AVAILABLE if time - self.ended_at <= SOON else JobState.RETRYABLE
        self._log(logging.WARNING, error, "it is tried again")
        return self._ended(EventKind.JOB_FAILED, state, scheduled_at=time, error=entry)

    def _log(self, level: int, error: BaseException, what: str) -> None:
        job, text = self.job, text_of(error)
        told = storable(text)
        logger.log(
            level,
            "job %d of kind %s failed in attempt %d of %d, %s: %s",
            job.id,
            job.kind,
            job.attempt,
            job.max_attempts,
            what,
            told,
            exc_info=None if isinstance(error, WITHOUT_TRACE) or told != text else error,
            extra=job_fields(job),
        )

    def _next_retry(self) -> datetime:
        time = self._worker_next_retry() or _asked(self._settings.retry_policy.next_retry, self.job)
        if time is None or time < self.ended_at:
            if time is not None:
                logger.warning(
                    "the retry policy gave a time in the past for job %d: %s",
                    self.job.id,
                    time,
                    extra=job_fields(self.job),
                )
            time = self._settings.default_retry_policy.next_retry(self.job)
        return time

    def _worker_next_retry(self) -> datetime | None:
        if self._unit is None or self._typed is None:  # the worker knows its own args only
            return None
        return _asked(self._unit.worker.next_retry, self._typed)

    async def _handled(self, error: BaseException) -> bool:
        handler = self._settings.error_handler
        if handler is None:
            return False
        try:
            return await settle_async(handler.handle_error(self.job, error)) is True
        except BaseException:  # the handler's own affair, whatever it is: the attempt is stored
            logger.exception("the error handler failed on job %d", self.job.id, extra=job_fields(self.job))
            return False

    def _entry(self, error: BaseException) -> str:
        return error_entry(error, self.started_at, self.job.attempt)


def interrupted(job: JobRow, now: datetime) -> Ending:
    """Return how an attempt ends that was not let come to its end: the job is available again, and it does not count.

    Parameters:
        job: The job as it was fetched.
        now: The time.
    """
    attempt = max(job.attempt - 1, 0)
    return Ending(job, now, now, EventKind.JOB_INTERRUPTED, JobState.AVAILABLE, scheduled_at=now, next_attempt=attempt)


def next_snooze_count(value: object) -> int:
    """Count one snooze more, reading what is there as River does."""
    if isinstance(value, bool):
        return int(value) + 1
    try:
        if isinstance(value, str):
            return (int(value) if value.strip() == value else 0) + 1
        return int(value) + 1 if isinstance(value, int | float) else 1
    except (ValueError, OverflowError):
        return 1


async def _late_cancellation() -> None:
    """Let a cancellation go by that the work ended without meeting: before Python 3.13, the next await would."""
    with suppress(asyncio.CancelledError):
        await asyncio.sleep(0)


def _asked(ask: Callable[[Any], Any], job: Any) -> datetime | None:
    try:
        told = ask(job)
        time = checked_time(told)
    except BaseException:  # their own affair, whatever it is: the attempt is stored
        logger.exception("cannot tell when to try job %d again; using the default", job.id)
        return None
    if time is None and told is not None:
        logger.warning("to try job %d again needs a time that knows its zone, not %r; using the default", job.id, told)
    return time
