"""The client's methods that take ``tx``, called on the jobs that a test begins with."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from riverqueue import DictArgs, JobDeleteManyParams, JobRow
from riverqueue.testing.conformance.sample import SORT, numbered

Method = Callable[[Any, Any], Awaitable[Any]]

#: A rule of the database's own, and a job that is against it.
REFUSE = "ALTER TABLE river_job ADD CONSTRAINT no_refused CHECK (kind <> 'refused') NOT VALID"
REFUSED = DictArgs("refused", {})
ALLOW = "ALTER TABLE river_job DROP CONSTRAINT no_refused"


async def listed(jobs: AsyncIterator[JobRow]) -> list[JobRow]:
    """Go to the end of a listing."""
    return [job async for job in jobs]


#: Job 1 and queue `mail`, for those that need one.
ROWS = [
    "INSERT INTO river_job (id, args, kind, max_attempts) VALUES (1, '{}', 'stored', 25)",
    "INSERT INTO river_queue (name) VALUES ('mail')",
    "ALTER SEQUENCE river_job_id_seq RESTART 2",
]

#: Each works on what those before it have left.
WRITES: dict[str, Method] = {
    "insert": lambda client, tx: client.insert(SORT, tx=tx),
    "insert_many": lambda client, tx: client.insert_many([SORT, numbered(1)], tx=tx),
    "insert_many_fast": lambda client, tx: client.insert_many_fast([numbered(2)], tx=tx),
    "job_cancel": lambda client, tx: client.job_cancel(1, tx=tx),
    "job_retry": lambda client, tx: client.job_retry(1, tx=tx),
    "job_update": lambda client, tx: client.job_update(1, output=1, tx=tx),
    "job_delete": lambda client, tx: client.job_delete(1, tx=tx),
    "job_delete_many": lambda client, tx: client.job_delete_many(JobDeleteManyParams(kinds=["numbered"]), tx=tx),
    "queue_pause": lambda client, tx: client.queue_pause("mail", tx=tx),
    "queue_resume": lambda client, tx: client.queue_resume("mail", tx=tx),
    "queue_update": lambda client, tx: client.queue_update("mail", metadata={"a": 1}, tx=tx),
}

READS: dict[str, Method] = {
    "job_get": lambda client, tx: client.job_get(1, tx=tx),
    "job_list": lambda client, tx: client.job_list(tx=tx),
    "job_list_all": lambda client, tx: listed(client.job_list_all(tx=tx)),
    "job_count": lambda client, tx: client.job_count(tx=tx),
    "queue_get": lambda client, tx: client.queue_get("mail", tx=tx),
    "queue_list": lambda client, tx: client.queue_list(tx=tx),
}
