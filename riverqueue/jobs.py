"""A job as it stands in ``river_job``, and the result of inserting one."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

Row: TypeAlias = Sequence[Any]


class JobState(StrEnum):
    """The state of a job (``river_job_state``)."""

    AVAILABLE = "available"
    CANCELLED = "cancelled"
    COMPLETED = "completed"
    DISCARDED = "discarded"
    PENDING = "pending"
    RETRYABLE = "retryable"
    RUNNING = "running"
    SCHEDULED = "scheduled"


#: Weight of each state in ``river_job.unique_states``, a ``bit(8)`` counted from the left.
STATE_WEIGHTS = {
    JobState.AVAILABLE: 1,
    JobState.CANCELLED: 2,
    JobState.COMPLETED: 4,
    JobState.DISCARDED: 8,
    JobState.PENDING: 16,
    JobState.RETRYABLE: 32,
    JobState.RUNNING: 64,
    JobState.SCHEDULED: 128,
}

#: Columns of a job; a statement may return more behind them.
_WIDTH = 18

_ZERO_TIME = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class AttemptError:
    """One failed attempt of a job.

    Read leniently, as River 0.48 and later do: another program may have written odd values. A time
    that cannot be read is year 1.

    Parameters:
        at: When the attempt started.
        attempt: Number of the attempt, from 1.
        error: Text of the error.
        trace: Stack trace; empty where there is none.
    """

    at: datetime
    attempt: int
    error: str
    trace: str

    @classmethod
    def from_json(cls, text: str) -> "AttemptError":
        """Read one element of ``river_job.errors``."""
        value = json.loads(text)
        if not isinstance(value, dict):
            return cls(_ZERO_TIME, 0, _as_text(value), "")
        return cls(
            _as_time(value.get("at")),
            _as_number(value.get("attempt")),
            _as_text(value.get("error", "")),
            _as_text(value.get("trace", "")),
        )


def _as_text(value: object) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _as_number(value: object) -> int:
    try:
        return int(value) if isinstance(value, int | str) else 0
    except ValueError:
        return 0


def _as_time(value: object) -> datetime:
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else _ZERO_TIME
    except ValueError:
        return _ZERO_TIME
    return time.astimezone(UTC) if time.tzinfo else _ZERO_TIME


def _utc(time: datetime | None) -> datetime | None:
    return None if time is None else time.astimezone(UTC)


class JobRow:
    """A job as it stands in the database at the moment it was read.

    Nothing is decoded until it is looked at, so that a long list of jobs costs little. What has been
    decoded is not kept: hold on to ``args`` if you need it twice.
    """

    __slots__ = ("_row",)

    def __init__(self, row: Row) -> None:
        self._row = row

    @property
    def id(self) -> int:
        """Identity, unique in its table."""
        return self._row[0]  # type: ignore[no-any-return]

    @property
    def args(self) -> dict[str, Any]:
        """What the worker is given."""
        return json.loads(self._row[1])  # type: ignore[no-any-return]

    @property
    def encoded_args(self) -> str:
        """The args as JSON text, as PostgreSQL spells it."""
        return self._row[1]  # type: ignore[no-any-return]

    @property
    def attempt(self) -> int:
        """Attempts started so far."""
        return self._row[2]  # type: ignore[no-any-return]

    @property
    def attempted_at(self) -> datetime | None:
        """Start of the latest attempt (UTC)."""
        return _utc(self._row[3])

    @property
    def attempted_by(self) -> list[str]:
        """Ids of the clients that attempted it, oldest first, at most 100."""
        return list(self._row[4] or ())

    @property
    def created_at(self) -> datetime:
        """When it was inserted (UTC)."""
        return self._row[5].astimezone(UTC)  # type: ignore[no-any-return]

    @property
    def errors(self) -> list[AttemptError]:
        """Its failed attempts, oldest first."""
        return [AttemptError.from_json(text) for text in self._row[6] or ()]

    @property
    def finalized_at(self) -> datetime | None:
        """When it was completed, cancelled or discarded (UTC)."""
        return _utc(self._row[7])

    @property
    def kind(self) -> str:
        """Says which worker works it."""
        return self._row[8]  # type: ignore[no-any-return]

    @property
    def max_attempts(self) -> int:
        """Attempts after which it is discarded."""
        return self._row[9]  # type: ignore[no-any-return]

    @property
    def metadata(self) -> dict[str, Any]:
        """What programs keep beside the args; River's own keys are listed in the documentation."""
        return json.loads(self._row[10])  # type: ignore[no-any-return]

    @property
    def priority(self) -> int:
        """1 (first) to 4 (last)."""
        return self._row[11]  # type: ignore[no-any-return]

    @property
    def queue(self) -> str:
        """Name of its queue."""
        return self._row[12]  # type: ignore[no-any-return]

    @property
    def scheduled_at(self) -> datetime:
        """Time before which it is not worked (UTC)."""
        return self._row[13].astimezone(UTC)  # type: ignore[no-any-return]

    @property
    def state(self) -> JobState:
        """Its state."""
        return JobState(self._row[14])

    @property
    def tags(self) -> list[str]:
        """Words to group jobs by."""
        return list(self._row[15])

    @property
    def unique_key(self) -> bytes | None:
        """SHA-256 of its unique properties; None if it is not unique."""
        return None if self._row[16] is None else bytes.fromhex(self._row[16])

    @property
    def unique_states(self) -> list[JobState]:
        """States in which it keeps others like it out, by name; empty if it is not unique."""
        mask = self._row[17] or 0
        return [state for state, weight in STATE_WEIGHTS.items() if mask & weight]

    @property
    def output(self) -> Any:
        """What its worker recorded as output; None if nothing."""
        return self.metadata.get("output")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, JobRow) and tuple(self._row[:_WIDTH]) == tuple(other._row[:_WIDTH])

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"<JobRow id={self.id} kind={self.kind!r} state={self.state.value} queue={self.queue!r}>"


class InsertResult(NamedTuple):
    """What became of one insert.

    Parameters:
        job: The row as it stands: the new one or, of a duplicate, the one that was there before.
        unique_skipped_as_duplicated: Whether nothing was inserted because `job` was there before.
    """

    job: JobRow
    unique_skipped_as_duplicated: bool = False
