"""From what a user asks to insert to what stands in the row (River's ``insertParamsFromConfigArgsAndOptions``)."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeAlias

from riverqueue import encoding, job_args
from riverqueue import unique as unique_keys
from riverqueue.errors import InvalidJobError
from riverqueue.insert_opts import PRIORITY_DEFAULT, QUEUE_DEFAULT, InsertOpts, UniqueOpts
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


def resolve(
    given: ArgsOrCallable, opts: InsertOpts | None, *, max_attempts: int, unique: bool = True, now: datetime
) -> JobInsertParams:
    """Work out one job: options by precedence, checked; args encoded; unique key computed.

    Parameters:
        given: What the user passed.
        opts: Options of the call; first in precedence, before the args' own.
        max_attempts: The client's default.
        unique: Whether unique options count.
        now: The time of the insert.

    Raises:
        InvalidJobError: if anything about the job cannot be stored or would surprise.
    """
    args: Any = given() if callable(given) and not hasattr(given, "kind") else given
    kind = job_args.kind_of(args)
    encoded = job_args.encode_args(args)
    own = job_args.own_insert_opts(args) or _NO_OPTS
    call = _checked_opts(opts)
    scheduled_at = _scheduled_at(call.scheduled_at if call.scheduled_at is not None else own.scheduled_at)
    params = JobInsertParams(
        args=args,
        encoded_args=encoded,
        kind=kind,
        max_attempts=_max_attempts(_first(call.max_attempts, own.max_attempts, max_attempts)),
        metadata=_metadata(call.metadata),
        priority=_priority(_first(call.priority, own.priority, PRIORITY_DEFAULT)),
        queue=checked_queue(_first(call.queue, own.queue, QUEUE_DEFAULT)),
        scheduled_at=scheduled_at,
        state=_state(call.pending, scheduled_at),
        tags=_tags(call.tags if call.tags is not None else own.tags),
    )
    unique_opts = _unique_opts(call.unique_opts, own.unique_opts)
    if unique and unique_opts is not None:
        _make_unique(params, unique_opts, now)
    return params


def _checked_opts(opts: InsertOpts | None) -> InsertOpts:
    if opts is None:
        return _NO_OPTS
    if not isinstance(opts, InsertOpts):
        raise InvalidJobError(f"insert_opts must be an InsertOpts, not {type(opts).__name__}")
    return opts


def _first(*values: Any) -> Any:
    return next(value for value in values if value is not None)


def _state(pending: bool, scheduled_at: datetime | None) -> JobState:
    if pending:
        return JobState.PENDING
    return JobState.AVAILABLE if scheduled_at is None else JobState.SCHEDULED


def _max_attempts(value: Any) -> int:
    if type(value) is not int or not 1 <= value <= _SMALLINT_MAX:
        raise InvalidJobError(f"max_attempts must be an integer from 1 to {_SMALLINT_MAX}, not {value!r}")
    return value


def _priority(value: Any) -> int:
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


def _scheduled_at(time: datetime | None) -> datetime | None:
    if time is None:
        return None
    if not isinstance(time, datetime):
        raise InvalidJobError(f"scheduled_at must be a datetime, not {type(time).__name__}")
    if time.utcoffset() is None:
        raise InvalidJobError(
            f"scheduled_at must know its time zone: {time!r} is naive. "
            "Use datetime.now(UTC) + delay, or .replace(tzinfo=…)"
        )
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise InvalidJobError(f"scheduled_at is outside of the years 1 to 9999 in UTC: {time!r}") from None


def _tags(tags: Sequence[str] | None) -> tuple[str, ...]:
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


def _metadata(value: Mapping[str, Any] | str | bytes | None) -> str:
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


def _unique_opts(call: UniqueOpts | None, own: UniqueOpts | None) -> UniqueOpts | None:
    for opts in (call, own):
        if opts is not None:
            unique_keys.validate(opts)
            if not unique_keys.is_empty(opts):
                return opts
    return None


def _make_unique(params: JobInsertParams, opts: UniqueOpts, now: datetime) -> None:
    params.unique_key = unique_keys.unique_key(
        opts,
        kind=params.kind,
        encoded_args=params.encoded_args,
        queue=params.queue,
        scheduled_at=params.scheduled_at,
        now=now,
        paths=job_args.unique_paths(params.args),
    )
    params.unique_states = unique_keys.states_mask(opts)


def recheck(params: JobInsertParams) -> None:
    """Check a job again after hooks or middleware may have changed it.

    Raises:
        InvalidJobError: if it cannot be stored as it stands now.
    """
    job_args.checked_kind(params.kind)
    checked_object(params.encoded_args, "encoded_args")
    checked_object(params.metadata, "metadata")
    checked_queue(params.queue)
    _max_attempts(params.max_attempts)
    _priority(params.priority)
    params.tags = _tags(params.tags)
    params.scheduled_at = _scheduled_at(params.scheduled_at)
    params.created_at = _scheduled_at(params.created_at)
    params.state = _known_state(params.state)


def _known_state(state: str) -> JobState:
    try:
        return JobState(state)
    except ValueError:
        raise InvalidJobError(f"state is unknown: {state!r}. It is one of {', '.join(JobState)}") from None


def document(jobs: Sequence[JobInsertParams], ids: Sequence[int] | None = None) -> str:
    """Spell jobs as the JSON document that ``JobInsertMany`` reads.

    Parameters:
        jobs: In the order to insert them.
        ids: Their identities, in the same order; None draws them as they are inserted.
    """
    texts = [_element(job) for job in jobs]
    if ids is not None:
        texts = [f'{{"id":{identity},{text[1:]}' for identity, text in zip(ids, texts, strict=True)]
    return f"[{','.join(texts)}]"


@lru_cache(maxsize=1024)
def _constant(kind: str, queue: str, priority: int, max_attempts: int, state: str) -> str:
    head = {"kind": kind, "queue": queue, "priority": priority, "max_attempts": max_attempts, "state": state}
    return json.dumps(head)[:-1]


def _element(job: JobInsertParams) -> str:
    text = _constant(job.kind, job.queue, job.priority, job.max_attempts, job.state)
    text += ',"args":' + job.encoded_args
    if job.metadata != "{}":
        text += ',"metadata":' + job.metadata
    if job.scheduled_at is not None:
        text += f',"scheduled_at":"{job.scheduled_at.isoformat()}"'
    if job.created_at is not None:
        text += f',"created_at":"{job.created_at.isoformat()}"'
    if job.tags:
        text += ',"tags":' + json.dumps(job.tags)
    if job.unique_key is not None:
        text += f',"unique_key":"{job.unique_key.hex()}","unique_states":{job.unique_states}'
    if job.id is not None:
        text += f',"id":{job.id}'
    return text + "}"
