"""Stops a client when the process is asked to end."""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager

logger = logging.getLogger("riverqueue.worker")

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def stopping_on_signals(
    stop: Callable[[], Awaitable[None]], stop_and_cancel: Callable[[], Awaitable[None]]
) -> Generator[None]:
    """Stop softly on the first signal, and cancel jobs on the second, while the block runs.

    Only the main thread can hear signals; elsewhere this does nothing.
    """
    loop = asyncio.get_running_loop()
    stops: list[asyncio.Task[None]] = []

    def heard() -> None:
        ways = [("stopping; once more cancels running jobs", stop), ("cancelling running jobs", stop_and_cancel)]
        message, way = ways[min(len(stops), 1)]
        logger.warning("%s", message)
        stops.append(asyncio.ensure_future(_awaited(way)))

    hears = _add(loop, heard)
    try:
        yield
    finally:
        if hears:
            for number in SIGNALS:
                loop.remove_signal_handler(number)


def _add(loop: asyncio.AbstractEventLoop, heard: Callable[[], None]) -> bool:
    try:
        for number in SIGNALS:
            loop.add_signal_handler(number, heard)
    except (ValueError, RuntimeError, NotImplementedError):
        return False
    return True


async def _awaited(way: Callable[[], Awaitable[None]]) -> None:
    await way()
