"""Jobs as the JSON document that ``JobInsertMany`` reads."""

import json
from collections.abc import Sequence
from functools import lru_cache

from riverqueue.insert_params import JobInsertParams


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
