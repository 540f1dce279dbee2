"""A worker in its own transaction, killed between any two statements: its effects are there once, and its job done."""

import asyncio
import random
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from tests.examples.support import ROOT
from tests.faults.support import NAME, Scene, client_of, driver_of
from tests.faults.support import start as start_client
from tests.faults.support import stop as stop_client
from tests.faults.transactional_worker import transactional
from tests.support.proxy import Proxy

_LEDGER = "CREATE TABLE ledger (id bigserial, job_id bigint, part text)"

_WRONG = """
SELECT 'not completed: ' || state, id FROM river_job WHERE state <> 'completed'
UNION ALL SELECT 'rows: ' || count(ledger), river_job.id FROM river_job LEFT JOIN ledger ON job_id = river_job.id
    GROUP BY river_job.id HAVING count(ledger) <> 1
UNION ALL SELECT 'half a job', job_id FROM ledger WHERE part <> 'both'
UNION ALL SELECT 'completed ' || count(*) || ' times', job_id FROM step WHERE state = 'completed'
    GROUP BY job_id HAVING count(*) > 1
"""


@pytest.mark.timeout(300)
async def test_killed_between_any_two_statements(stack: str, scene: Scene, dice: random.Random, rounds: int) -> None:
    await scene.db.execute(_LEDGER)
    with Proxy(scene.url) as proxy:
        await scene.insert(1)
        async with worker(stack, proxy.url):
            await scene.until_completed()
        requests = proxy.requests
        moments = [(number, answered) for number in range(1, requests + 1) for answered in (False, True)]
        completed_by_then = 0
        for number, answered in moments if rounds >= len(moments) else sorted(dice.sample(moments, min(rounds * 2, 8))):
            await scene.insert(1)
            async with worker(stack, proxy.url) as process:
                proxy.sever_at(number, answered=answered, before=process.kill)
                await asyncio.gather(process.wait(), asyncio.to_thread(proxy.severed.wait, 60))
            await scene.until("SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = %s", NAME)
            completed_by_then += await scene.put_back() == 0
            await work_the_rest(stack, scene)
    assert await (await scene.db.execute(_WRONG)).fetchall() == []
    print(f"{requests} requests; killed at {len(moments)} moments, {completed_by_then} times without a running job")


async def work_the_rest(stack: str, scene: Scene) -> None:
    """Complete what was left, where nothing fails."""
    async with driver_of(stack, scene.url) as driver:
        client = client_of(driver, transactional(stack))
        await start_client(client)
        await scene.until_completed()
        await stop_client(client)


@asynccontextmanager
async def worker(stack: str, url: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    """Run a worker in a process of its own, and kill it in the end."""
    command = [sys.executable, "-m", "tests.faults.transactional_worker", stack, url]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
