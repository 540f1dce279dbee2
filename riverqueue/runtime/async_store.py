"""The database of an async client, for the worker."""

from contextlib import AbstractAsyncContextManager
from typing import Any

from riverqueue.async_database import AsyncDatabase
from riverqueue.driver import AsyncListener
from riverqueue.runtime.patience import patiently


class AsyncStore:
    """The database of an async client, for the worker."""

    def __init__(self, database: AsyncDatabase[Any, Any]) -> None:
        self._database = database

    async def ask(self, operation: Any) -> Any:
        """Run an operation by itself."""
        return await patiently(self._database.ask(operation, None), cancels=True)

    async def notifies(self) -> bool:
        """Tell whether the server delivers notifications."""
        return await self._database.notifies()

    @property
    def listens(self) -> bool:
        """Whether the driver can hear notifications."""
        return hasattr(self._database.driver, "listener")

    def listener(self) -> AbstractAsyncContextManager[AsyncListener]:
        """Open a connection to listen on."""
        driver: Any = self._database.driver
        return driver.listener()  # type: ignore[no-any-return]
