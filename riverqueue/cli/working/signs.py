"""The signs of life of processes: a file that is touched, a line that is drawn, what a supervisor is told."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from riverqueue.cli.working.health import HealthFile
from riverqueue.cli.working.live import Line
from riverqueue.cli.working.state import EVERY, State


class Signs:
    """Shows how processes are doing, as long as they are alive.

    Parameters:
        file: Touched while all are ready.
        line: Where it is drawn, or told.
        states: Tells how they are doing, by name.
        alive: Tells whether all turn.
    """

    def __init__(
        self,
        file: HealthFile,
        line: Line,
        states: Callable[[], Mapping[str, State]],
        alive: Callable[[], Awaitable[bool]],
    ) -> None:
        self._file = file
        self._line = line
        self._states = states
        self._alive = alive

    def show(self) -> None:
        """Show it now."""
        states = self._states()
        self._file.show(all(state.ready for state in states.values()))
        self._line.show(states)

    @asynccontextmanager
    async def shown(self) -> AsyncGenerator[None]:
        """Show it every second while the block runs."""
        showing = asyncio.create_task(self._again_and_again())
        try:
            yield
        finally:
            showing.cancel()
            self._file.show(ready=False)

    async def _again_and_again(self) -> None:
        while True:
            if await self._alive():
                self.show()
            await asyncio.sleep(EVERY)
