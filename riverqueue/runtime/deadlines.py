"""Ends what takes too long, with one timer for all work that has the same time."""

import asyncio
from typing import Protocol


class Limited(Protocol):
    """Work whose time is limited."""

    def time_out(self) -> None:
        """End: the time is over."""
        ...


class _Limit:
    """All work that may take equally long, in the order in which it began.

    A timer of its own for each job would be most of what an attempt costs the loop; of these, hardly one ever fires.

    Parameters:
        seconds: How long.
    """

    def __init__(self, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()  # once: to ask for it costs more than the rest of `add`
        self.seconds = seconds
        self.ends: dict[Limited, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, work: Limited) -> None:
        """Begin to watch some work."""
        self.ends.pop(work, None)  # in the order of their ends
        end = self.ends[work] = self._loop.time() + self.seconds
        if self._timer is None:
            self._timer = self._loop.call_at(end, self._look)

    def _look(self) -> None:
        self._timer = None
        now = self._loop.time()
        while self.ends:
            work, end = next(iter(self.ends.items()))
            if end > now:
                self._timer = self._loop.call_at(end, self._look)
                return
            del self.ends[work]
            work.time_out()

    def close(self) -> None:
        """Watch nothing more."""
        if self._timer is not None:
            self._timer.cancel()


class Deadlines:
    """Ends what takes too long."""

    def __init__(self) -> None:
        self._limits: dict[float, _Limit] = {}

    def add(self, work: Limited, seconds: float) -> dict[Limited, float]:
        """Give some work so many seconds.

        Returns:
            What it is to be taken out of when it has ended.
        """
        limit = self._limits.get(seconds)
        if limit is None:
            limit = self._limits[seconds] = _Limit(seconds)
        limit.add(work)
        return limit.ends

    def close(self) -> None:
        """Watch nothing more."""
        for limit in self._limits.values():
            limit.close()
