"""The checks of what the methods for jobs and queues are asked for."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from riverqueue import encoding
from riverqueue.errors import InvalidArgsError, InvalidParamsError
from riverqueue.jobs import JobState

T = TypeVar("T")

#: The most jobs or queues one call lists or deletes, as in River.
FIRST_MAX = 10_000

#: The largest output of a job, as in River.
OUTPUT_BYTES_MAX = 32 * 1024 * 1024

_BIGINT_MAX = 2**63 - 1


def job_id(value: Any) -> int:
    """Return a job's identity if it can be one.

    Raises:
        InvalidParamsError: if it is no integer, or too large for the column.
    """
    if type(value) is not int or abs(value) > _BIGINT_MAX:
        raise InvalidParamsError(f"a job's id is an integer of 64 bits, like result.job.id; got {value!r}")
    return value


def instance(value: Any, kind: type[T]) -> T:
    """Return a value if it is of the kind that a method takes.

    Raises:
        InvalidParamsError: if it is not.
    """
    if not isinstance(value, kind):
        raise InvalidParamsError(f"pass {kind.__name__}(...), not {value!r}")
    return value


def first(value: Any) -> int:
    """Return how many to list or delete at most.

    Raises:
        InvalidParamsError: if it is not from 1 to 10,000.
    """
    if type(value) is not int or not 1 <= value <= FIRST_MAX:
        raise InvalidParamsError(
            f"first must be an integer from 1 to {FIRST_MAX}, not {value!r}; for more, ask again after the last"
        )
    return value


def text(value: Any, what: str) -> str:
    """Return text if PostgreSQL knows it.

    Raises:
        InvalidParamsError: if it is no string, or holds NUL or a lone surrogate.
    """
    if not isinstance(value, str):
        raise InvalidParamsError(f"{what} must be a string, not {value!r}")
    if "\0" in value or not _is_unicode(value):
        raise InvalidParamsError(f"{what} holds NUL or a lone surrogate, which PostgreSQL cannot: {value!a}")
    return str(value)


def _is_unicode(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def many(value: Any, what: str) -> Sequence[Any]:
    """Return several values, in a list even if there is one.

    Raises:
        InvalidParamsError: if it is one string, or no collection.
    """
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise InvalidParamsError(f"{what} takes a list, not {value!r}; write [{value!r}]")
    return list(value)


def texts(value: Any, what: str) -> list[str]:
    """Return several texts; see `text` and `many`."""
    return [text(item, f"each of {what}") for item in many(value, what)]


def job_ids(value: Any) -> list[int]:
    """Return several identities; see `job_id` and `many`."""
    return [job_id(item) for item in many(value, "ids")]


def priorities(value: Any) -> list[int]:
    """Return several priorities.

    Raises:
        InvalidParamsError: if one is not from 1 to 4.
    """
    found = many(value, "priorities")
    for priority in found:
        if type(priority) is not int or not 1 <= priority <= 4:
            raise InvalidParamsError(f"a priority is an integer from 1 (first) to 4 (last), not {priority!r}")
    return list(found)


def states(value: Any) -> list[JobState]:
    """Return several states.

    Raises:
        InvalidParamsError: if one is unknown.
    """
    return [_state(state) for state in many(value, "states")]


def _state(value: Any) -> JobState:
    try:
        return JobState(value)
    except ValueError:
        raise InvalidParamsError(f"state is unknown: {value!r}. It is one of {', '.join(JobState)}") from None


def json_text(value: Any, what: str) -> str:
    """Return JSON text of a value; text is taken to be JSON already.

    Raises:
        InvalidParamsError: if it is not, or PostgreSQL could not store it.
    """
    try:
        return encoding.checked(value, what) if isinstance(value, str) else encoding.encode(value)
    except InvalidArgsError as error:
        raise InvalidParamsError(f"{what}: {error}") from error


def json_object(value: Any, what: str) -> str:
    """Return JSON text of an object.

    Raises:
        InvalidParamsError: if it is none, or PostgreSQL could not store it.
    """
    if not isinstance(value, Mapping):
        raise InvalidParamsError(f"{what} must be a mapping, to be stored as a JSON object, not {value!r}")
    return json_text(dict(value), what)


def output(value: Any) -> str:
    """Return a job's output as JSON text.

    Raises:
        InvalidParamsError: if it is none, or larger than 32 MiB.
    """
    try:
        encoded = encoding.encode(value)
    except InvalidArgsError as error:
        raise InvalidParamsError(f"output: {error}") from error
    size = len(encoded.encode())
    if size > OUTPUT_BYTES_MAX:
        raise InvalidParamsError(
            f"output is too large: {size} bytes of JSON (max {OUTPUT_BYTES_MAX // 1024**2} MiB); "
            "store it elsewhere and record where"
        )
    return encoded


def seconds(value: Any, what: str) -> float | None:
    """Return a duration in seconds.

    Raises:
        InvalidParamsError: if it is no timedelta or number, or negative.
    """
    if value is None:
        return None
    number = value.total_seconds() if isinstance(value, timedelta) else value
    if type(number) not in (int, float) or not number >= 0:
        raise InvalidParamsError(f"{what} must be a timedelta or a number of seconds, not negative; got {value!r}")
    return float(number)
