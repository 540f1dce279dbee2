"""Which jobs to list or delete (River's ``JobListParams`` and ``JobDeleteManyParams``)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

from riverqueue import checks
from riverqueue.errors import InvalidParamsError
from riverqueue.job_list_cursor import JobListCursor
from riverqueue.jobs import FINALIZED_STATES, JobRow, JobState
from riverqueue.statement import Param

#: What a list may be ordered by; see `JobListParams`.
JobListOrderBy: TypeAlias = Literal["id", "scheduled_at", "finalized_at", "time"]

_ORDERS = get_args(JobListOrderBy)
_TIME_COLUMNS = {JobState.RUNNING: "attempted_at", **dict.fromkeys(FINALIZED_STATES, "finalized_at")}
_NAME = re.compile(r"@(\w+)(::)?")


class Unset:
    """The type of `UNSET`."""

    def __repr__(self) -> str:
        return "UNSET"


#: Says that a value is left as it is, where None is a value.
UNSET = Unset()


@dataclass(frozen=True, slots=True)
class Where:
    """A condition of your own on the jobs, in SQL: for what no other filter can say.

    ::

        Where("args->>'customer' = any(@customers::text[])", {"customers": ["a", "b"]})

    It stands in parentheses among the other filters. Never build `sql` from what users type: give their
    values as `params`.

    Parameters:
        sql: A condition on columns of ``river_job``. Each parameter is marked by ``@name`` and followed
            by a cast, ``@name::type``.
        params: The value of each: None, bool, int, float, str, an aware datetime, or a list of int or str.

    Raises:
        InvalidParamsError: if marks and values do not fit together.
    """

    sql: str
    params: Mapping[str, Param] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not checks.text(self.sql, "Where's sql").strip():
            raise InvalidParamsError("Where's sql is empty; leave it out to list all")
        cast = {name for name, cast in _NAME.findall(self.sql) if cast}
        for name in self.params:
            if not name.isidentifier() or name.startswith("_"):
                raise InvalidParamsError(f"Where's parameter cannot be called {name!r}; use letters and digits")
            if name not in cast:
                raise InvalidParamsError(
                    f"Where's parameter {name!r} does not occur in {self.sql!r}; write @{name}::type, with its type"
                )
        if cast - self.params.keys():
            raise InvalidParamsError(
                f"Where's {self.sql!r} needs values for {', '.join(sorted(cast - set(self.params)))}"
            )
        for name, value in self.params.items():
            _check_param(name, value)


def _check_param(name: str, value: Any) -> None:
    if isinstance(value, str):
        checks.text(value, f"Where's parameter {name!r}")
    elif isinstance(value, datetime):
        if value.utcoffset() is None:
            raise InvalidParamsError(f"Where's parameter {name!r} is a naive datetime; give it a time zone")
    elif isinstance(value, list) and all(type(item) is str for item in value):
        checks.texts(value, f"Where's parameter {name!r}")
    elif not (value is None or isinstance(value, bool | int | float) or _is_integers(value)):
        raise InvalidParamsError(
            f"Where's parameter {name!r} must be None, bool, int, float, str, datetime, or a list of int or of str, "
            f"not {value!r}"
        )


def _is_integers(value: Any) -> bool:
    return isinstance(value, list) and all(type(item) is int for item in value)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobListParams:
    """Which jobs to list, in what order, and how many at a time. A filter left out leaves nothing out.

    The order is by `order_by` and then by id. ``time`` is the column that fits the first of `states`:
    ``attempted_at`` for running, ``finalized_at`` for cancelled, completed and discarded, else
    ``scheduled_at``. ``finalized_at`` lists finalized jobs only. Jobs without a time come last, or first if
    `descending`. As in River's ``job_list_params.go``.

    Parameters:
        ids: Jobs with one of these identities.
        kinds: Jobs of one of these kinds.
        priorities: Jobs with one of these priorities, 1 to 4.
        queues: Jobs in one of these queues.
        states: Jobs in one of these states.
        tags_all: Jobs that have all of these tags.
        tags_any: Jobs that have one of these tags.
        metadata: Jobs whose metadata contains this (``@>``): a mapping, or JSON text.
        where: Conditions of your own.
        order_by: ``id``, ``scheduled_at``, ``finalized_at`` or ``time``.
        descending: Whether to list from the end.
        first: How many at most, 1 to 10,000; of ``job_list_all``, how many at a time.
        after: Go on after this: the `JobListResult.last_cursor` of the page before, its text, or a job.

    Raises:
        InvalidParamsError: naming what cannot be.
    """

    ids: Sequence[int] = ()
    kinds: Sequence[str] = ()
    priorities: Sequence[int] = ()
    queues: Sequence[str] = ()
    states: Sequence[JobState | str] = ()
    tags_all: Sequence[str] = ()
    tags_any: Sequence[str] = ()
    metadata: Mapping[str, Any] | str | None = None
    where: Sequence[Where] = ()
    order_by: JobListOrderBy = "id"
    descending: bool = False
    first: int = 100
    after: JobListCursor | JobRow | str | None = None

    def __post_init__(self) -> None:
        _check_filters(self)
        _set(self, "tags_all", checks.texts(self.tags_all, "tags_all"))
        _set(self, "tags_any", checks.texts(self.tags_any, "tags_any"))
        if self.metadata is not None:
            _set(self, "metadata", _contained(self.metadata))
        if self.order_by not in _ORDERS:
            raise InvalidParamsError(f"order_by is unknown: {self.order_by!r}. It is one of {', '.join(_ORDERS)}")
        if self.order_by == "finalized_at":
            _set(self, "states", _finalized(self.states))
        _set(self, "after", _cursor(self))

    @property
    def time_column(self) -> str | None:
        """The column that orders the list before the id; None if the id alone does."""
        if self.order_by == "id":
            return None
        if self.order_by == "time":
            return _TIME_COLUMNS.get(JobState(self.states[0]), "scheduled_at") if self.states else "scheduled_at"
        return self.order_by

    @property
    def time_is_nullable(self) -> bool:
        """Whether jobs of this list may have no time."""
        if self.time_column == "finalized_at":
            return any(state not in FINALIZED_STATES for state in self.states)
        return self.time_column == "attempted_at"

    def cursor_of(self, job: JobRow) -> JobListCursor:
        """Say where a job stands in this listing."""
        time = getattr(job, self.time_column) if self.time_column else None
        return JobListCursor(job.id, job.kind, job.queue, self.order_by, time)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDeleteManyParams:
    """Which jobs to delete; running ones never are. As in River's ``delete_many_params.go``.

    Parameters:
        ids: Jobs with one of these identities.
        kinds: Jobs of one of these kinds.
        priorities: Jobs with one of these priorities, 1 to 4.
        queues: Jobs in one of these queues.
        states: Jobs in one of these states.
        where: Conditions of your own.
        first: How many at most, 1 to 10,000, by id.
        unsafe_all: Delete without any filter. Without it, filters that turn out to be empty cannot delete all.

    Raises:
        InvalidParamsError: naming what cannot be; if there is no filter.
    """

    ids: Sequence[int] = ()
    kinds: Sequence[str] = ()
    priorities: Sequence[int] = ()
    queues: Sequence[str] = ()
    states: Sequence[JobState | str] = ()
    where: Sequence[Where] = ()
    first: int = 100
    unsafe_all: bool = False

    def __post_init__(self) -> None:
        _check_filters(self)
        filters = (self.ids, self.kinds, self.priorities, self.queues, self.states, self.where)
        if not any(filters) and self.unsafe_all is not True:
            raise InvalidParamsError(
                "no filter: this would delete all jobs that do not run. Give ids, kinds, priorities, queues, states or "
                "where; or unsafe_all=True if all is what you mean"
            )
        if any(filters) and self.unsafe_all:
            raise InvalidParamsError("unsafe_all deletes all, and there are filters: leave the one or the others out")


class JobListResult(NamedTuple):
    """One page of a listing.

    Parameters:
        jobs: The jobs, in order.
        last_cursor: Where the next page begins; None if there were no jobs.
    """

    jobs: list[JobRow]
    last_cursor: JobListCursor | None


def _set(params: object, name: str, value: object) -> None:
    object.__setattr__(params, name, tuple(value) if isinstance(value, list) else value)


def _check_filters(params: JobListParams | JobDeleteManyParams) -> None:
    """Check what both kinds of parameters have, and keep it as the lists it was checked as."""
    _set(params, "ids", checks.job_ids(params.ids))
    _set(params, "kinds", checks.texts(params.kinds, "kinds"))
    _set(params, "priorities", checks.priorities(params.priorities))
    _set(params, "queues", checks.texts(params.queues, "queues"))
    _set(params, "states", checks.states(params.states))
    _set(params, "where", _conditions(params.where))
    checks.first(params.first)


def _conditions(value: Any) -> list[Where]:
    conditions: list[Where] = [value] if isinstance(value, Where) else list(checks.many(value, "where"))
    seen: set[str] = set()
    for condition in conditions:
        if not isinstance(condition, Where):
            raise InvalidParamsError(f"where takes a list of Where(sql, params), not {condition!r}")
        if seen & condition.params.keys():
            raise InvalidParamsError(
                f"two Where have a parameter {(seen & condition.params.keys()).pop()!r}; rename one"
            )
        seen |= condition.params.keys()
    return conditions


def _contained(value: Any) -> str:
    return checks.json_text(value, "metadata") if isinstance(value, str) else checks.json_object(value, "metadata")


def _finalized(states: Sequence[JobState | str]) -> Sequence[JobState | str]:
    others = [state for state in states if state not in FINALIZED_STATES]
    if others:
        raise InvalidParamsError(
            f"a list by finalized_at has finalized jobs only ({', '.join(FINALIZED_STATES)}), not {', '.join(others)}; "
            "order by time to mix them"
        )
    return states or FINALIZED_STATES


def _cursor(params: JobListParams) -> JobListCursor | None:
    after = params.after
    if isinstance(after, JobRow):
        after = params.cursor_of(after)
    elif isinstance(after, str):
        after = JobListCursor.from_text(after)
    if after is None:
        return None
    if not isinstance(after, JobListCursor):
        raise InvalidParamsError(f"after must be a cursor, its text, or a job, not {after!r}")
    if after.sort_field != params.order_by:
        raise InvalidParamsError(
            f"the cursor is of a listing by {after.sort_field!r}, and this is one by {params.order_by!r}; "
            "go on with the same order, or begin anew without after"
        )
    if after.time is None and params.time_column and not params.time_is_nullable:
        raise InvalidParamsError(
            f"the cursor's job has no {params.time_column}, and all jobs of this listing have: it is of one of other "
            "states; go on with the same, or begin anew without after"
        )
    return after
