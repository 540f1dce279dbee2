"""Look after queues (River's ``QueueGet``, ``QueuePause`` and so on, in ``river_queue.sql``)."""

from datetime import datetime
from typing import Literal

from riverqueue import rows
from riverqueue.encoding import canonical, string
from riverqueue.errors import InvalidParamsError, NotFoundError
from riverqueue.jobs import Row
from riverqueue.queues import Queue
from riverqueue.statement import Operation, ask

#: All queues there are, to `queue_pause` and `queue_resume`.
ALL = "*"

#: The longest payload that PostgreSQL delivers.
_PAYLOAD_BYTES_MAX = 7999

_STATEMENTS = {"pause": "QueuePause", "resume": "QueueResume"}


def queue_get(name: str) -> Operation[Queue]:
    """Read a queue.

    Raises:
        NotFoundError: if there is none.
    """
    return Queue(_found((yield from ask("QueueGet", rows.one_or_none, name=name)), name))


def queue_list(first: int) -> Operation[list[Queue]]:
    """Read queues by name."""
    return (yield from ask("QueueList", rows.queues, first=first))


def queue_set_paused(
    name: str, action: Literal["pause", "resume"], *, now: datetime | None, notify: bool
) -> Operation[None]:
    """Pause or resume a queue, or all there are.

    Parameters:
        name: Which queue; ``*`` is all.
        action: What to do.
        now: When; None is the database's time.
        notify: Whether working clients are told.

    Raises:
        NotFoundError: if there is none of that name.
    """
    payload = f'{{"action":"{action}","queue":{string(name)}}}'
    count, _ = yield from ask(_STATEMENTS[action], rows.one, name=name, now=now, notify=notify, payload=payload)
    if not count and name != ALL:
        _found(None, name)


def queue_update(name: str, metadata: str | None, *, notify: bool) -> Operation[Queue]:
    """Replace a queue's metadata.

    Parameters:
        name: Which queue.
        metadata: JSON text of an object; None leaves it.
        notify: Whether working clients are told, if it is replaced.

    Raises:
        NotFoundError: if there is none.
        InvalidParamsError: if clients could not be told, as it is too large.
    """
    payload = ""
    notify = notify and metadata is not None
    if metadata is not None and notify:
        payload = f'{{"action":"metadata_changed","metadata":{canonical(metadata)},"queue":{string(name)}}}'
        _check_payload(payload)
    row = yield from ask(
        "QueueUpdate",
        rows.one_or_none,
        name=name,
        replace=metadata is not None,
        metadata=metadata or "{}",
        notify=notify,
        payload=payload,
    )
    return Queue(_found(row, name))


def _check_payload(payload: str) -> None:
    size = len(payload.encode())
    if size > _PAYLOAD_BYTES_MAX:
        raise InvalidParamsError(
            f"metadata is too large: working clients are told of it by a notification, which would be {size} bytes "
            f"(max {_PAYLOAD_BYTES_MAX}); keep it elsewhere and name it here"
        )


def _found(row: Row | None, name: str) -> Row:
    if row is None:
        raise NotFoundError(
            f"queue {name!r} is not found: a queue has a row once a client works it (queue_list() lists them)"
        )
    return row
