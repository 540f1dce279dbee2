"""Waits for the database no longer than is sensible: a connection that fell silent says nothing for many minutes."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

#: How long, in seconds, the database may take to answer, as in River.
PATIENCE = 10.0

#: What nobody waits for any more; the loop itself would forget it.
_given_up: set["asyncio.Task[Any]"] = set()


async def patiently(work: Coroutine[Any, Any, T], *, cancels: bool, seconds: float = PATIENCE) -> T:
    """Wait for some work, but not for ever: not even for the end of its cancellation.

    Parameters:
        work: What is to be done.
        cancels: Whether to cancel it when the time is over; else it goes on, and nobody waits for it.
        seconds: How long it may take.

    Raises:
        TimeoutError: if it takes longer.
    """
    task = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait([task], timeout=seconds)
    except asyncio.CancelledError:
        _give_up(task, cancels=True)
        raise
    if done:
        return task.result()
    _give_up(task, cancels=cancels)
    raise TimeoutError(f"the database has not answered for {seconds:g} s")


def _give_up(task: "asyncio.Task[Any]", *, cancels: bool) -> None:
    _given_up.add(task)
    task.add_done_callback(_forget)
    if cancels:
        task.cancel()


def _forget(task: "asyncio.Task[Any]") -> None:
    _given_up.discard(task)
    if not task.cancelled():
        task.exception()  # taken, so that nobody says that it was not
