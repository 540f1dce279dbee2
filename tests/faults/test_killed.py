"""Workers killed at any moment, and started again: what they held is put back, and nothing is lost or done twice."""

import asyncio
import random
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from tests.examples.support import ROOT
from tests.faults.support import NAME, Scene


async def test_killed_at_any_moment(stack: str, scene: Scene, dice: random.Random, rounds: int) -> None:
    async with scene.nothing_left():
        for number in range(rounds):
            await scene.insert(dice.randint(5, 40))
            async with worker(stack, scene.url, f"killed_{number}") as process:
                if dice.random() < 0.25:
                    await asyncio.sleep(dice.uniform(0, 1))  # it starts, and may not even have begun to work
                else:
                    await heard(process, dice.randint(0, 40), dice.uniform(0, 0.01))
                process.kill()
                assert await process.wait() == -signal.SIGKILL
            # What it sent last is carried out all the same.
            await scene.until("SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = %s", NAME)
            await scene.put_back()
        async with worker(stack, scene.url, "last") as process:
            assert process.stdout
            assert await process.stdout.readline() == b"working\n"  # there may be no job left to wait for
            await scene.until_completed()
            process.terminate()
            assert await process.wait() == 0
    await scene.check()


async def heard(process: asyncio.subprocess.Process, lines: int, seconds: float) -> None:
    """Wait until a worker has said so much, or says nothing more for lack of jobs, and a moment longer."""
    assert process.stdout
    for _ in range(lines):
        try:
            async with asyncio.timeout(1):
                await process.stdout.readline()
        except TimeoutError:
            return
    await asyncio.sleep(seconds)


@asynccontextmanager
async def worker(stack: str, url: str, client_id: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    """Run a worker in a process of its own."""
    command = [sys.executable, "-m", "tests.faults.worker", stack, url, client_id]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
