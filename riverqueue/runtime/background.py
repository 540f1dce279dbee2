"""An event loop in a thread, for the worker of a client that has none."""

import asyncio
import logging
import signal
import threading
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from riverqueue.database import Database
from riverqueue.queue_config import QueueConfig
from riverqueue.runtime.assembly import Assembly
from riverqueue.runtime.counts import RunCounts
from riverqueue.runtime.runner import Runner
from riverqueue.runtime.signals import SIGNALS
from riverqueue.runtime.subscriptions import Subscriptions
from riverqueue.runtime.threaded_store import ThreadedStore

T = TypeVar("T")

logger = logging.getLogger("riverqueue.worker")


class Background:
    """A loop, and the worker that runs on it, from now on until it is stopped.

    Parameters:
        assembly: What the worker is made of.
        database: Where it works.
        subscriptions: Who is told of it.
    """

    def __init__(self, assembly: Assembly, database: Database[Any, Any], subscriptions: Subscriptions) -> None:
        self.stopped = threading.Event()
        self._ending = threading.Lock()
        self._asking = threading.Lock()
        self._asked: set[Future[None]] = set()  # by other threads than the one that stops
        self._ended = False
        self._loop = asyncio.new_event_loop()
        self._store = ThreadedStore(database)
        self._thread = threading.Thread(target=self._loop.run_forever, name="riverqueue", daemon=True)
        self._thread.start()
        try:
            self._runner: Runner = self.call(lambda: assembly.runner(self._store, subscriptions))
            self.wait_for(self._runner.start())
        except BaseException:
            self._end()
            raise

    def add_queue(self, name: str, config: QueueConfig) -> None:
        """Work one queue more, unless the worker has stopped."""
        self._ask(self._runner.add_queue(name, config))

    def remove_queue(self, name: str) -> None:
        """Work a queue no more, unless the worker has stopped."""
        self._ask(self._runner.remove_queue(name))

    @property
    def is_stopping(self) -> bool:
        """Whether the worker has begun to stop, or has stopped."""
        return self._runner.is_stopping

    def counts(self) -> RunCounts:
        """Count what has been done."""
        return self._runner.counts()

    def begin_to_stop(self) -> None:
        """Have the worker stop, without waiting for it."""
        self._post(lambda: self._loop.create_task(self._stop()))

    def cancel(self) -> None:
        """Cancel the running jobs."""
        self._post(self._runner.cancel)

    def stop(self) -> None:
        """Stop the worker, wait until it has, and end the thread; again it does nothing."""
        with self._ending:
            if self._loop.is_closed():
                return
            self.wait_for(self._stop())
            self._end()

    async def _stop(self) -> None:
        await asyncio.shield(self._runner.stop())
        self.stopped.set()

    def _post(self, function: Callable[[], Any]) -> None:
        with suppress(RuntimeError):  # the loop is closed: the worker has stopped
            self._loop.call_soon_threadsafe(function)

    def _ask(self, work: Coroutine[Any, Any, None]) -> None:
        with self._asking:
            if self._ended:
                work.close()
                return
            asked = asyncio.run_coroutine_threadsafe(work, self._loop)
            self._asked.add(asked)
            asked.add_done_callback(self._asked.discard)
        asked.result()

    def _end(self) -> None:
        with self._asking:
            self._ended = True
            asked = list(self._asked)
        wait(asked)  # what is asked of a loop that has ended is never answered
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._store.close()
        self._loop.close()

    def wait_for(self, work: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        """Run a coroutine on the loop and return its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout)

    def call(self, function: Callable[[], T]) -> T:
        """Call a function on the loop and return its result."""

        async def called() -> T:
            return function()

        return self.wait_for(called())


@contextmanager
def heard_signals(background: Background) -> Generator[None]:
    """Stop softly on the first signal, and cancel jobs on the second, while the block runs; in the main thread."""
    heard: list[int] = []

    def hear(number: int, _: object) -> None:
        heard.append(number)
        if len(heard) == 1:
            logger.warning("stopping; once more cancels running jobs")
            background.begin_to_stop()
        else:
            logger.warning("cancelling running jobs")
            background.cancel()

    before = {number: signal.signal(number, hear) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
