"""Tells subscribers what happened (River's ``subscription_manager.go``)."""

import asyncio
import logging
import queue
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Self

from riverqueue.errors import ConfigurationError
from riverqueue.events import Event, EventKind, JobStatistics
from riverqueue.jobs import JobRow, JobState
from riverqueue.operations.work import Ending

logger = logging.getLogger("riverqueue.worker")

_BY_STATE = {
    JobState.CANCELLED: EventKind.JOB_CANCELLED,
    JobState.COMPLETED: EventKind.JOB_COMPLETED,
    JobState.DISCARDED: EventKind.JOB_FAILED,
    JobState.RETRYABLE: EventKind.JOB_FAILED,
    JobState.SCHEDULED: EventKind.JOB_SNOOZED,
}
_OF_AVAILABLE = (EventKind.JOB_FAILED, EventKind.JOB_INTERRUPTED, EventKind.JOB_SNOOZED)


def event_kind(state: JobState, reason: EventKind) -> EventKind | None:
    """Say what happened to a job, by the state in which it is now; None if nothing that is told.

    Parameters:
        state: Its state as it is stored.
        reason: How its attempt ended.
    """
    if state is JobState.AVAILABLE:
        return reason if reason in _OF_AVAILABLE else EventKind.JOB_FAILED
    return _BY_STATE.get(state)


class _Subscription:
    """Events of one client, in their order.

    Parameters:
        kinds: Which; none is all.
        size: How many may be unread before new ones are dropped.

    Raises:
        ConfigurationError: if a kind is unknown.
    """

    def __init__(self, kinds: Iterable[EventKind | str], size: int) -> None:
        self.kinds = frozenset(_known(kind) for kind in kinds) or frozenset(EventKind)
        self.dropped = 0
        self._size = size
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether nothing more will come; what came can be read."""
        return self._closed

    def close(self) -> None:
        """End the subscription."""
        if not self._closed:
            self._closed = True
            self._put(None)

    def offer(self, event: Event) -> None:
        """Add an event, or drop it if too many are unread."""
        if self._closed or event.kind not in self.kinds:
            return
        if self._unread() >= self._size:
            self.dropped += 1
            logger.warning("a subscriber is slow: %d events are dropped so far", self.dropped)
        else:
            self._put(event)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _put(self, event: Event | None) -> None:
        raise NotImplementedError

    def _unread(self) -> int:
        raise NotImplementedError


class AsyncSubscription(_Subscription):
    """Events of one client, in their order; iterate over it, or ask it for the next.

    Ends when the client has stopped, or by `close`; what is left can be read.
    """

    def __init__(self, kinds: Iterable[EventKind | str], size: int) -> None:
        super().__init__(kinds, size)
        self._queue: asyncio.Queue[Event | None] = asyncio.Queue()

    async def get(self) -> Event | None:
        """Wait for the next event; None if there will be no more."""
        event = await self._queue.get()
        if event is None:
            self._put(None)
        return event

    async def __aiter__(self) -> AsyncIterator[Event]:
        while (event := await self.get()) is not None:
            yield event

    def _put(self, event: Event | None) -> None:
        self._queue.put_nowait(event)

    def _unread(self) -> int:
        return self._queue.qsize()


class Subscription(_Subscription):
    """Events of one client, in their order; iterate over it, or ask it for the next, in any thread.

    Ends when the client has stopped, or by `close`; what is left can be read.
    """

    def __init__(self, kinds: Iterable[EventKind | str], size: int) -> None:
        super().__init__(kinds, size)
        self._queue: queue.SimpleQueue[Event | None] = queue.SimpleQueue()

    def get(self, timeout: float | None = None) -> Event | None:
        """Wait for the next event; None if there will be no more.

        Raises:
            TimeoutError: if there is none for so many seconds.
        """
        try:
            event = self._queue.get(timeout=timeout)
        except queue.Empty:
            raise TimeoutError(f"no event for {timeout:g} s") from None
        if event is None:
            self._put(None)
        return event

    def __iter__(self) -> Iterator[Event]:
        while (event := self.get()) is not None:
            yield event

    def _put(self, event: Event | None) -> None:
        self._queue.put(event)

    def _unread(self) -> int:
        return self._queue.qsize()


class Subscriptions:
    """All subscriptions of a client."""

    def __init__(self) -> None:
        self._subscriptions: list[_Subscription] = []

    def add(self, subscription: _Subscription) -> None:
        """Begin to tell a subscriber."""
        self._subscriptions = [*[each for each in self._subscriptions if not each.closed], subscription]

    def wants_jobs(self) -> bool:
        """Tell whether anybody wants to know what becomes of jobs."""
        return any(not each.closed for each in self._subscriptions)

    def tell(self, event: Event) -> None:
        """Tell of an event."""
        for subscription in self._subscriptions:
            subscription.offer(event)

    def tell_stored(self, jobs: Sequence[JobRow], endings: dict[int, Ending], now: datetime) -> None:
        """Tell what became of jobs.

        Parameters:
            jobs: As they are stored.
            endings: How their attempts ended.
            now: When they were stored.
        """
        for job in jobs:
            ending = endings.get(job.id)
            kind = None if ending is None else event_kind(job.state, ending.reason)
            if ending is not None and kind is not None:
                self.tell(Event(kind, job.queue, job, _statistics(ending, now)))

    def close(self) -> None:
        """End all: the client has stopped."""
        for subscription in self._subscriptions:
            subscription.close()
        self._subscriptions = []


def _statistics(ending: Ending, now: datetime) -> JobStatistics:
    started, ended = ending.started_at, ending.ended_at
    return JobStatistics(now - ended, max(started - ending.job.scheduled_at, timedelta(0)), ended - started)


def _known(kind: EventKind | str) -> EventKind:
    try:
        return EventKind(kind)
    except ValueError:
        raise ConfigurationError(f"event kind is unknown: {kind!r}. It is one of {', '.join(EventKind)}") from None
