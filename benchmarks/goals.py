"""What ours is to reach beside the others, on a quiet machine with fsync on."""

from dataclasses import dataclass
from typing import Literal

from benchmarks.contestants import EXISTING, GO, OURS, POOLED, RAW, SESSION

Unit = Literal["µs", "jobs/s", "ms"]


@dataclass(frozen=True)
class Goal:
    """One ratio of ours to another's.

    Parameters:
        ours: Name of the contestant of ours.
        theirs: Name of the one beside it.
        factor: An upper bound for times, a lower bound for rates.
    """

    ours: str
    theirs: str
    factor: float

    def is_met(self, ratio: float, unit: Unit) -> bool:
        """Tell whether a measured ratio reaches it."""
        return ratio >= self.factor if unit == "jobs/s" else ratio <= self.factor

    def text(self, unit: Unit) -> str:
        """Spell the bound."""
        return f"{'≥' if unit == 'jobs/s' else '≤'} {self.factor:.2f}"


GOALS: dict[str, tuple[Goal, ...]] = {
    "insert": (Goal(OURS, RAW, 1.25), Goal(OURS, GO, 0.75)),
    "insert-tx": (
        Goal(OURS, GO, 1.0),
        Goal(OURS, EXISTING + "psycopg", 2.5),
        *[Goal(SESSION + library, EXISTING + library, 2.0) for library in ("psycopg", "psycopg2", "asyncpg")],
    ),
    "insert-many": (Goal(OURS, RAW, 1.0), Goal(OURS, GO, 0.8), Goal(OURS, EXISTING + "psycopg", 3.0)),
    "insert-many-fast": (Goal(OURS, RAW, 0.95), Goal(OURS, GO, 1.0)),
    "job-get": (Goal(OURS, POOLED, 1.2),),
    "job-list": (Goal(OURS, POOLED, 1.3),),
    "job-delete-many": (Goal(OURS, POOLED, 1.3),),
    "import": (
        Goal("psycopg + riverqueue", "psycopg", 1.3),
        Goal("SQLAlchemy + riverqueue", "SQLAlchemy", 1.3),
    ),
}
