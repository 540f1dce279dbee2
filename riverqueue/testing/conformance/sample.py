"""Jobs, queues and a clock for the suite."""

from datetime import UTC, datetime, timedelta
from inspect import getmembers
from typing import Any

from riverqueue import DictArgs, InsertOpts, JobRow, UniqueOpts
from riverqueue.jobs import FINALIZED_STATES

#: The job that most tests insert.
SORT = DictArgs("sort", {"strings": ["whale", "tiger", "bear"]})

UNIQUE = InsertOpts(unique_opts=UniqueOpts(by_args=True))

#: When what is stored was made: an hour before the time that clocks show.
STORED_AT = datetime(2026, 11, 23, 4, 6, 7, 890_123, tzinfo=UTC)

#: Text that is something else to some parser between a program and its database.
TEXTS = [
    "",
    " ",
    "NULL",
    "null",
    "it's",
    'a "quoted" word',
    "50 % of %s, %(name)s, %%",
    ":name ::text :1",
    "@now::timestamptz",
    "back\\slash \\n \\' \\\\",
    "$1 $$ $body$",
    "?",
    "{a,b}",
    "a,b",
    "line\nbreak\ttab\r",
    "é ☃ 😀 \u2028 \x7f",
    "-- no comment /* here */;",
    "x" * 100_000,
]


def numbered(number: int) -> DictArgs:
    """Make one of many jobs."""
    return DictArgs("numbered", {"number": number})


def stored(id: int, state: str = "available", **columns: Any) -> dict[str, Any]:  # noqa: A002  (the column's name)
    """Make a row of ``river_job`` as it stands in a state.

    Parameters:
        id: Its identity.
        state: Its state.
        columns: What differs from a plain job's row.
    """
    row = {
        "id": id,
        "args": {},
        "attempt": 0,
        "created_at": STORED_AT,
        "finalized_at": STORED_AT if state in FINALIZED_STATES else None,
        "kind": "stored",
        "max_attempts": 25,
        "metadata": {},
        "priority": 1,
        "queue": "default",
        "scheduled_at": STORED_AT,
        "state": state,
        "tags": [],
    }
    return row | columns


def stored_queue(name: str, **columns: Any) -> dict[str, Any]:
    """Make a row of ``river_queue``; see `stored`."""
    return {"name": name, "created_at": STORED_AT, "metadata": {}, "updated_at": STORED_AT} | columns


class SetClock:
    """A clock that stands until it is set.

    Parameters:
        time: What it shows first.
    """

    def __init__(self, time: datetime = datetime(2026, 11, 23, 5, 6, 7, 890_123, tzinfo=UTC)) -> None:
        self.time = time

    def now(self) -> datetime:
        """Return the time it shows."""
        return self.time

    def advance(self, by: timedelta) -> None:
        """Set it forward."""
        self.time += by


def columns(job: JobRow) -> dict[str, Any]:
    """Return what a job's row holds, except its identity."""
    names = [name for name, _ in getmembers(JobRow, lambda member: isinstance(member, property)) if name != "id"]
    return {name: getattr(job, name) for name in names}
