"""Threads for plain functions."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeAlias

_Work: TypeAlias = tuple[Callable[[], Any], "asyncio.Future[Any]"]


class _Uncancellable(asyncio.Future[Any]):
    """The result of what nobody can stop: a task that waits for it sees its cancellation when it is there."""

    def cancel(self, msg: Any = None) -> bool:  # noqa: ARG002
        return False


class Threads:
    """Runs functions in threads, as many as are called at once.

    An executor of the standard library wakes the loop for each result; here those that come in the meantime are
    fetched by the same wake-up, which is most of what a short function costs.

    Parameters:
        loop: Where results are awaited.
        name: Of the threads, before their number.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, name: str) -> None:
        self._loop = loop
        self._name = name
        self._work: SimpleQueue[_Work | None] = SimpleQueue()
        self._done: deque[tuple[asyncio.Future[Any], Any, BaseException | None]] = deque()
        self._threads = 0
        self._busy = 0
        self._woken = False

    async def run(self, function: Callable[[], Any]) -> Any:
        """Call a function in a thread and return its result; a cancellation waits until it has ended, and is dropped.

        The function sees the cancellation if it asks its context.
        """
        future = self._call(function)
        try:
            return await future
        except asyncio.CancelledError:
            return future.result()

    def _call(self, function: Callable[[], Any]) -> "asyncio.Future[Any]":
        future = _Uncancellable(loop=self._loop)
        self._busy += 1
        if self._busy > self._threads:
            self._threads += 1
            threading.Thread(target=self._run, name=f"{self._name}-{self._threads}", daemon=True).start()
        self._work.put((function, future))
        return future

    def close(self) -> None:
        """End the threads, each when it is idle."""
        for _ in range(self._threads):
            self._work.put(None)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            function, future = work
            try:
                result, error = function(), None
            except BaseException as raised:
                result, error = None, raised
            self._done.append((future, result, error))
            del work, function, future, result, error  # they may hold much, and the next may be long in coming
            if not self._woken:
                self._woken = True
                try:
                    self._loop.call_soon_threadsafe(self._settle)
                except RuntimeError:  # the loop is closed: nobody waits
                    return

    def _settle(self) -> None:
        self._woken = False
        while self._done:
            future, result, error = self._done.popleft()
            self._busy -= 1
            if error is None:
                future.set_result(result)
            elif isinstance(error, StopIteration | GeneratorExit):  # which no future can carry into a coroutine
                carried = RuntimeError(f"the worker raised {type(error).__name__}: {error}")
                carried.__cause__ = error
                future.set_exception(carried)
            else:
                future.set_exception(error)
