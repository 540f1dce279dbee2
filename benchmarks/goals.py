"""What ours is to reach beside the others, on a quiet machine with fsync on."""

from dataclasses import dataclass
from typing import Literal

from benchmarks.contestants import (
    EXISTING,
    FASTEST,
    GO,
    IN_THREADS,
    IN_THREADS_ASYNC,
    OURS,
    POOLED,
    RAW,
    SESSION,
    TUNED,
    WORKING,
    WORKING_TUNED,
)

Unit = Literal["µs", "jobs/s", "ms", "MiB", "transactions", "connections"]

EMPTY, GROWN = f"{WORKING}, empty table", f"{WORKING}, grown table"


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

    @property
    def name(self) -> str:
        """Spell what is compared."""
        return f"{self.ours} / {self.theirs}"


@dataclass(frozen=True)
class Bound:
    """One value of ours, whatever others have.

    Parameters:
        ours: Name of the contestant of ours.
        most: The most that it may be.
    """

    ours: str
    most: float

    def is_met(self, value: float, unit: Unit) -> bool:  # noqa: ARG002  (as of a Goal)
        """Tell whether a measured value keeps to it."""
        return value <= self.most

    def text(self, unit: Unit) -> str:
        """Spell the bound."""
        return f"≤ {self.most:g} {unit}"

    @property
    def name(self) -> str:
        """Spell what is bound."""
        return self.ours


GOALS: dict[str, tuple[Goal | Bound, ...]] = {
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
    "work": (Goal(WORKING, GO, 10.0), Goal(WORKING, TUNED, 1.0), Goal(WORKING, FASTEST, 1.5)),
    "work-1000": (Goal(WORKING, TUNED, 0.8), Goal(WORKING, FASTEST, 1.5)),
    "work-threads": (Goal(IN_THREADS_ASYNC, WORKING, 0.6), Goal(IN_THREADS, WORKING, 0.6)),
    "latency": (Goal(WORKING, GO, 1.0), Goal(WORKING, RAW, 1.5)),
    "memory": (Bound(WORKING, 40), Bound(SESSION + "asyncpg", 40)),
    "grown": (Goal(GROWN, EMPTY, 0.8),),
    "gate-rate": (Goal(WORKING_TUNED, TUNED, 0.8), Goal(WORKING, GO, 0.8)),
    "gate-p95": (Goal(WORKING_TUNED, TUNED, 1.25), Goal(WORKING, GO, 1.25)),
    "gate-batching": (Bound(WORKING, 249), Bound(SESSION + "asyncpg", 249)),
    "gate-pressure": (Bound(WORKING, 20), Bound(SESSION + "asyncpg", 20)),
}
