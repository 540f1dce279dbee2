"""Unique keys, byte for byte as River in Go (0.48 and later) makes them.

Two clients keep each other's jobs out only if both hash the same text. So the text is Go's: args as
Go's encoder spells them, names as sjson writes them, periods in UTC.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import TypeAlias

from riverqueue import encoding
from riverqueue.errors import InvalidJobError
from riverqueue.insert_opts import UNIQUE_STATES_DEFAULT, UNIQUE_STATES_REQUIRED, ArgPath, UniqueOpts
from riverqueue.jobs import STATE_WEIGHTS, JobState

Path: TypeAlias = tuple[str, ...]
Tree: TypeAlias = dict[str, "str | Tree"]

_YEAR_ONE = datetime(1, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SECOND_NANOS = 1_000_000_000
_INDEX = re.compile(r"[0-9]+|-1")


def is_empty(opts: UniqueOpts) -> bool:
    """Tell whether options make nothing unique.

    As in Go, an empty list of states is not empty: the job is unique by its kind.

    Parameters:
        opts: The options.
    """
    return opts.by_state is None and not (opts.by_args or opts.by_period or opts.by_queue or opts.exclude_kind)


def validate(opts: UniqueOpts) -> None:
    """Check options as Go does, and what Go's types rule out.

    Parameters:
        opts: The options.

    Raises:
        InvalidJobError: says which option is wrong, and why.
    """
    if not isinstance(opts, UniqueOpts):
        raise InvalidJobError(f"unique_opts must be a UniqueOpts, not {type(opts).__name__}")
    arg_paths(opts)
    period = period_nanos(opts)
    if period and period < _SECOND_NANOS:
        raise InvalidJobError("UniqueOpts.by_period should not be less than 1 second")
    if opts.exclude_kind and not (opts.by_args or opts.by_queue or period):
        raise InvalidJobError("UniqueOpts.exclude_kind requires by_args, by_queue, or by_period")
    if opts.by_state:
        _check_states(opts.by_state)


def _check_states(states: Sequence[JobState | str]) -> None:
    if isinstance(states, str):
        raise InvalidJobError(f"UniqueOpts.by_state must be a list of states, not the string {states!r}")
    for state in states:
        if not isinstance(state, str) or state not in STATE_WEIGHTS:
            raise InvalidJobError(f"UniqueOpts.by_state contains invalid state {str(state)!r}")
    missing = [state.value for state in UNIQUE_STATES_REQUIRED if state not in states]
    if missing:
        raise InvalidJobError(f"UniqueOpts.by_state must contain all required states, missing: {', '.join(missing)}")


def states_mask(opts: UniqueOpts) -> int:
    """Return the mask for ``river_job.unique_states``: the weights of the states that count, added.

    Parameters:
        opts: Validated options.
    """
    return sum(STATE_WEIGHTS[state] for state in {JobState(state) for state in opts.by_state or UNIQUE_STATES_DEFAULT})


def period_nanos(opts: UniqueOpts) -> int:
    """Return ``by_period`` in nanoseconds; 0 if there is none.

    Parameters:
        opts: The options.

    Raises:
        InvalidJobError: if it is neither a timedelta nor a finite number.
    """
    period = opts.by_period
    if isinstance(period, timedelta):
        return period // _MICROSECOND * 1000
    if period is None:
        return 0
    # A str times a number would be a very long str.
    if isinstance(period, bool) or not isinstance(period, int | float) or not isfinite(period):
        raise InvalidJobError(f"UniqueOpts.by_period must be a timedelta or a number of seconds, not {period!r}")
    return round(period * _SECOND_NANOS)


def arg_paths(opts: UniqueOpts) -> tuple[Path, ...]:
    """Return the paths that ``by_args`` names; empty if it names none.

    Parameters:
        opts: The options.

    Raises:
        InvalidJobError: if a path is malformed.
    """
    by_args = opts.by_args
    if by_args is None or isinstance(by_args, bool):
        return ()
    if isinstance(by_args, str) or not isinstance(by_args, Sequence):
        raise InvalidJobError(f"UniqueOpts.by_args must be True or a list of paths, not {by_args!r}")
    if not by_args:
        raise InvalidJobError("UniqueOpts.by_args names no args; use True for all of them, None for none")
    return tuple([_parts(path) for path in by_args])


def _parts(path: ArgPath) -> Path:
    if not isinstance(path, str | tuple):
        raise InvalidJobError(f"UniqueOpts.by_args: a path must be a str or a tuple of str, not {path!r}")
    parts = tuple(path.split(".")) if isinstance(path, str) else path
    _check_parts(parts)
    return parts


def _check_parts(parts: Path) -> None:
    if not parts or not all(isinstance(part, str) and part for part in parts):
        raise InvalidJobError(f"UniqueOpts.by_args: a path must consist of non-empty strings: {parts!r}")
    for part in parts:
        if _INDEX.fullmatch(part):
            # Go builds an array of that many elements, or fails, depending on the paths beside it.
            raise InvalidJobError(f"UniqueOpts.by_args: a name must not look like an index: {part!r}; rename the arg")


def unique_key(
    opts: UniqueOpts,
    *,
    kind: str,
    encoded_args: str,
    queue: str,
    scheduled_at: datetime | None,
    now: datetime,
    paths: Sequence[Path] | None = None,
) -> bytes:
    """Return the unique key of a job: SHA-256 of what `pre_hash` returns, 32 bytes.

    The parameters are those of `pre_hash`.
    """
    from hashlib import sha256  # most programs have no unique jobs

    return sha256(
        pre_hash(
            opts,
            kind=kind,
            encoded_args=encoded_args,
            queue=queue,
            scheduled_at=scheduled_at,
            now=now,
            paths=paths,
        ).encode()
    ).digest()


def pre_hash(
    opts: UniqueOpts,
    *,
    kind: str,
    encoded_args: str,
    queue: str,
    scheduled_at: datetime | None,
    now: datetime,
    paths: Sequence[Path] | None = None,
) -> str:
    """Return the text whose hash is the unique key; worth a look when two clients disagree.

    Parameters:
        opts: Validated options.
        kind: The job's kind.
        encoded_args: Its args as JSON text, as they are before PostgreSQL spells them anew.
        queue: Its queue.
        scheduled_at: When it is to be worked; its period is taken from it.
        now: Time of the insert, used where `scheduled_at` is None.
        paths: The args that count where ``by_args`` is True; all of them if empty or None.

    Raises:
        InvalidJobError: if the args are not a JSON object, or a time is naive.
    """
    text = "" if opts.exclude_kind else f"&kind={kind}"
    if opts.by_args:
        text += f"&args={_args(encoded_args, arg_paths(opts) or paths or ())}"
    period = period_nanos(opts)
    if period:
        text += f"&period={_period(now if scheduled_at is None else scheduled_at, period)}"
    if opts.by_queue:
        text += f"&queue={queue}"
    return text


def _period(time: datetime, nanos: int) -> str:
    """Round a time down to a multiple of the period since year 1, as Go's ``Time.Truncate``."""
    if time.utcoffset() is None:
        raise InvalidJobError(f"a unique period needs a time that knows its zone: {time!r} is naive")
    elapsed = (time - _YEAR_ONE) // _MICROSECOND * 1000
    start = _YEAR_ONE + timedelta(seconds=(elapsed - elapsed % nanos) // _SECOND_NANOS)
    return encoding.rfc3339(start)


def _args(encoded_args: str, paths: Sequence[Path]) -> str:
    members = encoding.object_members(encoded_args) if encoded_args else []
    return _selected(members, paths) if paths else _whole(members)


def _whole(members: Sequence[tuple[str, str]]) -> str:
    """Sort the members by name; of a repeated name the first counts."""
    return _object(dict(sorted(dict(reversed(members)).items())))


def _selected(members: Sequence[tuple[str, str]], paths: Sequence[Path]) -> str:
    """Write what the paths lead to, in their order; nothing at all if they lead nowhere."""
    tree: Tree = {}
    for path in sorted(set(paths), key=_path_order):
        _check_parts(path)
        value = _value_at(members, path)
        if value is not None:
            _put(tree, path, value)
    return _object(tree) if tree else ""


def _path_order(path: Path) -> tuple[str, str]:
    # Ties are broken as Go's escaped paths break them: a dot that nests before one in a name.
    return ".".join(path), ".".join(part.replace(".", "\\.") for part in path)


def _value_at(members: Sequence[tuple[str, str]], path: Path) -> str | None:
    """Return the first value that is there; where a name is repeated, gjson tries each in turn."""
    for name, value in members:
        if name == path[0]:
            if len(path) == 1:
                return value
            found = _value_at(encoding.members(value), path[1:]) if value[0] == "{" else None
            if found is not None:
                return found
    return None


def _put(tree: Tree, path: Path, value: str) -> None:
    for part in path[:-1]:
        inner = tree.setdefault(part, {})
        if isinstance(inner, str):
            return  # the whole of it is there already
        tree = inner
    tree[path[-1]] = value


def _object(tree: Tree | dict[str, str]) -> str:
    texts = [
        f"{encoding.name(name)}:{value if isinstance(value, str) else _object(value)}" for name, value in tree.items()
    ]
    return f"{{{','.join(texts)}}}"
