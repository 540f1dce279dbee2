"""Jobs as bytes of PostgreSQL's binary COPY format, encoded once whatever the driver."""

import struct
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache

from riverqueue.insert_params import JobInsertParams
from riverqueue.statement import Copy

#: Args come first: in most batches they alone differ, and what follows is packed once.
COLUMNS = (
    "args",
    "created_at",
    "kind",
    "max_attempts",
    "metadata",
    "priority",
    "queue",
    "scheduled_at",
    "state",
    "tags",
    "unique_key",
    "unique_states",
)

_HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0)
_TRAILER = struct.pack("!h", -1)
_NULL = struct.pack("!i", -1)
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_VARCHAR_OID = 1043
_ROW_HEAD = struct.Struct("!hiB")
_LENGTH = struct.Struct("!i")


def copy_jobs(batches: Iterable[Sequence[JobInsertParams]], now: datetime) -> Copy:
    """Make the step that copies jobs into ``river_job``; a batch is packed when its turn comes.

    Parameters:
        batches: In the order to insert them; identities are drawn by the server.
        now: Time of the insert.
    """
    return Copy("river_job", COLUMNS, _pieces(batches, now))


def _pieces(batches: Iterable[Sequence[JobInsertParams]], now: datetime) -> Iterator[bytes]:
    yield _HEADER
    for jobs in batches:
        yield b"".join([_row(job, now) for job in jobs])
    yield _TRAILER


def _row(job: JobInsertParams, now: datetime) -> bytes:
    args = job.encoded_args.encode()
    return (
        _ROW_HEAD.pack(len(COLUMNS), len(args) + 1, 1)
        + args
        + _tail(
            job.created_at or now,
            job.kind,
            job.max_attempts,
            job.metadata,
            job.priority,
            job.queue,
            job.scheduled_at or now,
            job.state,
            job.tags,
            job.unique_key,
            job.unique_states,
        )
    )


@lru_cache(maxsize=64)
def _tail(
    created_at: datetime,
    kind: str,
    max_attempts: int,
    metadata: str,
    priority: int,
    queue: str,
    scheduled_at: datetime,
    state: str,
    tags: tuple[str, ...],
    unique_key: bytes | None,
    unique_states: int | None,
) -> bytes:
    return b"".join(
        (
            _time(created_at),
            _bytes(kind.encode()),
            struct.pack("!ih", 2, max_attempts),
            _bytes(b"\x01" + metadata.encode()),
            struct.pack("!ih", 2, priority),
            _bytes(queue.encode()),
            _time(scheduled_at),
            _bytes(state.encode()),
            _bytes(_array(tags)),
            _NULL if unique_key is None else _bytes(unique_key),
            _NULL if unique_states is None else _bytes(struct.pack("!iB", 8, unique_states)),
        )
    )


def _bytes(value: bytes) -> bytes:
    return _LENGTH.pack(len(value)) + value


def _time(value: datetime) -> bytes:
    since = value - _EPOCH
    return struct.pack("!iq", 8, (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds)


def _array(tags: tuple[str, ...]) -> bytes:
    if not tags:
        return struct.pack("!iii", 0, 0, _VARCHAR_OID)
    head = struct.pack("!iiiii", 1, 0, _VARCHAR_OID, len(tags), 1)
    return head + b"".join(_bytes(tag.encode()) for tag in tags)
