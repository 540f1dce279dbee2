"""Measured values by contestant, a round each, and what can be said of them."""

from dataclasses import dataclass, field
from statistics import median

from benchmarks.goals import Goal, Unit


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

    def ratios(self, ours: str, theirs: str) -> list[float]:
        """Divide ours by theirs, round by round: what slows a whole round slows both."""
        return [mine / other for mine, other in zip(self.values[ours], self.values[theirs], strict=True)]

    def verdict(self, goal: Goal) -> tuple[float, bool]:
        """Return the median ratio, and whether it reaches the goal."""
        ratio = median(self.ratios(goal.ours, goal.theirs))
        return ratio, goal.is_met(ratio, self.unit)
