"""A job as it stands in ``river_job``, and the result of inserting one."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

Row: TypeAlias = Sequence[Any]

ArgsT = TypeVar("ArgsT")


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


#: The states a job never leaves by itself.
FINALIZED_STATES = (JobState.CANCELLED, JobState.COMPLETED, JobState.DISCARDED)

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

_STATES = {state.value: state for state in JobState}  # quicker than asking the enum

#: Where the times stand in a row's JSON.
_TIMES = {2, 4, 6, 12}

_ZERO_TIME = datetime(1, 1, 1, tzinfo=UTC)

_TOKEN = re.compile(r'[][{}]|"(?:[^"\\]|\\.)*"|[^][{},:"\s]+')


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
    def from_json(cls, value: object) -> "AttemptError":
        """Read one element of ``river_job.errors``, decoded."""
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


def time_from_json(text: str) -> datetime:
    """Read a time as PostgreSQL spells it in JSON; infinity is the last time there is, or year 1."""
    if text.endswith("infinity"):
        return _ZERO_TIME if text.startswith("-") else datetime.max.replace(tzinfo=UTC)
    time = datetime.fromisoformat(text)
    return time if time.tzinfo is UTC else time.astimezone(UTC)


def _decoded(text: str) -> list[Any]:
    try:
        return json.loads(text)  # type: ignore[no-any-return]
    except ValueError:  # an integer of more digits than Python reads
        return json.loads(text, parse_int=_integer)  # type: ignore[no-any-return]
    except RecursionError:
        return _nested(text)  # type: ignore[no-any-return]


def _nested(text: str) -> Any:
    """Decode what is nested more deeply than Python's decoder, which calls itself, can go."""
    value: Any = None
    outer: list[tuple[Any, str | None]] = []  # what is open, and the key of what comes next in it
    for piece in _TOKEN.findall(text):
        if piece in "]}":
            value = outer.pop()[0]
            continue
        if outer and isinstance(outer[-1][0], dict) and outer[-1][1] is None:
            outer[-1] = outer[-1][0], json.loads(piece)
            continue
        value = {"[": list, "{": dict}[piece]() if piece in "[{" else json.loads(piece, parse_int=_integer)
        if outer:
            _add(outer, value)
        if piece in "[{":
            outer.append((value, None))
    return value


def _add(outer: list[tuple[Any, str | None]], value: Any) -> None:
    inside, key = outer[-1]
    if isinstance(inside, list):
        inside.append(value)
    else:
        inside[key] = value
        outer[-1] = inside, None


def _integer(digits: str) -> int | Decimal:
    try:
        return int(digits)
    except ValueError:
        return Decimal(digits)


def _optional_time(text: str | None) -> datetime | None:
    return None if text is None else time_from_json(text)


class _Job:
    """All of a job but its args."""

    __slots__ = ("_decoded", "_text", "id")

    id: int
    """Identity, unique in its table."""

    _text: str
    _decoded: list[Any] | None

    def _values(self) -> list[Any]:
        if self._decoded is None:
            decoded = self._decoded = _decoded(self._text)
            return decoded
        return self._decoded

    @property
    def attempt(self) -> int:
        """Attempts started so far."""
        return self._values()[1]  # type: ignore[no-any-return]

    @property
    def attempted_at(self) -> datetime | None:
        """Start of the latest attempt (UTC)."""
        return _optional_time(self._values()[2])

    @property
    def attempted_by(self) -> list[str]:
        """Ids of the clients that attempted it, oldest first, at most 100."""
        return self._values()[3] or []

    @property
    def created_at(self) -> datetime:
        """When it was inserted (UTC)."""
        return time_from_json(self._values()[4])

    @property
    def errors(self) -> list[AttemptError]:
        """Its failed attempts, oldest first."""
        return [AttemptError.from_json(value) for value in self._values()[5] or ()]

    @property
    def finalized_at(self) -> datetime | None:
        """When it was completed, cancelled or discarded (UTC)."""
        return _optional_time(self._values()[6])

    @property
    def kind(self) -> str:
        """Says which worker works it."""
        return self._values()[7]  # type: ignore[no-any-return]

    @property
    def max_attempts(self) -> int:
        """Attempts after which it is discarded."""
        return self._values()[8]  # type: ignore[no-any-return]

    @property
    def metadata(self) -> dict[str, Any]:
        """What programs keep beside the args; River's own keys are listed in the documentation."""
        return self._values()[9]  # type: ignore[no-any-return]

    @property
    def priority(self) -> int:
        """1 (first) to 4 (last)."""
        return self._values()[10]  # type: ignore[no-any-return]

    @property
    def queue(self) -> str:
        """Name of its queue."""
        return self._values()[11]  # type: ignore[no-any-return]

    @property
    def scheduled_at(self) -> datetime:
        """Time before which it is not worked (UTC)."""
        return time_from_json(self._values()[12])

    @property
    def state(self) -> JobState:
        """Its state."""
        return _STATES[self._values()[13]]

    @property
    def tags(self) -> list[str]:
        """Words to group jobs by."""
        return self._values()[14]  # type: ignore[no-any-return]

    @property
    def unique_key(self) -> bytes | None:
        """SHA-256 of its unique properties; None if it is not unique."""
        key = self._values()[15]
        return None if key is None else bytes.fromhex(key)

    @property
    def unique_states(self) -> list[JobState]:
        """States in which it keeps others like it out, by name; empty if it is not unique."""
        mask = self._values()[16]
        return [state for state, weight in STATE_WEIGHTS.items() if mask & weight] if mask else []

    @property
    def output(self) -> Any:
        """What its worker recorded as output; None if nothing."""
        return self.metadata.get("output")

    def _comparable(self) -> list[Any]:
        # Sessions in other time zones spell the same times differently.
        return [
            time_from_json(value) if value and index in _TIMES else value for index, value in enumerate(self._values())
        ]

    def __repr__(self) -> str:
        name = type(self).__name__
        return f"<{name} id={self.id} kind={self.kind!r} state={self.state.value} queue={self.queue!r}>"


class JobRow(_Job):
    """A job as it stood in the database at the moment it was read.

    Nothing but the identity is decoded until something is looked at, so that a long list of jobs costs little.
    """

    __slots__ = ()

    def __init__(self, row: Row) -> None:
        self.id = row[0]
        self._text = row[1]
        self._decoded = None

    @property
    def args(self) -> dict[str, Any]:
        """What the worker is given."""
        return self._values()[0]  # type: ignore[no-any-return]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, JobRow) or self.id != other.id:
            return False
        return self._text == other._text or self._comparable() == other._comparable()

    def __hash__(self) -> int:
        return hash(self.id)


class Job(_Job, Generic[ArgsT]):
    """A job as its worker gets it: all of the row, and `args` of the worker's own type.

    Parameters:
        row: The row.
        args: What it carries, decoded.
    """

    __slots__ = ("args", "row")

    args: ArgsT
    """What it carries."""

    row: JobRow
    """The row it was made of."""

    def __init__(self, row: JobRow, args: ArgsT) -> None:
        self.id = row.id
        self._text = row._text
        self._decoded = row._decoded
        self.row = row
        self.args = args


class InsertResult(NamedTuple):
    """What became of one insert.

    Parameters:
        job: The row as it stands: the new one or, of a duplicate, the one that was there before.
        unique_skipped_as_duplicated: Whether nothing was inserted because `job` was there before.
    """

    job: JobRow
    unique_skipped_as_duplicated: bool = False
