"""When a failed job is tried again (River's ``internal/retrypolicy``)."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from riverqueue.clock import Clock, SystemClock
from riverqueue.jobs import JobRow

#: The longest delay there is, in nanoseconds as River counts them: some 292 years.
_SECONDS_MAX = (2**63 - 1) / 1e9
_JITTER = 0.1

_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)


class RetryPolicy(Protocol):
    """Says when a failed job is tried again."""

    def next_retry(self, job: JobRow, /) -> datetime:
        """Return an aware time; one in the past is replaced by the default policy's.

        Parameters:
            job: As it was when its attempt began: the error of this attempt is not among its errors.
        """
        ...


class DefaultRetryPolicy:
    """River's own: after the n-th error n⁴ seconds, a tenth more or less.

    1 s, 16 s, 81 s, 4 min, 10 min, 22 min … three weeks in all for the 25 attempts of a job.

    Parameters:
        clock: Tells the time.
        uniform: Draws a number between two.
    """

    def __init__(self, clock: Clock | None = None, uniform: Callable[[float, float], float] = random.uniform) -> None:
        self._clock = clock or SystemClock()
        self._uniform = uniform

    def next_retry(self, job: JobRow, /) -> datetime:
        """Return the time of the next attempt."""
        return later(self._clock.now(), self.seconds(len(job.errors) + 1))

    def seconds(self, errors: int) -> float:
        """Return how long to wait after so many errors."""
        seconds = min(float(errors) ** 4, _SECONDS_MAX)
        if seconds < _SECONDS_MAX:
            seconds += seconds * self._uniform(-_JITTER, _JITTER)
        return min(seconds, _SECONDS_MAX)


def later(time: datetime, seconds: float) -> datetime:
    """Return a time so much later, or the last there is."""
    try:
        return time + timedelta(seconds=seconds)
    except OverflowError:
        return _LAST


def checked_time(time: Any) -> datetime | None:
    """Return an aware time in UTC, or None if it is none; the last there is, if UTC has none so late."""
    if not isinstance(time, datetime) or time.utcoffset() is None:
        return None
    try:
        return time.astimezone(UTC)
    except OverflowError:
        return _LAST if time.year > 1 else _FIRST
