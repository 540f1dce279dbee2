"""What a client at work has done, counted as it goes: it costs next to nothing, unlike a subscription."""

from collections import Counter
from dataclasses import dataclass

from riverqueue.events import EventKind


@dataclass(frozen=True, slots=True)
class RunCounts:
    """What a client has done since it started.

    Parameters:
        running: Jobs that it works now.
        completed: Jobs that were completed.
        failed: Attempts that failed.
        ended: Attempts that have ended, however they did.
    """

    running: int = 0
    completed: int = 0
    failed: int = 0
    ended: int = 0

    @classmethod
    def of(cls, running: int, endings: Counter[EventKind]) -> "RunCounts":
        """Make it of how attempts have ended."""
        completed, failed = endings[EventKind.JOB_COMPLETED], endings[EventKind.JOB_FAILED]
        return cls(running, completed, failed, endings.total())
