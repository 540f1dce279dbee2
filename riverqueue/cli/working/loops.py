"""The event loop, and the signals that it hears."""

import asyncio
import importlib
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from riverqueue.cli.failures import Failure
from riverqueue.runtime.signals import SIGNALS


def loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop]:
    """Return what makes the event loop.

    Parameters:
        name: ``asyncio``, ``uvloop``, or ``auto``: uvloop if it is installed.

    Raises:
        Failure: uvloop is asked for, and is not installed.
    """
    if name == "asyncio":
        return asyncio.new_event_loop
    try:
        uvloop: Any = importlib.import_module("uvloop")
    except ImportError:
        if name == "auto":
            return asyncio.new_event_loop
        raise Failure("--loop uvloop needs uvloop: pip install uvloop") from None
    return uvloop.new_event_loop  # type: ignore[no-any-return]


@contextmanager
def hearing(hear: Callable[[], None]) -> Generator[None]:
    """Call a function when a signal asks to stop, while the block runs."""
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, hear)
    try:
        yield
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
