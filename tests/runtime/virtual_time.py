"""An event loop on which no time passes but that of its timers: when nothing is ready, it jumps to the next one."""

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

_LIMIT = 20_000.0
START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class _Jumping(selectors.SelectSelector):
    """Waits for nothing: the time that it was to wait is over when it returns."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("all tasks wait, and no timer will ever wake one of them")
        if not ready and timeout:
            self.now += timeout
            if self.now > _LIMIT:
                raise RuntimeError(f"after {_LIMIT:g} s the test has not come to its end")
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Tells the time of its timers. What waits for ever, which real time would hide, is an error at once."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


class LoopClock:
    """Tells the time of the running loop, as a date.

    Parameters:
        ahead: By how much; may be set at any time.
    """

    def __init__(self, ahead: timedelta = timedelta(0)) -> None:
        self.ahead = ahead

    def now(self) -> datetime:
        return START + self.ahead + timedelta(seconds=seconds())


def seconds() -> float:
    """The time of the running loop."""
    return asyncio.get_running_loop().time()


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine in virtual time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(work)


def virtual(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test in virtual time; its fixtures are made outside of it."""

    @functools.wraps(test)
    def tested(*args: Any, **kwargs: Any) -> None:
        run(test(*args, **kwargs))

    return tested


def gaps(times: Sequence[float]) -> list[float]:
    """How long it was from each time to the next."""
    return [later - earlier for earlier, later in pairwise(times)]
