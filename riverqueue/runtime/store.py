"""The database as the worker sees it, whichever colour the client's driver has."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

from riverqueue.driver import AsyncListener
from riverqueue.statement import Operation

T = TypeVar("T")


class Store(Protocol):
    """Runs operations of one statement, each committed by itself."""

    async def ask(self, operation: Callable[[bool], Operation[T]]) -> T:
        """Run an operation.

        Parameters:
            operation: Makes it, given whether it may notify.
        """
        ...

    async def notifies(self) -> bool:
        """Tell whether the server delivers notifications."""
        ...

    @property
    def listens(self) -> bool:
        """Whether the driver can hear notifications."""
        ...

    def listener(self) -> AbstractAsyncContextManager[AsyncListener]:
        """Open a connection of its own to hear notifications on."""
        ...
