"""Has other processes do the work; itself it imports nothing of the program."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from riverqueue.cli.working import logs, reload
from riverqueue.cli.working.child import Child
from riverqueue.cli.working.health import Health, HealthFile, announce, served
from riverqueue.cli.working.live import line
from riverqueue.cli.working.loops import hearing
from riverqueue.cli.working.plan import Plan
from riverqueue.cli.working.signs import Signs
from riverqueue.cli.working.state import State


class Supervisor:
    """Starts processes, and others when they end, until a signal asks to stop.

    Parameters:
        plan: What the command line says.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._children = [Child(number, plan) for number in range(1, (plan.processes or 1) + 1)]
        self._stopping = False

    def run(self) -> int:
        """Have the work done, and return the exit code.

        Raises:
            Failure: It could not be begun.
        """
        logs.configure(self._plan)
        if self._plan.reload_dirs:
            reload.check()
        return asyncio.run(self._main())

    async def _main(self) -> int:
        health = Health(self._is_alive, self._is_ready)
        async with served(self._plan.health, health) as places:
            announce(places)
            file = HealthFile(self._plan.health_file)
            with line(self._plan) as shown, hearing(self._hear):
                async with Signs(file, shown, self._states, self._is_alive).shown(), self._reloading():
                    await self._keep()
        return 0 if all(child.ended_well for child in self._children) else 1

    async def _keep(self) -> None:
        """Keep all processes going; the first failure ends them all."""
        keeping = [asyncio.create_task(child.keep()) for child in self._children]
        await asyncio.wait(keeping, return_when=asyncio.FIRST_EXCEPTION)
        self._stop()
        await asyncio.gather(*keeping, return_exceptions=True)
        await asyncio.gather(*keeping)

    def _states(self) -> dict[str, State]:
        return {str(child.number): child.state for child in self._children}

    def _is_ready(self) -> bool:
        return all(child.state.ready for child in self._children)

    async def _is_alive(self) -> bool:
        return not any(child.is_stuck for child in self._children)

    def _hear(self) -> None:
        if self._stopping:
            logs.logger().warning("cancelling running jobs")
            for child in self._children:
                child.cancel()
        else:
            logs.logger().warning("stopping when running jobs have ended; another signal cancels them")
            self._stop()

    def _stop(self) -> None:
        if not self._stopping:
            self._stopping = True
            for child in self._children:
                child.stop()

    @asynccontextmanager
    async def _reloading(self) -> AsyncGenerator[None]:
        """Restart the processes when files change, if that is asked for."""
        if not self._plan.reload_dirs:
            yield
            return
        watching = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watching.cancel()

    async def _watch(self) -> None:
        async for names in reload.changes(self._plan.reload_dirs):
            logs.logger().info("%s changed; restarting", ", ".join(names))
            for child in self._children:
                child.restart()
