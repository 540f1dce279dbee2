"""A client at work, whichever face it has."""

import asyncio
from typing import Any, Protocol

from riverqueue import AsyncClient, Client
from riverqueue.faces import async_work, work
from riverqueue.runtime.counts import RunCounts

#: How long, in seconds, a loop may take to turn.
PATIENCE = 5.0


class Run(Protocol):
    """A client at work, or about to be."""

    async def start(self) -> None:
        """Begin to work jobs."""
        ...

    async def wait(self) -> None:
        """Wait until it has stopped."""
        ...

    async def stop(self) -> None:
        """Begin no more jobs, and wait for those that run."""
        ...

    async def cancel(self) -> None:
        """Cancel the jobs that run, and stop."""
        ...

    async def turn(self) -> None:
        """Return when the loop that it works on has turned.

        Raises:
            TimeoutError: It does not.
        """
        ...

    def counts(self) -> RunCounts:
        """Count its jobs."""
        ...


class AsyncRun:
    """An `AsyncClient`, on this loop."""

    def __init__(self, client: AsyncClient[Any, Any]) -> None:
        self._client = client
        self._handle: async_work.RunHandle | None = None

    async def start(self) -> None:
        """Begin to work jobs."""
        self._handle = await self._client.start()

    async def wait(self) -> None:
        """Wait until it has stopped."""
        if self._handle is not None:
            await self._handle.wait()

    async def stop(self) -> None:
        """Begin no more jobs, and wait for those that run."""
        await self._client.stop()

    async def cancel(self) -> None:
        """Cancel the jobs that run, and stop."""
        await self._client.stop_and_cancel()

    async def turn(self) -> None:
        """Return when the loop has turned."""
        await asyncio.sleep(0)

    def counts(self) -> RunCounts:
        """Count its jobs."""
        return self._handle.counts() if self._handle is not None else RunCounts()


class SyncRun:
    """A `Client`, which has a loop of its own in a thread."""

    def __init__(self, client: Client[Any, Any]) -> None:
        self._client = client
        self._handle: work.RunHandle | None = None

    async def start(self) -> None:
        """Begin to work jobs; if this is cancelled, stop as soon as that has begun."""
        starting = asyncio.ensure_future(asyncio.to_thread(self._client.start))
        try:
            self._handle = await asyncio.shield(starting)
        except asyncio.CancelledError:
            await starting
            await self.stop()
            raise

    async def wait(self) -> None:
        """Wait until it has stopped."""
        if self._handle is not None:
            await asyncio.to_thread(self._handle.wait)

    async def stop(self) -> None:
        """Begin no more jobs, and wait for those that run."""
        await asyncio.to_thread(self._client.stop)

    async def cancel(self) -> None:
        """Cancel the jobs that run, and stop."""
        await asyncio.to_thread(self._client.stop_and_cancel)

    async def turn(self) -> None:
        """Return when its loop has turned."""
        if self._handle is not None and not self._handle.background.stopped.is_set():
            await asyncio.to_thread(self._handle.background.wait_for, asyncio.sleep(0), PATIENCE)

    def counts(self) -> RunCounts:
        """Count its jobs."""
        return self._handle.counts() if self._handle is not None else RunCounts()


def run_of(client: AsyncClient[Any, Any] | Client[Any, Any]) -> Run:
    """Return what runs a client."""
    return AsyncRun(client) if isinstance(client, AsyncClient) else SyncRun(client)
