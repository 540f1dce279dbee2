"""A program that works transactional jobs until it is killed.

::

    python -m tests.faults.transactional_worker STACK URL
"""

import asyncio
import sys
from typing import Any

from sqlalchemy import text

from riverqueue import Job, Workers
from tests.faults.support import client_of, driver_of

FIRST, SECOND = "INSERT INTO ledger (job_id, part) VALUES ({}, 'first')", "UPDATE ledger SET part = 'both'"


def transactional(stack: str) -> Workers:
    """Make a worker for kind ``job`` that writes two statements in the transaction that completes its job."""
    workers = Workers()
    if stack == "psycopg2":

        @workers.work("job", transaction=True)
        def work(job: Job[Any], tx: Any) -> None:
            tx.execute(text(FIRST.format(job.id)))
            tx.execute(text(f"{SECOND} WHERE job_id = {job.id}"))

    else:
        spelled = str if stack == "psycopg" else text

        @workers.work("job", transaction=True)
        async def work_async(job: Job[Any], tx: Any) -> None:
            await tx.execute(spelled(FIRST.format(job.id)))
            await tx.execute(spelled(f"{SECOND} WHERE job_id = {job.id}"))

    return workers


async def main(stack: str, url: str) -> None:
    """Work until the process ends."""
    async with driver_of(stack, url) as driver:
        client = client_of(driver, transactional(stack))
        if stack == "psycopg2":
            client.run()
        else:
            await client.run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
