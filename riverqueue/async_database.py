"""A driver and what is known of its server: where clients run operations."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Generic, TypeVar

from riverqueue.capabilities import ServerCapabilities
from riverqueue.driver import AsyncDriver, AsyncExecutor, TransactionOptions, sqlstate
from riverqueue.operations.server import probe
from riverqueue.perform import Dialect, perform_async
from riverqueue.statement import Operation

T = TypeVar("T")
TxT = TypeVar("TxT")
BeginT = TypeVar("BeginT")

#: Attempts at a transaction of our own that meets a serialization failure or a deadlock.
ATTEMPTS = 5
_RETRYABLE = {"40001", "40P01"}
_DEFAULT = TransactionOptions()


class AsyncDatabase(Generic[TxT, BeginT]):
    """Runs operations in the caller's transaction, or in one of its own.

    Parameters:
        driver: Adapts the caller's database library.
        schema: Schema of River's tables; None leaves it to the ``search_path``.
    """

    def __init__(self, driver: AsyncDriver[TxT, BeginT], schema: str | None) -> None:
        self.driver = driver
        self._schema = schema
        self._dialect = Dialect("numeric_dollar", schema)  # until the server is asked
        self._server: ServerCapabilities | None = None

    async def server(self, executor: AsyncExecutor) -> ServerCapabilities:
        """Return what the server can do, asking it on first use.

        Raises:
            SchemaError: if River's tables are missing or too old; asked again next time.
        """
        if self._server is None:
            # The driver is asked for its style here, not before: its engine may have been configured late.
            style = self.driver.style
            found = await perform_async(probe(self._schema), executor, Dialect(style, self._schema))
            self._dialect = Dialect(style, self._schema, found.duplicate)
            self._server = found
        return self._server

    async def perform(self, operation: Operation[T], executor: AsyncExecutor) -> T:
        """Run an operation in an open transaction."""
        await self.server(executor)
        return await perform_async(operation, executor, self._dialect)

    async def ask(self, operation: Callable[[bool], Operation[T]], tx: TxT | None) -> T:
        """Run an operation of one statement, in the caller's transaction or by itself.

        Parameters:
            operation: Makes it, given whether it may notify; called again if it is to be tried again.
            tx: The caller's transaction; None is one of its own.
        """
        if tx is None:
            return await self.run(lambda executor: self._ask(operation, executor), atomic=False)
        return await self._ask(operation, await self.driver.unwrap(tx))

    async def _ask(self, operation: Callable[[bool], Operation[T]], executor: AsyncExecutor) -> T:
        server = await self.server(executor)
        return await perform_async(operation(server.notify and executor.notifies), executor, self._dialect)

    async def notifies(self) -> bool:
        """Tell whether the server delivers notifications."""

        async def notifies(executor: AsyncExecutor) -> bool:
            return (await self.server(executor)).notify

        return await self.run(notifies, atomic=False)

    async def run(self, work: Callable[[AsyncExecutor], Awaitable[T]], *, atomic: bool, attempts: int = ATTEMPTS) -> T:
        """Do some work outside of any transaction of the caller's.

        Parameters:
            work: Given an executor; called again after a serialization failure or a deadlock, unless the
                driver is bound: what it runs may stand in a transaction of the caller's.
            atomic: Whether it sends more than one statement that changes something.
            attempts: How often to call it at most.
        """
        if self.driver.bound:
            attempts = 1
        for remaining in range(attempts - 1, -1, -1):
            try:
                async with self._own(atomic) as executor:
                    return await work(executor)
            except Exception as error:
                if not remaining or sqlstate(error) not in _RETRYABLE:
                    raise
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _own(self, atomic: bool) -> AbstractAsyncContextManager[AsyncExecutor]:
        return self._transaction() if atomic else self.driver.autocommit()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncExecutor]:
        async with self.driver.begin(_DEFAULT) as tx:
            yield await self.driver.unwrap(_as_tx(tx))


def _as_tx(tx: Any) -> Any:
    """Say that what a driver begins, it also unwraps; the types cannot."""
    return tx
