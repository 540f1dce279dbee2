"""The entry that a failed attempt leaves in ``river_job.errors`` (River's ``AttemptError``)."""

import traceback
from datetime import datetime
from typing import Any

from riverqueue import encoding
from riverqueue.errors import RiverError, UnknownJobKindError
from riverqueue.outcomes import CANCELLED_REMOTELY, JobCancel


class JobDecodeError(RiverError):
    """A job's row holds what cannot be read."""


class ProcessError(RiverError):
    """What a worker raised in another process.

    Parameters:
        text: Text of the error.
        trace: Its stack trace there.
    """

    def __init__(self, text: str, trace: str = "") -> None:
        super().__init__(text)
        self.trace = trace


#: Errors that say all themselves: where in this library they are raised helps nobody.
WITHOUT_TRACE = (JobCancel, JobDecodeError, UnknownJobKindError)


def error_entry(error: BaseException, started_at: datetime, attempt: int) -> str:
    """Spell an attempt's error as River does.

    Parameters:
        error: What was raised.
        started_at: When the attempt began.
        attempt: Its number.
    """
    return (
        f'{{"at":"{encoding.rfc3339(started_at)}","attempt":{attempt},'
        f'"error":{encoding.string(storable(text_of(error)))},"trace":{encoding.string(storable(trace_of(error)))}}}'
    )


def within(error: BaseException | None, kind: type[Any]) -> Any:
    """Find an error of a kind in what was raised and what that was raised from."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, kind):
            return error
        seen.add(id(error))
        error = error.__cause__
    return None


def text_of(error: BaseException) -> str:
    """Return the text of an error, whatever its ``__str__`` does."""
    if isinstance(error, JobCancel) and str(error) == CANCELLED_REMOTELY:
        return CANCELLED_REMOTELY
    try:
        return str(error) or type(error).__name__
    except Exception:
        return type(error).__name__


def trace_of(error: BaseException) -> str:
    """Return the stack trace of an error; empty where it would say nothing."""
    if isinstance(error, WITHOUT_TRACE):
        return ""
    if isinstance(error, ProcessError):
        return error.trace
    return "".join(traceback.format_exception(error))


def storable(text: str) -> str:
    """Return text that PostgreSQL can store, and a log can hold, whatever is in it."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
