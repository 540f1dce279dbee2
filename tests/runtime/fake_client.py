"""A client that works on a `FakeStore`, all else being its own."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from riverqueue import AsyncClient, Workers
from riverqueue.runtime.assembly import Assembly
from riverqueue.runtime.runner import Runner
from tests.runtime.fake_store import FakeStore
from tests.runtime.virtual_time import LoopClock, seconds


class _NoDriver:
    """What a client wants to see of a driver before it begins to work."""

    bound = False

    async def unwrap(self, tx: Any) -> Any:
        raise NotImplementedError


class FakeClient(AsyncClient[Any, Any]):
    """A client that works on a `FakeStore`."""

    def __init__(self, store: FakeStore, clock: LoopClock, **options: Any) -> None:
        driver: Any = _NoDriver()
        super().__init__(driver, clock=clock, **options)
        self.store = store

    def _new_runner(self) -> Runner:
        parts = Assembly(self, self._id, None, self._options, self._work_extensions, self._clock, self._now)
        return parts.runner(self.store, self._subscriptions())  # type: ignore[arg-type]


class Fake:
    """A store, a client that works it, and what its one worker does.

    Attributes:
        began: Job and time of each attempt, as they began.
        running: How many go on.
        most: How many went on at once, at most.
    """

    def __init__(self) -> None:
        self.clock = LoopClock()
        self.store = FakeStore(self.clock)
        self.workers = Workers()
        self.began: list[tuple[int, float]] = []
        self.running = 0
        self.most = 0

    def work(self, function: Callable[[Any], Awaitable[None]] | None = None, **options: Any) -> None:
        """Register what is done with jobs; without a function, they take ``seconds`` of their args."""

        async def counted(job: Any) -> None:
            self.began.append((job.id, seconds()))
            self.running += 1
            self.most = max(self.most, self.running)
            try:
                await (function(job) if function else asyncio.sleep(job.args.get("seconds", 0)))
            finally:
                self.running -= 1

        self.workers.work("job", **options)(counted)

    def client(self, **options: Any) -> FakeClient:
        given: dict[str, Any] = {
            "queues": {"default": 10},
            "fetch_poll_interval": timedelta(hours=1),
            "job_timeout": None,
        }
        return FakeClient(self.store, self.clock, workers=self.workers, **(given | options))

    @asynccontextmanager
    async def working(self, **options: Any) -> AsyncGenerator[FakeClient]:
        """Work; in the end all tasks are over."""
        before = asyncio.all_tasks()
        client = self.client(**options)
        async with client:
            yield client
        assert asyncio.all_tasks() == before

    def began_at(self, id: int) -> float:
        """When a job was begun first."""
        return next(at for job, at in self.began if job == id)
