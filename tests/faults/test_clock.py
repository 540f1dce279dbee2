"""A clock that jumps while jobs are worked: what takes time is measured by another."""

import asyncio
from datetime import UTC, datetime, timedelta

from riverqueue import AsyncClient, DictArgs, Job, Workers
from riverqueue_psycopg import AsyncDriver
from tests.faults.support import Scene, working

HOUR = timedelta(hours=1)


class JumpingClock:
    """The time, and what it is wrong by."""

    def __init__(self) -> None:
        self.wrong = timedelta(0)

    def now(self) -> datetime:
        """Return the time it shows."""
        return datetime.now(UTC) + self.wrong


async def test_the_clock_jumps_while_jobs_run(scene: Scene) -> None:
    """Nothing times out, and rows hold what the clock showed."""
    clock, workers = JumpingClock(), Workers()
    started, go_on = asyncio.Queue[None](), asyncio.Queue[None]()

    @workers.work("job", timeout=timedelta(minutes=1))
    async def work(job: Job[dict[str, int]]) -> None:
        started.put_nowait(None)
        await go_on.get()

    async with scene.nothing_left(), working("psycopg", scene.url, workers, clock=clock) as client:
        for jump in (HOUR, -HOUR, -HOUR, HOUR):
            job = (await client.insert(DictArgs("job", {}))).job
            await started.get()
            clock.wrong += jump
            go_on.put_nowait(None)
            done = await client.wait(job.id, timeout=20)
            assert (done.state, done.attempt, done.errors) == ("completed", 1, [])
            assert abs(done.finalized_at - done.attempted_at - jump) < HOUR / 2
            assert abs(done.attempted_at - done.scheduled_at) < HOUR / 2


async def test_a_clock_that_went_back_does_not_see_what_is_to_come(scene: Scene) -> None:
    """A job of the time before is worked when the clock shows that again, and later ones at once."""
    clock, workers = JumpingClock(), Workers()
    worked = asyncio.Queue[int]()

    @workers.work("job")
    async def work(job: Job[dict[str, int]]) -> None:
        worked.put_nowait(job.id)

    clients = AsyncClient(AsyncDriver(scene.db), clock=clock)
    before = (await clients.insert(DictArgs("job", {}))).job
    clock.wrong = -HOUR
    async with scene.nothing_left(), working("psycopg", scene.url, workers, clock=clock):
        after = (await clients.insert(DictArgs("job", {}))).job
        assert await worked.get() == after.id
        clock.wrong = timedelta(0)
        assert await worked.get() == before.id
