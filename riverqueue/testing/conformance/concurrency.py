"""Doing several things at once, by threads and by tasks, so that one test reads the same either way."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def start(work: Callable[[], T]) -> Future[T]:
    """Begin some work in a thread."""
    threads = ThreadPoolExecutor(1)
    future = threads.submit(work)
    threads.shutdown(wait=False)
    return future


def finished(work: Future[T]) -> T:
    """Wait for what `start` began, and return its result."""
    return work.result(30)


def together(*works: Callable[[], T]) -> list[T]:
    """Do some works at the same time, each in a thread; return their results."""
    with ThreadPoolExecutor(len(works)) as threads:
        return [future.result(30) for future in [threads.submit(work) for work in works]]


def start_async(work: Callable[[], Coroutine[Any, Any, T]]) -> asyncio.Task[T]:
    """Begin some work in a task."""
    return asyncio.create_task(work())


async def finished_async(work: asyncio.Task[T]) -> T:
    """Wait for what `start_async` began, and return its result."""
    return await asyncio.wait_for(work, 30)


async def together_async(*works: Callable[[], Awaitable[T]]) -> list[T]:
    """Do some works at the same time, each in a task; return their results."""
    return await asyncio.gather(*(work() for work in works))
