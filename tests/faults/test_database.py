"""A database that is slow, refuses, or falls silent, and a pool that the program has emptied."""

import asyncio
import logging
from datetime import timedelta

import pytest
from psycopg.conninfo import make_conninfo
from psycopg_pool import AsyncConnectionPool

import riverqueue_psycopg
from riverqueue.runtime import notifier
from tests.faults.support import NAME, Scene, client_of, driver_of, recording, start, stop, working
from tests.support.proxy import Proxy

_NEVER = timedelta(hours=1)


async def test_a_slow_database(stack: str, scene: Scene) -> None:
    with Proxy(scene.url) as proxy:
        proxy.latency = 0.03
        async with scene.nothing_left(), working(stack, proxy.url, recording(stack, scene.url)):
            await scene.insert(30)
            await scene.until_completed()
    await scene.check()


async def test_connections_are_refused_for_a_while(stack: str, scene: Scene) -> None:
    with Proxy(scene.url) as proxy:
        async with scene.nothing_left(), working(stack, proxy.url, recording(stack, scene.url)):
            await scene.insert(10)
            await scene.until_completed()
            with proxy.refusing(), Said("listening connection is lost") as lost, Said("cannot fetch") as hungry:
                proxy.sever()
                await lost.twice()
                await hungry.twice()
                await scene.insert(10)
            await scene.until_claimed()
        await scene.work_the_rest(stack)


async def test_a_silent_listening_connection(stack: str, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """No error tells that it is gone: the notifier asks, has no answer, and opens another."""
    monkeypatch.setattr(notifier, "SILENCE", 0.1)
    monkeypatch.setattr(notifier, "ANSWER", 0.5)
    workers = recording(stack, scene.url)
    with Proxy(scene.url) as proxy:
        async with scene.nothing_left(), working(stack, proxy.url, workers, fetch_poll_interval=_NEVER):
            proxy.wait_for_listeners(1)
            for number in range(2, 4):
                assert proxy.silence_listeners() == 1
                await asyncio.to_thread(proxy.wait_for_listeners, number)
                await scene.insert(3)
                await scene.until_completed()
    await scene.check()


async def test_stopping_with_a_silent_listening_connection(stack: str, scene: Scene) -> None:
    with Proxy(scene.url) as proxy:
        async with scene.nothing_left(), asyncio.timeout(20):
            async with working(stack, proxy.url, recording(stack, scene.url)):
                proxy.wait_for_listeners(1)
                proxy.silence_listeners()


@pytest.mark.parametrize("stack", ["asyncpg", "psycopg2"])
async def test_an_engines_pool_is_emptied(stack: str, scene: Scene) -> None:
    pool = {"pool_size": 1, "max_overflow": 1, "pool_timeout": 0.1}
    async with scene.nothing_left(), driver_of(stack, scene.url, **pool) as driver:
        client = client_of(driver, recording(stack, scene.url))
        await start(client)
        engine = driver._source
        await scene.insert(10)
        with Said("cannot fetch") as hungry:
            if stack == "asyncpg":
                async with engine.connect(), engine.connect():
                    await hungry.twice()
            else:
                taken = [await asyncio.to_thread(engine.connect) for _ in range(2)]
                await hungry.twice()
                for connection in taken:
                    connection.close()
        await scene.insert(10)
        await scene.until_completed()
        await stop(client)
    await scene.check()


async def test_a_pool_of_psycopgs_is_emptied(scene: Scene) -> None:
    async with scene.nothing_left():
        conninfo = make_conninfo(scene.url, application_name=NAME)
        async with AsyncConnectionPool(conninfo, min_size=2, max_size=2, timeout=0.1) as pool:
            client = client_of(riverqueue_psycopg.AsyncDriver(pool), recording("psycopg", scene.url))
            await start(client)
            await scene.insert(10)
            with Said("cannot fetch") as hungry:
                async with pool.connection(30), pool.connection(30):
                    await hungry.twice()
            await scene.insert(10)
            await scene.until_completed()
            await stop(client)
    await scene.check()


class Said(logging.Handler):
    """Waits until the worker has said something.

    Parameters:
        what: A part of it.
    """

    def __init__(self, what: str) -> None:
        super().__init__()
        self._what = what
        self._loop = asyncio.get_running_loop()
        self._heard: asyncio.Queue[str] = asyncio.Queue()

    async def twice(self) -> None:
        """Wait until it was said two times."""
        async with asyncio.timeout(20):
            for _ in range(2):
                await self._heard.get()

    def emit(self, record: logging.LogRecord) -> None:
        if self._what in record.getMessage():
            self._loop.call_soon_threadsafe(self._heard.put_nowait, self._what)

    def __enter__(self) -> "Said":
        logging.getLogger("riverqueue.worker").addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("riverqueue.worker").removeHandler(self)
