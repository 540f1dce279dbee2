"""Where a list of jobs goes on (River's ``JobListCursor``)."""

import json
from base64 import urlsafe_b64encode
from binascii import Error as Base64Error
from binascii import a2b_base64
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from riverqueue.encoding import rfc3339, string
from riverqueue.errors import InvalidParamsError

_ZERO_TIME = datetime(1, 1, 1, tzinfo=UTC)
_ALPHABET = str.maketrans("-_", "+/")


@dataclass(frozen=True, slots=True)
class JobListCursor:
    """The place of one job in a listing; ``str(cursor)`` is a text to keep or to send.

    To the byte the text that Go's River gives, so that a listing begun by one client can be continued
    by another.

    Parameters:
        id: Identity of the job.
        kind: Its kind; for information.
        queue: Its queue; for information.
        sort_field: What the listing was ordered by.
        time: The job's time in that order; None if it has none, or the order is by id.
    """

    id: int
    kind: str
    queue: str
    sort_field: str
    time: datetime | None

    def __str__(self) -> str:
        document = (
            f'{{"id":{self.id},"kind":{string(self.kind)},"queue":{string(self.queue)},'
            f'"sort_field":{string(self.sort_field)},"time":"{rfc3339(self.time or _ZERO_TIME)}"}}'
        )
        return urlsafe_b64encode(document.encode()).decode()

    @classmethod
    def from_text(cls, text: str) -> "JobListCursor":
        """Read a cursor's text, in either of Base64's alphabets.

        Parameters:
            text: What ``str(cursor)`` gave, or another River client.

        Raises:
            InvalidParamsError: if it is no such text.
        """
        try:
            document = json.loads(a2b_base64(text.translate(_ALPHABET), strict_mode=True))
            return cls(
                _typed(document["id"], int),
                _typed(document["kind"], str),
                _typed(document["queue"], str),
                _typed(document["sort_field"], str),
                _time(document["time"]),
            )
        except (Base64Error, ValueError, TypeError, LookupError, OverflowError, RecursionError):
            raise InvalidParamsError(
                f"not a cursor: {text[:80]!r}. Pass str(result.last_cursor) as it was, or leave after out to begin anew"
            ) from None


def _typed(value: Any, kind: type[Any]) -> Any:
    if type(value) is not kind or (kind is int and abs(value) >= 2**63):
        raise TypeError
    return value


def _time(text: str) -> datetime | None:
    time = datetime.fromisoformat(text)
    if time.utcoffset() is None:
        raise ValueError
    return None if time == _ZERO_TIME else time.astimezone(UTC)
