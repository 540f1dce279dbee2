"""Ours at work on the processor: in as many processes as the variant says, or in threads.

What runs in another process cannot count here, so the database is asked when all is done.
"""

import asyncio
import time

import shift
import stopwatch
from river_table import RiverTable, observer

import riverqueue
import riverqueue_psycopg
from riverqueue import Job, ProcessPool, Workers

_STEPS = 350_000  # some 20 ms


def compute(job: Job[stopwatch.BenchArgs]) -> None:
    """Keep a processor busy, and the interpreter's lock."""
    total = job.args.num
    for step in range(_STEPS):
        total += step & 7


async def measure(plan: shift.Plan) -> None:
    """Work a few jobs, so that all processes run, and then those that count."""
    workers = Workers()
    pool = None if plan.variant == "thread" else ProcessPool(max_processes=int(plan.variant))
    workers.work(stopwatch.BenchArgs, executor="process" if pool else "thread")(compute)
    async with (
        observer(plan.database_url) as observing,
        riverqueue_psycopg.AsyncDriver(plan.database_url) as driver,
        riverqueue.AsyncClient(driver, workers=workers, queues={"default": plan.slots}, process_pool=pool) as client,
    ):
        table = RiverTable(observing)
        await _worked(client, table, plan.slots)
        began = time.perf_counter()
        await _worked(client, table, plan.count)
        shift.say(jobs_per_second=plan.count / (time.perf_counter() - began))


async def _worked(client: riverqueue.AsyncClient, table: RiverTable, count: int) -> None:
    before = await table.completed()
    await client.insert_many([stopwatch.BenchArgs(num) for num in range(count)])
    while await table.completed() < before + count:  # noqa: ASYNC110  (of a database)
        await asyncio.sleep(0.005)


if __name__ == "__main__":
    asyncio.run(measure(shift.plan()))
