"""Connections that fall silent: the client goes on by others, and stops."""

import asyncio

import pytest

from riverqueue.runtime import async_store, patience, threaded_store
from tests.faults.support import Scene, client_of, driver_of, recording, start, stop
from tests.support.proxy import Proxy


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    def soon(work, *, cancels):
        return patience.patiently(work, cancels=cancels, seconds=1)

    monkeypatch.setattr(async_store, "patiently", soon)
    monkeypatch.setattr(threaded_store, "patiently", soon)


async def test_silent_connections(stack: str, scene: Scene) -> None:
    with Proxy(scene.url) as proxy:
        async with driver_of(stack, proxy.url) as driver:
            client = client_of(driver, recording(stack, scene.url))
            await start(client)
            await scene.insert(5)
            await scene.until_completed()
            proxy.silence()
            await scene.insert(20)
            await scene.until_claimed()
            async with asyncio.timeout(60):
                await stop(client)
            proxy.sever()  # so that nothing waits for what was silenced
    await scene.work_the_rest(stack)
    await scene.check()
