"""Column types for what River keeps in a form of its own; each value is read as `riverqueue.JobRow` reads it."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, TypeAlias

from sqlalchemy import TypeDecorator
from sqlalchemy.dialects.postgresql import ARRAY, BIT, ENUM, JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.operators import OperatorType
from sqlalchemy.types import TypeEngine

from riverqueue.jobs import STATE_WEIGHTS, AttemptError, JobState

#: One failed attempt: as it is read, or as JSON.
AttemptErrorLike: TypeAlias = AttemptError | dict[str, Any]


def state_type(schema: str | None) -> ENUM:
    """Make the type ``river_job_state``, which only River's migrations create.

    Parameters:
        schema: Schema of River's tables; None leaves it to the ``search_path``.
    """
    return ENUM(
        JobState,
        name="river_job_state",
        schema=schema,
        create_type=False,
        validate_strings=True,  # before the database does, and aborts the transaction
        values_callable=_values,
    )


def _values(states: type[JobState]) -> list[str]:
    return [state.value for state in states]


class AttemptErrors(TypeDecorator[list[AttemptError]]):
    """The type of ``river_job.errors``, a ``jsonb[]``: a list of `AttemptError`.

    In SQL it is the array it is: ``RiverJob.errors[1]["error"].astext`` is the first one's text.
    """

    impl = ARRAY(JSONB)
    cache_ok = True

    def process_result_value(self, value: list[Any] | None, dialect: Dialect) -> list[AttemptError] | None:  # noqa: ARG002
        """Read what the database has."""
        return None if value is None else [AttemptError.from_json(error) for error in value]

    def process_bind_param(self, value: Sequence[AttemptErrorLike] | None, dialect: Dialect) -> Any:  # noqa: ARG002
        """Spell a list for the database."""
        return None if value is None else [_as_json(error) for error in value]

    def coerce_compared_value(self, op: OperatorType | None, value: Any) -> TypeEngine[Any]:
        """Choose the type of what an expression compares it with: a list is one of errors, an index is not."""
        return self if isinstance(value, list | tuple) else self.impl_instance.coerce_compared_value(op, value)


def _as_json(error: AttemptErrorLike) -> dict[str, Any]:
    return {**asdict(error), "at": error.at.isoformat()} if isinstance(error, AttemptError) else error


class UniqueStates(TypeDecorator[list[JobState]]):
    """The type of ``river_job.unique_states``, a ``bit(8)``: a list of `JobState`, in any order when compared."""

    impl = BIT(8)
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Dialect) -> list[JobState] | None:  # noqa: ARG002
        """Read what the database has: text, or an object of asyncpg's."""
        if value is None:
            return None
        mask: int = int(value, 2) if isinstance(value, str) else value.to_int()
        return [state for state, weight in STATE_WEIGHTS.items() if mask & weight]

    def process_bind_param(self, value: Sequence[JobState | str] | None, dialect: Dialect) -> Any:
        """Spell a list for the database."""
        if value is None:
            return None
        bits = format(sum(STATE_WEIGHTS[state] for state in {JobState(state) for state in value}), "08b")
        library: Any = dialect.dbapi
        return library.asyncpg.BitString(bits) if dialect.driver == "asyncpg" else bits
