"""Jobs as the JSON document that ``JobInsertMany`` reads."""

import json
from collections.abc import Sequence
from functools import lru_cache

from riverqueue.insert_params import JobInsertParams
from riverqueue.statement import Param


def document(jobs: Sequence[JobInsertParams], ids: Sequence[int] | None = None) -> dict[str, Param]:
    """Spell jobs as the parameters of ``JobInsertMany``.

    What most jobs of a batch share (kind, queue, priority, attempts, state) goes beside the document,
    as the first job has it; the server would spend a fifth of its time on reading it again and again.

    Parameters:
        jobs: In the order to insert them.
        ids: Their identities, in the same order; None draws them as they are inserted.
    """
    first = jobs[0]
    shared = _shared(first.kind, first.queue, first.priority, first.max_attempts, first.state)
    texts = [_element(job, shared) for job in jobs]
    if ids is not None:
        texts = [f'{{"id":{identity},{text[1:]}' for identity, text in zip(ids, texts, strict=True)]
    return {
        "jobs": f"[{','.join(texts)}]",
        "kind": first.kind,
        "queue": first.queue,
        "priority": first.priority,
        "max_attempts": first.max_attempts,
        "state": first.state.value,
    }


@lru_cache(maxsize=1024)
def _shared(kind: str, queue: str, priority: int, max_attempts: int, state: str) -> str:
    named = {"kind": kind, "queue": queue, "priority": priority, "max_attempts": max_attempts, "state": state}
    return json.dumps(named)[:-1]


def _element(job: JobInsertParams, shared: str) -> str:
    text = _shared(job.kind, job.queue, job.priority, job.max_attempts, job.state)
    text = '{"args":' + job.encoded_args if text == shared else text + ',"args":' + job.encoded_args
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
