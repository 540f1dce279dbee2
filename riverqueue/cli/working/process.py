"""One process at work."""

import asyncio
import os
import threading
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from riverqueue.cli.failures import ExitCode, Failure, one_line
from riverqueue.cli.working import logs
from riverqueue.cli.working.health import Health, HealthFile, announce, served
from riverqueue.cli.working.link import Link
from riverqueue.cli.working.live import line
from riverqueue.cli.working.loops import hearing, loop_factory
from riverqueue.cli.working.plan import Plan
from riverqueue.cli.working.run import Run, run_of
from riverqueue.cli.working.signs import Signs
from riverqueue.cli.working.source import AnyClient, Source
from riverqueue.cli.working.state import State
from riverqueue.errors import ConfigurationError


class Process:
    """Works jobs until a signal asks to stop; a second one cancels those that run.

    Parameters:
        plan: What the command line says.
        link: The supervisor, if there is one. Then only it has jobs cancelled: signals may come from whoever signals
            all processes, and from the supervisor as well.
    """

    def __init__(self, plan: Plan, link: Link | None = None) -> None:
        self._plan = plan
        self._link = link
        self._working: asyncio.Task[None] | None = None
        self._run: Run | None = None
        self._started = False
        self._stopping = asyncio.Event()
        self._cancelling: set[asyncio.Task[None]] = set()

    @property
    def state(self) -> State:
        """How it is doing."""
        return State() if self._run is None else State.of(self._ready, self._run.counts())

    @property
    def _ready(self) -> bool:
        return self._started and not self._stopping.is_set()

    def run(self) -> int:
        """Work, and return the exit code.

        Raises:
            Failure: It could not start.
        """
        source = Source(self._plan.target)
        with asyncio.Runner(loop_factory=loop_factory(self._plan.loop)) as runner:
            runner.run(self._main(source))
        return 0

    async def _main(self, source: Source) -> None:
        self._working = asyncio.create_task(self._work(source))
        with hearing(self._hear):
            async with self._linked():
                try:
                    await self._working
                except asyncio.CancelledError:
                    if not self._stopping.is_set():
                        raise

    async def _work(self, source: Source) -> None:
        async with AsyncExitStack() as stack:
            health = Health(self._is_alive, lambda: self._ready)
            places = await stack.enter_async_context(served(self._plan.health, health))
            file = HealthFile(self._plan.health_file)
            client = await source.client(stack)
            logs.configure(self._plan, self._link)
            announce(places)
            shown = self._link or stack.enter_context(line(self._plan))
            await self._work_by(client, Signs(file, shown, lambda: {"": self.state}, self._is_alive))

    async def _work_by(self, client: AnyClient, signs: Signs) -> None:
        async with self._running(client) as run, signs.shown():
            signs.show()
            self._log_start(client)
            await self._until_stopped(run)
            signs.show()
            await run.stop()

    @asynccontextmanager
    async def _running(self, client: AnyClient) -> AsyncGenerator[Run]:
        try:
            self._choose_queues(client)
            self._run = run_of(client)
            await self._run.start()
        except ConfigurationError as error:
            raise Failure(f"{self._plan.target} cannot work: {one_line(error)}") from error
        self._started = True
        try:
            yield self._run
        finally:
            self._stopping.set()

    def _choose_queues(self, client: AnyClient) -> None:
        if self._plan.queues:
            if client._handle is not None:
                raise ConfigurationError("it works already, too late for --queue; return it before it is started")
            client._options.choose_queues(self._plan.queues)

    def _log_start(self, client: AnyClient) -> None:
        queues = ", ".join(f"{name} ({config.max_workers})" for name, config in client._options.queues.items())
        loop = type(asyncio.get_running_loop()).__module__.partition(".")[0]
        logs.logger().info("%s works queues %s; event loop: %s", client.id, queues, loop)

    async def _until_stopped(self, run: Run) -> None:
        """Wait until somebody asks to stop, or the program has stopped its client by itself."""
        ends = [asyncio.create_task(run.wait()), asyncio.create_task(self._stopping.wait())]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._stopping.set()
            for end in ends:
                end.cancel()

    async def _is_alive(self) -> bool:
        try:
            if self._run is not None and self._ready:
                await self._run.turn()
        except TimeoutError:
            return False
        return True

    # --- Stopping ---

    @asynccontextmanager
    async def _linked(self) -> AsyncGenerator[None]:
        """Listen to the supervisor, if there is one."""
        if self._link is None:
            yield
            return
        listening = asyncio.create_task(self._link.listen(cancel=self._cancel, lost=self._go_on_alone))
        try:
            yield
        finally:
            listening.cancel()

    def _hear(self) -> None:
        if self._link is not None:
            self._stop()
        elif self._stopping.is_set():
            self._cancel()
        else:
            logs.logger().warning("stopping when running jobs have ended; another signal cancels them")
            self._stop()
            self._give_up_in_time()

    def _stop(self) -> None:
        if not self._started and self._working is not None:
            self._working.cancel()
        self._stopping.set()

    def _cancel(self) -> None:
        if self._run is not None:
            logs.logger().warning("cancelling running jobs")
            task = asyncio.create_task(self._run.cancel())
            self._cancelling.add(task)
            task.add_done_callback(self._cancelling.discard)

    def _go_on_alone(self) -> None:
        logs.logger().error("the supervisor has gone; stopping")
        self._stop()
        self._give_up_in_time()

    def _give_up_in_time(self) -> None:
        """End this process if it does not stop in time, even if the loop is held up."""
        if self._plan.stop_timeout is not None:
            timer = threading.Timer(self._plan.stop_timeout, self._give_up)
            timer.daemon = True
            timer.start()

    def _give_up(self) -> None:
        logs.logger().error("ended by --stop-timeout; jobs that still ran will be rescued")
        os._exit(ExitCode.FAILED)
