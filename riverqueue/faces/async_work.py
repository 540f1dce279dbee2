"""Working jobs on an event loop."""

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from riverqueue import client_id
from riverqueue.events import BUFFER, EventKind
from riverqueue.faces.async_base import AsyncBase, BeginT, TxT
from riverqueue.hooks import Extensions
from riverqueue.queue_config import QueueConfig
from riverqueue.work_options import WorkOptions

if TYPE_CHECKING:  # a program that only inserts does not import the worker
    from riverqueue.runtime.counts import RunCounts
    from riverqueue.runtime.runner import Runner
    from riverqueue.runtime.subscriptions import AsyncSubscription, Subscriptions


class RunHandle:
    """A client at work."""

    def __init__(self, client: "AsyncWork[Any, Any]", runner: "Runner") -> None:
        self._client = client
        self.runner = runner
        self.stopped = asyncio.Event()

    async def wait(self) -> None:
        """Wait until the client has stopped."""
        await self.stopped.wait()

    async def stop(self) -> None:
        """Stop as ``AsyncClient.stop`` does."""
        await self._client._end(self)

    async def stop_and_cancel(self) -> None:
        """Stop as ``AsyncClient.stop_and_cancel`` does."""
        self.runner.cancel()
        await self._client._end(self)

    def counts(self) -> "RunCounts":
        """Count what the client has done since it started."""
        return self.runner.counts()


class AsyncWork(AsyncBase[TxT, BeginT]):
    """The methods that work jobs; `riverqueue.AsyncClient` says what the options are."""

    def _init_work(self, options: WorkOptions, extensions: Extensions) -> None:
        self._options = options
        self._work_extensions = extensions
        self._id = client_id.generated(self._clock.now()) if options.id is None else client_id.checked(options.id)
        self._subscribed: Subscriptions | None = None
        self._handle: RunHandle | None = None
        self._starting = asyncio.Lock()

    @property
    def id(self) -> str:
        """What this client is called, in ``attempted_by`` of the jobs that it works."""
        return self._id

    async def start(self) -> RunHandle:
        """Begin to work jobs. Does nothing if that has begun already; waits for a stop, and begins anew.

        Returns:
            The run, to be waited for or stopped.

        Raises:
            ConfigurationError: if there are no queues or no workers, or the driver cannot be used for that.
            UnavailableError: if no connection can be had.
            SchemaError: if River's tables are missing or too old.
        """
        self._options.check_can_work(self.driver)
        ending = self._handle
        if ending is not None and ending.runner.is_stopping:
            await ending.stop()  # without the lock, which its jobs may need to end
        async with self._starting:
            if self._handle is None:
                runner = self._new_runner()
                await runner.start()
                self._handle = RunHandle(self, runner)
            return self._handle

    async def stop(self) -> None:
        """Begin no more jobs, wait until those that run have ended, and store how they did.

        After ``soft_stop_timeout``, if there is one, the running ones are cancelled. Does nothing if it does not work.
        """
        handle = await self._begun()
        if handle is not None:
            await handle.stop()

    async def stop_and_cancel(self) -> None:
        """Stop, and cancel the running jobs at once.

        A job that lets the cancellation out is available again, and the attempt does not count.
        """
        handle = await self._begun()
        if handle is not None:
            await handle.stop_and_cancel()

    async def stopped(self) -> None:
        """Wait until the client has stopped; does not wait if it does not work."""
        if self._handle is not None:
            await self._handle.wait()

    async def run(self) -> None:
        """Work jobs until a signal asks to stop, SIGTERM or SIGINT, or this is cancelled.

        The first signal stops, the second cancels the running jobs.
        """
        from riverqueue.runtime.signals import stopping_on_signals

        handle = await self.start()
        with stopping_on_signals(handle.stop, handle.stop_and_cancel):
            try:
                await handle.wait()
            finally:
                await asyncio.shield(handle.stop())

    def subscribe(self, *kinds: EventKind | str, buffer: int = BUFFER) -> "AsyncSubscription":
        """Have this client's events told: what became of the jobs that it worked, and queues paused or resumed.

        Parameters:
            kinds: Which; default: all.
            buffer: How many may be unread before new ones are dropped.

        Raises:
            ConfigurationError: if a kind is unknown, or this client works no jobs.
        """
        from riverqueue.runtime.subscriptions import AsyncSubscription

        self._options.check_works()
        subscription = AsyncSubscription(kinds, buffer)
        self._subscriptions().add(subscription)
        return subscription

    async def queue_add(self, name: str, config: QueueConfig | int) -> None:
        """Work one queue more, from now on.

        Parameters:
            name: Its name.
            config: How; a number is that of its workers.

        Raises:
            ConfigurationError: if this client works it already, or works no jobs.
        """
        self._options.check_works()
        async with self._starting:  # a run that is about to begin has read the queues already
            name, config = self._options.checked_new_queue(name, config)
            if self._handle is not None:
                await self._handle.runner.add_queue(name, config)
            self._options.queues[name] = config

    async def queue_remove(self, name: str) -> None:
        """Work a queue no more; returns when its running jobs have ended.

        Parameters:
            name: Its name.

        Raises:
            ConfigurationError: if this client does not work it.
        """
        async with self._starting:
            self._options.check_has_queue(name)
            del self._options.queues[name]
        if self._handle is not None:
            await self._handle.runner.remove_queue(name)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _end(self, handle: RunHandle) -> None:
        stopping = handle.runner.stop()
        stopping.add_done_callback(lambda _: self._forget(handle))  # even if nobody waits any more
        await asyncio.shield(stopping)
        self._forget(handle)  # if it had stopped before, that has not been called yet

    def _forget(self, handle: RunHandle) -> None:
        handle.stopped.set()
        if self._handle is handle:
            self._handle = None

    async def _begun(self) -> RunHandle | None:
        """Return the run; one that is about to begin, once it has."""
        if self._handle is None:
            async with self._starting:
                pass
        return self._handle

    def _subscriptions(self) -> "Subscriptions":
        from riverqueue.runtime.subscriptions import Subscriptions

        if self._subscribed is None:
            self._subscribed = Subscriptions()
        return self._subscribed

    def _new_runner(self) -> "Runner":
        from riverqueue.runtime.assembly import Assembly
        from riverqueue.runtime.async_store import AsyncStore

        parts = Assembly(self, self._id, self._schema, self._options, self._work_extensions, self._clock, self._now)
        return parts.runner(AsyncStore(self._database), self._subscriptions())
