"""What the filters of a listing or a deletion are in SQL (River's ``job_list_params.go``, ``db_list.go``)."""

from collections.abc import Sequence
from typing import Any

from riverqueue.job_params import JobDeleteManyParams, JobListParams, Where
from riverqueue.jobs import FINALIZED_STATES, JobState
from riverqueue.statement import Clauses, Param

#: A column, and the parameter that lists its values. Those of River's own begin with an underscore: a `Where`
#: cannot have them.
_LISTS = (
    ("ids", "river_job.id = ANY(@_ids::bigint[])"),
    ("kinds", "river_job.kind = ANY(@_kinds::text[])"),
    ("priorities", "river_job.priority = ANY(@_priorities::int[])"),
    ("queues", "river_job.queue = ANY(@_queues::text[])"),
    ("tags_all", "river_job.tags @> @_tags_all::text[]::varchar(255)[]"),
    ("tags_any", "river_job.tags && @_tags_any::text[]::varchar(255)[]"),
)


class Filter:
    """Conditions on jobs, and the values they speak of."""

    def __init__(self) -> None:
        self.conditions: list[str] = []
        self.params: dict[str, Param] = {}

    def add(self, condition: str, **params: Param) -> None:
        """Let through only what meets one more condition."""
        self.conditions.append(condition)
        self.params.update(params)

    @property
    def sql(self) -> str:
        """All conditions as one."""
        return "\n    AND ".join(self.conditions) or "true"


def of_deletion(params: JobDeleteManyParams) -> tuple[Clauses, dict[str, Param]]:
    """Spell which jobs to delete."""
    found = _filters(params)
    _add_states(found, params)
    return (("where", found.sql),), found.params


def of_queues(queues: Sequence[str] | None) -> tuple[Clauses, dict[str, Param]]:
    """Spell that jobs are of some queues; None is all, and none is none."""
    found = Filter()
    if queues is not None:
        found.add("river_job.queue = ANY(@_queues::text[])", _queues=list(queues))
    return (("where", found.sql),), found.params


def listing(params: JobListParams) -> str:
    """Name the statement that has an index to list some jobs by; ``job.sql`` says why there are three."""
    if params.metadata is not None or _is_of_the_living(params):
        return "JobListFiltered"
    if params.time_column == "finalized_at" and not params.time_is_nullable and len(set(params.states)) > 1:
        return "JobListByState"
    return "JobList"


def _is_of_the_living(params: JobListParams) -> bool:
    # By id, nearly all that is finalized stands before the few jobs that are not.
    oldest_first = params.order_by == "id" and not params.descending
    return oldest_first and bool(params.states) and not set(params.states) & set(FINALIZED_STATES)


def of_listing(params: JobListParams) -> tuple[Clauses, dict[str, Param]]:
    """Spell which jobs to list, and in which order, for the statement that `listing` names."""
    found = _filters(params)
    if listing(params) == "JobListByState":
        found.params["_states"] = [JobState(state).value for state in dict.fromkeys(params.states)]
    else:
        _add_states(found, params)
    if params.metadata is not None:
        found.add("river_job.metadata @> @_metadata::text::jsonb", _metadata=str(params.metadata))
    if params.time_column == "finalized_at" and not params.time_is_nullable:
        # The table's check says so, but for its index PostgreSQL needs to read it.
        found.add("river_job.finalized_at IS NOT NULL")
    _add_cursor(found, params)
    return (("where", found.sql), ("order_by", _order_by(params))), found.params


def _filters(params: JobListParams | JobDeleteManyParams) -> Filter:
    found = Filter()
    for name, condition in _LISTS:
        values: Sequence[Any] = getattr(params, name, ())
        if values:
            found.add(condition, **{f"_{name}": list(values)})
    for where in params.where:
        _add_where(found, where)
    return found


def _add_states(found: Filter, params: JobListParams | JobDeleteManyParams) -> None:
    if params.states:
        found.add(_states([JobState(state) for state in params.states]))


def _states(states: Sequence[JobState]) -> str:
    # Spelled out, not as a parameter: one state is a place in an index, and known when a plan is made once for all.
    if len(states) == 1:
        return f"river_job.state = '{states[0].value}'"
    return "river_job.state IN ({})".format(", ".join(f"'{state.value}'" for state in dict.fromkeys(states)))


def _add_where(found: Filter, where: Where) -> None:
    # The parenthesis stands on a line of its own: the condition may end in a comment.
    found.add(f"({where.sql}\n)", **where.params)


def _add_cursor(found: Filter, params: JobListParams) -> None:
    cursor: Any = params.after
    if cursor is None:
        return
    than, column = "<" if params.descending else ">", params.time_column
    beyond = f"river_job.id {than} @_after_id::bigint"
    if column is None:
        found.add(beyond, _after_id=cursor.id)
    elif cursor.time is not None:
        # As a row, which an index can seek; jobs without a time come after all others, so before them descending.
        past = f"(river_job.{column}, river_job.id) {than} (@_after_time::timestamptz, @_after_id::bigint)"
        or_null = f" OR river_job.{column} IS NULL" if params.time_is_nullable and not params.descending else ""
        found.add(f"({past}{or_null})", _after_id=cursor.id, _after_time=cursor.time)
    elif params.descending:
        found.add(f"(river_job.{column} IS NOT NULL OR {beyond})", _after_id=cursor.id)
    else:
        found.add(f"(river_job.{column} IS NULL AND {beyond})", _after_id=cursor.id)


def _order_by(params: JobListParams) -> str:
    direction = "DESC" if params.descending else "ASC"
    # PostgreSQL puts jobs without a time last, and first descending, by itself: so an index serves.
    columns = [f"river_job.{params.time_column}"] if params.time_column else []
    return ", ".join(f"{column} {direction}" for column in [*columns, "river_job.id"])
