"""Connections cut between any two statements, before the server sees one or after it has answered."""

import asyncio
import random
import threading
from typing import Any

from riverqueue import AsyncClient, Job
from tests.faults.support import AT_ONCE, Scene, client_of, driver_of, recording, start, stop
from tests.support.proxy import Proxy

#: So many requests a client makes while it starts and works its first jobs.
FIRST = 40


async def test_severed_at_each_statement(stack: str, scene: Scene, dice: random.Random, rounds: int) -> None:
    first = dice.randrange(FIRST)
    with Proxy(scene.url) as proxy:
        for number in range(rounds):
            # Steps that are prime to the count visit all of the first requests; some others come later.
            request = 1 + (first + number * 11) % FIRST if number % 3 else dice.randint(FIRST, 3 * FIRST)
            print("cut at request", request)
            async with scene.nothing_left():
                await sever(stack, scene, proxy, request, answered=dice.random() < 0.5)


async def sever(stack: str, scene: Scene, proxy: Proxy, request: int, *, answered: bool) -> None:
    """Work jobs, with all connections cut at a request."""
    await scene.insert(10)
    proxy.sever_at(request, answered=answered)
    async with driver_of(stack, proxy.url) as driver:
        client = client_of(driver, recording(stack, scene.url))
        await start_in_the_end(client, proxy)
        while not proxy.severed.is_set():
            await scene.insert(3)
            await scene.until_claimed()
        await scene.insert(3)
        await scene.until_claimed()
        await stop(client)
    await scene.work_the_rest(stack)


async def start_in_the_end(client: Any, proxy: Proxy) -> None:
    """Start, again for each connection of which the pool learns only by that that it was cut."""
    while True:
        try:
            return await start(client)
        except Exception:
            assert proxy.severed.is_set()


async def test_severed_before_the_stop(stack: str, scene: Scene) -> None:
    """Even if each connection of a full pool is dead, how the last jobs ended is stored."""
    go_on = threading.Event()

    def wait(_: Job[Any]) -> None:
        go_on.wait(30)

    with Proxy(scene.url) as proxy:
        async with scene.nothing_left(), driver_of(stack, proxy.url) as driver:
            client = client_of(driver, recording(stack, scene.url, wait))
            await start(client)
            await fill_pool(client)
            await scene.insert(AT_ONCE)
            await scene.until_claimed()
            proxy.sever()
            go_on.set()
            await stop(client)
    await scene.work_the_rest(stack)


async def fill_pool(client: Any) -> None:
    """Have a client use as many connections as its pool has."""
    if isinstance(client, AsyncClient):
        await asyncio.gather(*(client.job_count() for _ in range(30)))
    else:
        await asyncio.gather(*(asyncio.to_thread(client.job_count) for _ in range(15)))
