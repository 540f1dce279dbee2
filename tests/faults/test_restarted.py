"""The server restarted under load, in order and by a crash."""

import asyncio
import random
from collections.abc import Iterator
from typing import Literal

import pytest

from riverqueue import Job
from riverqueue.embedded import Server
from tests.faults.support import Scene, opened, recording, working
from tests.support.server import NoServerError, create_database, create_template, start_server

_TEMPLATE = "river_template"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server for these tests alone."""
    try:
        server = start_server()
    except NoServerError as error:
        pytest.skip(str(error))
    with server:
        create_template(server.url, _TEMPLATE)
        yield server


@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_restarted_under_load(
    server: Server, stack: str, mode: Literal["fast", "immediate"], dice: random.Random, rounds: int
) -> None:
    name = f"{mode}_{stack}"
    create_database(server.url, name, _TEMPLATE)
    async with opened(server.url_for(name)) as scene:
        for _ in range((rounds + 3) // 4):
            async with scene.nothing_left():
                await restart(server, mode, stack, scene, dice.randint(1, 50))
        await scene.check()


async def restart(server: Server, mode: Literal["fast", "immediate"], stack: str, scene: Scene, effects: int) -> None:
    """Work jobs, with the server restarted after so many."""
    had, loop = asyncio.Event(), asyncio.get_running_loop()
    seen: list[int] = []

    def count(job: Job[object]) -> None:
        seen.append(job.id)
        if len(seen) == effects:
            loop.call_soon_threadsafe(had.set)

    await scene.insert(60)
    async with working(stack, scene.url, recording(stack, scene.url, count)):
        await had.wait()
        await asyncio.to_thread(server.restart, mode)
        await scene.connect_again()
        await scene.insert(5)
        await scene.until_claimed()
    await scene.work_the_rest(stack)
