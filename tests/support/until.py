"""Wait for what nobody announces."""

import asyncio
from collections.abc import Callable

from riverqueue.waiting import delays


async def until(condition: Callable[[], object], seconds: float = 20) -> None:
    """Ask again and again until the answer is true."""
    for delay in delays(seconds):
        await asyncio.sleep(min(delay, 0.05))
        if condition():
            return
    raise AssertionError(f"not true within {seconds:g} s")
