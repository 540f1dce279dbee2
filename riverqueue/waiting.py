"""How long to sleep between two looks at something that nobody announces."""

import math
import time
from collections.abc import Callable, Iterator

_SHORTEST = 0.01
_LONGEST = 1.0
_SHARE = 0.1  # of the time waited so far


def delays(limit: float | None, monotonic: Callable[[], float] = time.monotonic) -> Iterator[float]:
    """Give the seconds to sleep before each look; the first comes at once, the last at the limit.

    A tenth of the time waited so far: what takes long is not looked at often, and what is quick is known quickly.

    Parameters:
        limit: Seconds after which to give up; None is never.
        monotonic: Tells seconds that only rise.
    """
    started = monotonic()
    yield 0.0
    while True:
        waited = monotonic() - started
        delay = min(max(waited * _SHARE, _SHORTEST), _LONGEST)
        left = math.inf if limit is None else limit - waited
        if left <= 0:
            return
        yield min(delay, left)
        if left <= delay:
            return


def sleep(seconds: float) -> None:
    """Sleep."""
    time.sleep(seconds)


async def sleep_async(seconds: float) -> None:
    """Sleep, and let others run."""
    import asyncio  # a sync program does not need it

    await asyncio.sleep(seconds)
