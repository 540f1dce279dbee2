"""The database of a sync client, for the worker: one hop to a thread for each operation."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from typing import Any

from riverqueue.database import Database
from riverqueue.driver import BoundParams, Listener, Row
from riverqueue.runtime.patience import patiently

#: Operations at once: fetches, completions and the rest of one client, with some for those that hang.
_THREADS = 32

#: How long, in seconds, a client that has stopped waits for operations that nobody waits for any more.
_PARTING = 5.0


class ThreadedStore:
    """Runs operations in threads."""

    def __init__(self, database: Database[Any, Any]) -> None:
        self._database = database
        self._threads = ThreadPoolExecutor(_THREADS, "riverqueue-database")
        self._pending: set[Future[Any]] = set()

    async def ask(self, operation: Any) -> Any:
        """Run an operation by itself."""
        # A thread cannot be stopped: what takes too long comes to its end, sooner or later.
        return await patiently(self._hop(partial(self._database.ask, operation, None)), cancels=False)

    async def notifies(self) -> bool:
        """Tell whether the server delivers notifications."""
        return await self._hop(self._database.notifies)  # type: ignore[no-any-return]

    @property
    def listens(self) -> bool:
        """Whether the driver can hear notifications."""
        return hasattr(self._database.driver, "listener")

    @asynccontextmanager
    async def listener(self) -> AsyncGenerator["ThreadedListener"]:
        """Open a connection to listen on, with a thread of its own."""
        driver: Any = self._database.driver
        listener: Listener | None = None
        thread, opened = ThreadPoolExecutor(1, "riverqueue-listener"), ExitStack()
        try:
            ready: Listener = await _in(thread, partial(opened.enter_context, driver.listener()))
            listener = ready
            yield ThreadedListener(ready, thread)
        finally:
            closed = thread.submit(opened.close)
            thread.shutdown(wait=False)
            if listener is not None:  # else the thread opens it yet, and nobody can say how long that takes
                listener.abort()
                await asyncio.shield(asyncio.wrap_future(closed))

    def close(self) -> None:
        """End the threads, once they are idle; wait for them a while, so that they give their connections back."""
        self._threads.shutdown(wait=False)
        wait(self._pending.copy(), timeout=_PARTING)

    async def _hop(self, function: Callable[[], Any]) -> Any:
        future = self._threads.submit(function)
        self._pending.add(future)
        future.add_done_callback(self._pending.discard)
        return await asyncio.wrap_future(future)


class ThreadedListener:
    """Listens in a thread."""

    def __init__(self, listener: Listener, thread: ThreadPoolExecutor) -> None:
        self._listener = listener
        self._thread = thread

    async def listen(self, channel: str) -> None:
        """Begin to hear a channel."""
        await _in(self._thread, partial(self._listener.listen, channel))

    async def fetch(self, sql: str, params: BoundParams) -> Sequence[Row]:
        """Run one statement and return all its rows."""
        rows: Sequence[Row] = await _in(self._thread, partial(self._listener.fetch, sql, params))
        return rows

    async def wait(self, seconds: float) -> Sequence[tuple[str, str]]:
        """Return channel and payload of what was heard."""
        heard: Sequence[tuple[str, str]] = await _in(self._thread, partial(self._listener.wait, seconds))
        return heard


def _in(threads: ThreadPoolExecutor, function: Callable[[], Any]) -> "asyncio.Future[Any]":
    return asyncio.get_running_loop().run_in_executor(threads, function)
