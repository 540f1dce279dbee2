"""Measured values by contestant, a round each, and what can be said of them."""

from dataclasses import dataclass, field
from statistics import median

from benchmarks.contestants import FASTEST, PYTHON_PEERS
from benchmarks.goals import Bound, Goal, Unit


@dataclass
class Samples:
    """One table: the same work done by each contestant in each round.

    Parameters:
        title: What was done.
        mode: The command's word for it.
        unit: Of the values.
        values: By contestant, in the order of the rounds.
        round_trips: By contestant, of one call; empty where it was not counted.
    """

    title: str
    mode: str
    unit: Unit
    values: dict[str, list[float]] = field(default_factory=dict)
    round_trips: dict[str, float] = field(default_factory=dict)

    def add(self, name: str, value: float) -> None:
        self.values.setdefault(name, []).append(value)

    def median(self, name: str) -> float:
        return median(self.values[name])

    def of(self, name: str) -> list[float]:
        """Return the values of a contestant, or of the fastest peer in each round; none if there are none."""
        if name != FASTEST:
            return self.values.get(name, [])
        peers = [self.values[peer] for peer in PYTHON_PEERS if peer in self.values]
        return [max(each) for each in zip(*peers, strict=True)]

    def ratios(self, ours: str, theirs: str) -> list[float]:
        """Divide ours by theirs, round by round: what slows a whole round slows both."""
        return [mine / other for mine, other in zip(self.of(ours), self.of(theirs), strict=True)]

    def is_measured(self, goal: Goal | Bound) -> bool:
        """Tell whether all took part that a goal is about."""
        return bool(self.of(goal.ours)) and (isinstance(goal, Bound) or bool(self.of(goal.theirs)))

    def measured(self, goal: Goal | Bound) -> list[float]:
        """Return what a goal is about, round by round."""
        return self.of(goal.ours) if isinstance(goal, Bound) else self.ratios(goal.ours, goal.theirs)

    def verdict(self, goal: Goal | Bound) -> tuple[float, bool]:
        """Return the median of what a goal is about, and whether it reaches the goal."""
        found = median(self.measured(goal))
        return found, goal.is_met(found, self.unit)
