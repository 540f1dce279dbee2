"""How many jobs there are."""

from collections.abc import Mapping
from dataclasses import dataclass

from riverqueue.jobs import JobState


@dataclass(frozen=True, slots=True)
class JobCounts:
    """How many jobs there are of each state, in all and in each queue.

    Parameters:
        by_queue: For each queue that has jobs or was asked for, in order of their names, how many of which state.
    """

    by_queue: Mapping[str, Mapping[JobState, int]]

    @property
    def by_state(self) -> dict[JobState, int]:
        """How many of each state, all eight of them."""
        counts = dict.fromkeys(JobState, 0)
        for states in self.by_queue.values():
            for state, count in states.items():
                counts[state] += count
        return counts

    @property
    def total(self) -> int:
        """How many in all."""
        return sum(self.by_state.values())
