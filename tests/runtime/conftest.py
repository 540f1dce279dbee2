import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from riverqueue import AsyncClient, DictArgs, Event, InsertOpts, JobRow, Workers
from riverqueue_psycopg import AsyncDriver

LIMIT = 20.0  # seconds: nothing here takes nearly so long


@pytest.fixture
async def driver(database_url):
    async with AsyncDriver(database_url) as driver:
        yield driver


@pytest.fixture
def db(database_url):
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def workers():
    return Workers()


class Scene:
    """A client at work, and what it does."""

    def __init__(self, driver: Any, workers: Workers) -> None:
        self.driver = driver
        self.workers = workers
        self.client: AsyncClient[Any, Any] = AsyncClient(driver)  # inserts, whatever else runs

    @asynccontextmanager
    async def working(self, **options: Any):
        """Run a client that works queue ``default``, looking for jobs only when it is told."""
        settings: dict[str, Any] = {"queues": {"default": 10}, "fetch_poll_interval": timedelta(minutes=1)}
        client = AsyncClient(self.driver, workers=self.workers, **(settings | options))
        events = client.subscribe()
        async with asyncio.timeout(LIMIT), client:
            yield client, events

    async def work_one(
        self, kind: str = "job", args: Any = None, opts: InsertOpts | None = None, **options: Any
    ) -> Event:
        """Insert a job, work it, and return what became of it."""
        async with self.working(**options) as (client, events):
            await client.insert(DictArgs(kind, args or {}), opts)
            return await events.get()

    async def insert(self, kind: str = "job", args: Any = None, **opts: Any) -> JobRow:
        return (await self.client.insert(DictArgs(kind, args or {}), InsertOpts(**opts))).job


@pytest.fixture
def scene(driver, workers):
    return Scene(driver, workers)


@pytest.fixture
def register(workers) -> Callable[..., Any]:
    """Register the one worker of a test, for kind ``job``."""
    return workers.work("job")
