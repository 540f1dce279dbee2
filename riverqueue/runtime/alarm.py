"""Calls a function some time after it was asked to, once however often it is asked meanwhile."""

import asyncio
from collections.abc import Callable


class Alarm:
    """Calls a function later.

    Parameters:
        seconds: How much later.
        call: The function.
    """

    def __init__(self, seconds: float, call: Callable[[], None]) -> None:
        self._seconds = seconds
        self._call = call
        self._timer: asyncio.TimerHandle | None = None

    def set(self) -> None:
        """Have the function called; again does nothing until it was."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self._ring)

    def cancel(self) -> None:
        """Have it not called."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        self._timer = None
        self._call()
