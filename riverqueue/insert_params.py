"""What is about to be inserted: a batch's items, a job with all it will have, and the checks of each value."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeAlias

from riverqueue import encoding, job_args
from riverqueue.errors import InvalidJobError
from riverqueue.insert_opts import InsertOpts
from riverqueue.job_args import AnyJobArgs
from riverqueue.jobs import JobState

#: Args, or a function without parameters that makes them once the transaction's pending objects are
#: flushed, so that they may hold ids which the flush assigned.
ArgsOrCallable: TypeAlias = AnyJobArgs | Callable[[], AnyJobArgs]

_QUEUE = re.compile(r"(?:[a-z0-9])+(?:[_|\-]?[a-z0-9]+)*")
_TAG = re.compile(r"\w[\w\-]+\w", re.ASCII)
_NO_OPTS = InsertOpts()
_SMALLINT_MAX = 32_767


@dataclass(frozen=True, slots=True)
class InsertManyParams:
    """One job of a batch, with options of its own.

    Parameters:
        args: As for ``Client.insert``.
        insert_opts: Its options.
    """

    args: ArgsOrCallable
    insert_opts: InsertOpts | None = None


@dataclass(slots=True)
class JobInsertParams:
    """A job about to be inserted; hooks and middleware may change it.

    The unique key is not computed again after a change.

    Parameters:
        args: What the user passed.
        encoded_args: The args as JSON text of an object.
        kind: Says which worker works it.
        max_attempts: Attempts after which it is discarded.
        metadata: JSON text of an object.
        priority: 1 (first) to 4 (last).
        queue: Name of its queue.
        scheduled_at: When to work it; None is now.
        state: The state to begin in.
        tags: Words to group jobs by.
        unique_key: SHA-256 of the unique properties; None if it is not unique.
        unique_states: Mask of the states that count; None if it is not unique.
        created_at: Time of the insert; None is now.
        id: Identity; None draws the next one.
    """

    args: Any
    encoded_args: str
    kind: str
    max_attempts: int
    metadata: str
    priority: int
    queue: str
    scheduled_at: datetime | None
    state: JobState
    tags: tuple[str, ...]
    unique_key: bytes | None = None
    unique_states: int | None = None
    created_at: datetime | None = None
    id: int | None = None


def checked_max_attempts(value: Any) -> int:
    """Return a number of attempts if it can be stored.

    Raises:
        InvalidJobError: if it cannot.
    """
    if type(value) is not int or not 1 <= value <= _SMALLINT_MAX:
        raise InvalidJobError(f"max_attempts must be an integer from 1 to {_SMALLINT_MAX}, not {value!r}")
    return value


def checked_priority(value: Any) -> int:
    """Return a priority if it can be stored.

    Raises:
        InvalidJobError: if it cannot.
    """
    if type(value) is not int or not 1 <= value <= 4:
        raise InvalidJobError(f"priority must be an integer from 1 (first) to 4 (last), not {value!r}")
    return value


@lru_cache(maxsize=1024)
def checked_queue(name: str) -> str:
    """Return a queue's name if River allows it.

    Raises:
        InvalidJobError: if it does not.
    """
    if not isinstance(name, str) or not name:
        raise InvalidJobError(f"queue must be a non-empty string, not {name!r}")
    if len(name.encode("utf-8", "surrogatepass")) > 64:
        raise InvalidJobError(f"queue name cannot be longer than 64 bytes: {name!r}")
    if not _QUEUE.fullmatch(name):
        raise InvalidJobError(
            f"queue name is invalid: {name!r}. Use lower-case letters and digits, "
            "separated by single underscores or hyphens"
        )
    return name


def checked_scheduled_at(time: datetime | None) -> datetime | None:
    """Return an aware time, in UTC, if it can be stored.

    Raises:
        InvalidJobError: if it cannot.
    """
    if time is None:
        return None
    if not isinstance(time, datetime):
        raise InvalidJobError(
            f"scheduled_at must be a datetime, not {type(time).__name__}; for a delay add it: datetime.now(UTC) + delay"
        )
    if time.utcoffset() is None:
        raise InvalidJobError(
            f"scheduled_at must know its time zone: {time!r} is naive. "
            "Use datetime.now(UTC) + delay, or .replace(tzinfo=…)"
        )
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise InvalidJobError(f"scheduled_at is outside of the years 1 to 9999 in UTC: {time!r}") from None


def checked_tags(tags: Sequence[str] | None) -> tuple[str, ...]:
    """Return tags if it can be stored.

    Raises:
        InvalidJobError: if it cannot.
    """
    if not tags:
        return ()
    if isinstance(tags, str):
        raise InvalidJobError(f"tags must be a list of strings, not the string {tags!r}; write [{tags!r}]")
    return tuple([_tag(tag) for tag in tags])


def _tag(tag: str) -> str:
    if not isinstance(tag, str) or not _TAG.fullmatch(tag):
        raise InvalidJobError(
            f"tag is invalid: {tag!r}. A tag is at least 3 ASCII letters, digits, underscores or hyphens, "
            "and neither begins nor ends with a hyphen"
        )
    if len(tag) > 255:
        raise InvalidJobError(f"tags should be a maximum of 255 bytes long: {tag[:40]!r}… has {len(tag)}")
    return tag


def checked_metadata(value: Mapping[str, Any] | str | bytes | None) -> str:
    """Return metadata as JSON text if it can be stored.

    Raises:
        InvalidJobError: if it cannot.
    """
    if not value:
        return "{}"
    if isinstance(value, Mapping):
        return encoding.encode(dict(value))
    return checked_object(value, "metadata")


def checked_object(value: str | bytes, what: str) -> str:
    """Return JSON text if it is that of an object PostgreSQL can store.

    Raises:
        InvalidJobError: if it is not; says what `what` should be.
    """
    text = value.decode("utf-8") if isinstance(value, bytes) else value
    if not isinstance(text, str):
        raise InvalidJobError(f"{what} must be a mapping or JSON text, not {type(value).__name__}")
    encoding.check_object(text, what)
    return text


def recheck(params: JobInsertParams) -> None:
    """Check a job again after hooks or middleware may have changed it.

    Raises:
        InvalidJobError: if it cannot be stored as it stands now.
    """
    job_args.checked_kind(params.kind)
    checked_object(params.encoded_args, "encoded_args")
    checked_object(params.metadata, "metadata")
    checked_queue(params.queue)
    checked_max_attempts(params.max_attempts)
    checked_priority(params.priority)
    params.tags = checked_tags(params.tags)
    params.scheduled_at = checked_scheduled_at(params.scheduled_at)
    params.created_at = checked_scheduled_at(params.created_at)
    params.state = _known_state(params.state)


def _known_state(state: str) -> JobState:
    try:
        return JobState(state)
    except ValueError:
        raise InvalidJobError(f"state is unknown: {state!r}. It is one of {', '.join(JobState)}") from None
