"""How a process is doing, and how fast."""

import json
from collections import deque
from dataclasses import asdict, dataclass, replace

from riverqueue.runtime.counts import RunCounts

#: How often, in seconds, it is told.
EVERY = 1.0


@dataclass(frozen=True, slots=True)
class State:
    """How a process is doing.

    Parameters:
        ready: Whether it works jobs: it has started, and does not stop.
        running: Jobs that it works now.
        completed: Jobs that it has completed.
        failed: Attempts that have failed.
        ended: Attempts that have ended, however they did.
    """

    ready: bool = False
    running: int = 0
    completed: int = 0
    failed: int = 0
    ended: int = 0

    @classmethod
    def of(cls, ready: bool, counts: RunCounts) -> "State":
        """Make it of what a run has counted."""
        return cls(ready, counts.running, counts.completed, counts.failed, counts.ended)

    def line(self) -> bytes:
        """Write it for another process, in one line."""
        return json.dumps({"state": asdict(self)}).encode() + b"\n"

    def past(self) -> "State":
        """Return what remains of it when the process has ended."""
        return replace(self, ready=False, running=0)

    def __add__(self, other: "State") -> "State":
        """Count together; ready if both are."""
        return State(
            self.ready and other.ready,
            self.running + other.running,
            self.completed + other.completed,
            self.failed + other.failed,
            self.ended + other.ended,
        )


class Rate:
    """How many attempts end in a second.

    Parameters:
        seconds: Over how long a time that is seen.
    """

    def __init__(self, seconds: float = 5.0) -> None:
        self._seconds = seconds
        self._seen: deque[tuple[float, int]] = deque()

    def __call__(self, ended: int, now: float) -> float:
        """Return the rate, given how many have ended up to now."""
        self._seen.append((now, ended))
        while now - self._seen[0][0] > self._seconds:
            self._seen.popleft()
        since, before = self._seen[0]
        return (ended - before) / (now - since) if now > since else 0.0
