"""Insert jobs (River's ``JobInsertFastMany`` and ``JobInsertFastManyNoReturning``)."""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from riverqueue import rows
from riverqueue.copy_rows import copy_jobs
from riverqueue.errors import InvalidJobError
from riverqueue.insert_document import document
from riverqueue.insert_params import JobInsertParams
from riverqueue.jobs import InsertResult, JobState
from riverqueue.statement import Operation, Param, ask

#: JSON text beyond which a batch goes in several statements: a jsonb value ends at 256 MB.
CHUNK_BYTES = 64 * 1024 * 1024

UNIQUE_NONCE = "river:unique_nonce"


def insert_many(
    jobs: Sequence[JobInsertParams],
    *,
    now: datetime,
    notify: Sequence[str] = (),
    nonce: bool = False,
) -> Operation[list[InsertResult]]:
    """Insert jobs and return their rows in the caller's order.

    Jobs with unique keys go in by order of key, so that two batches never wait for each other in a
    circle. A key that comes twice is inserted once; the second result is the first's row, flagged.

    Parameters:
        jobs: What to insert; not empty.
        now: Time of the insert, one for the whole batch.
        notify: The queues whose clients are told that they have jobs.
        nonce: Mark every job to recognize duplicates (servers without ``xmax``).
    """
    if nonce:
        jobs = _marked(jobs, os.urandom(8).hex())
    elif len(jobs) == 1 and not notify and jobs[0].unique_key is None and jobs[0].id is None:
        return (yield from ask("JobInsert", rows.insert_results, **_columns(jobs[0], now)))
    order, firsts = insertion_order(jobs)
    ordered = [jobs[index] for index in order]
    ids = (yield from _ids_in_callers_order(order)) if order != sorted(order) else None
    unique = any(job.unique_key is not None for job in jobs)
    found: list[InsertResult] = []
    for start, end in _chunks(ordered):
        found += yield from ask(
            "JobInsertManyUnique" if unique else "JobInsertMany",
            rows.insert_results,
            **document(ordered[start:end], ids and ids[start:end]),
            now=now,
            payloads=[payload(queue) for queue in notify] if start == 0 else [],
        )
    if nonce:
        found = [_flagged(result, job) for result, job in zip(found, ordered, strict=True)]
    if len(found) == len(jobs) and ids is None:
        return found
    by_index = dict(zip(order, found, strict=True))
    return [
        by_index[index] if first == index else InsertResult(by_index[first].job, True)
        for index, first in enumerate(firsts)
    ]


def copy_many(
    batches: Iterable[Sequence[JobInsertParams]], *, now: datetime, limiter: Callable[[Sequence[str]], list[str]]
) -> Operation[int]:
    """Insert jobs by COPY and return how many; a duplicate fails the whole batch, as in River.

    Parameters:
        batches: Jobs in the order to insert them, asked for one batch after the other while the server works.
        now: Time of the insert.
        limiter: Says, of the queues that got available jobs, which to notify.
    """
    queues: list[str] = []
    count = yield from copy_jobs(_noting_queues(batches, queues), now)
    notify = limiter(list(dict.fromkeys(queues)))
    if notify:
        yield from ask("NotifyInsert", rows.nothing, payloads=[payload(queue) for queue in notify])
    return count


def _noting_queues(
    batches: Iterable[Sequence[JobInsertParams]], queues: list[str]
) -> Iterator[Sequence[JobInsertParams]]:
    for jobs in batches:
        queues += available_queues(jobs)
        yield jobs


def insert_many_fast(jobs: Sequence[JobInsertParams], *, now: datetime, notify: Sequence[str] = ()) -> Operation[int]:
    """Do as `copy_many` does, where the driver cannot copy: one statement a chunk, no rows returned."""
    count = 0
    for start, end in _chunks(jobs):
        row = yield from ask(
            "JobInsertManyNoReturning",
            rows.one,
            **document(jobs[start:end]),
            now=now,
            payloads=[payload(queue) for queue in notify] if start == 0 else [],
        )
        count += row[0]
    return count


def _ids_in_callers_order(order: Sequence[int]) -> Operation[list[int]]:
    """Draw identities so that they rise with the caller's order, whatever the order of insertion."""
    drawn = yield from ask("JobNextIds", _column, count=len(order))
    rank = {index: place for place, index in enumerate(sorted(order))}
    return [drawn[rank[index]] for index in order]


def _columns(job: JobInsertParams, now: datetime) -> dict[str, Param]:
    return {
        "args": job.encoded_args,
        "created_at": job.created_at or now,
        "kind": job.kind,
        "max_attempts": job.max_attempts,
        "metadata": job.metadata,
        "priority": job.priority,
        "queue": job.queue,
        "scheduled_at": job.scheduled_at or now,
        "state": job.state.value,
        "tags": ",".join(job.tags),
    }


def insertion_order(jobs: Sequence[JobInsertParams]) -> tuple[list[int], list[int]]:
    """Say in which order to insert, and for each job which one stands for it.

    Returns:
        The indexes to insert: those without a unique key in the caller's order, then the others
        by key, each key once; and for each job the index of the first with its key.
    """
    by_key: dict[bytes, int] = {}
    plain: list[int] = []
    firsts: list[int] = []
    for index, job in enumerate(jobs):
        if job.unique_key is None:
            plain.append(index)
            firsts.append(index)
        else:
            firsts.append(by_key.setdefault(job.unique_key, index))
    return plain + [by_key[key] for key in sorted(by_key)], firsts


def refuse_repeated_keys(jobs: Sequence[JobInsertParams]) -> None:
    """Refuse a batch in which a unique key comes twice, as Go's River does.

    Raises:
        InvalidJobError: naming both jobs.
    """
    for index, first in enumerate(insertion_order(jobs)[1]):
        if first != index:
            raise InvalidJobError(
                f"jobs {first} and {index} of the batch (kind {jobs[index].kind!r}) have the same unique key"
            )


def available_queues(jobs: Sequence[JobInsertParams]) -> list[str]:
    """Return the queues that get jobs to work at once, by first occurrence."""
    return list(dict.fromkeys([job.queue for job in jobs if job.state is JobState.AVAILABLE]))


def payload(queue: str) -> str:
    """Spell the notification that a queue has jobs, to the byte as River does."""
    return f'{{"queue": "{queue}"}}'


def _column(found: Sequence[Sequence[int]]) -> list[int]:
    return [row[0] for row in found]


def _chunks(jobs: Sequence[JobInsertParams]) -> Iterator[tuple[int, int]]:
    start = size = 0
    for index, job in enumerate(jobs):
        size += len(job.encoded_args) + len(job.metadata) + 512
        if size > CHUNK_BYTES and index > start:
            yield start, index
            start, size = index, len(job.encoded_args) + len(job.metadata) + 512
    yield start, len(jobs)


def is_one_statement(jobs: Sequence[JobInsertParams]) -> bool:
    """Tell whether `insert_many` sends one statement for these jobs that changes anything."""
    return len(list(_chunks(jobs))) == 1


def _marked(jobs: Sequence[JobInsertParams], nonce: str) -> list[JobInsertParams]:
    return [replace(job, metadata=_with_nonce(job.metadata, nonce)) for job in jobs]


def _with_nonce(metadata: str, nonce: str) -> str:
    # By text, so that numbers beyond a double survive; of a name that comes twice jsonb keeps the last.
    members = metadata.strip()[1:-1].strip()
    return f'{{{members}{"," if members else ""}"{UNIQUE_NONCE}":"{nonce}"}}'


def _flagged(result: InsertResult, job: JobInsertParams) -> InsertResult:
    mine = json.loads(job.metadata)[UNIQUE_NONCE]
    return InsertResult(result.job, result.job.metadata.get(UNIQUE_NONCE) != mine)
