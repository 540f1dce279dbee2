"""Named gates, which hold jobs and claims until they are opened."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import TypeAlias

from riverqueue import work_context

Gate: TypeAlias = Future[None]

LOOK = 0.01  # seconds between two looks of a thread whether its job is cancelled


class Gates:
    """Gates by their names; once open, they stay so. They may be opened before anybody waits."""

    def __init__(self) -> None:
        self._gates: dict[str, Gate] = {}

    def get(self, name: str) -> Gate:
        """Return the gate of this name."""
        return self._gates.setdefault(name, Future())

    def open(self, name: str) -> None:
        """Let all through."""
        gate = self.get(name)
        if not gate.done():
            gate.set_result(None)


async def passed(gate: Gate, seconds: float | None = None) -> None:
    """Wait until a gate is open, or for so long."""
    try:
        async with asyncio.timeout(seconds):
            await asyncio.shield(asyncio.wrap_future(gate))  # others wait at it, too
    except TimeoutError:
        pass


def passed_in_thread(gate: Gate, seconds: float | None = None) -> None:
    """Wait as `passed` does, in the thread of a job.

    Raises:
        CancelledError: if the job is cancelled.
    """
    looks = -1 if seconds is None else int(seconds / LOOK)
    while not gate.done() and looks:
        if work_context().cancelled:
            raise asyncio.CancelledError
        try:
            gate.result(LOOK)
        except TimeoutError:
            looks -= 1
