# Generated from async_database.py by tools/generate_sync.py; do not edit.
"""A driver and what is known of its server: where clients run operations."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Generic, TypeVar

from riverqueue.capabilities import ServerCapabilities
from riverqueue.driver import Driver, Executor, TransactionOptions, sqlstate
from riverqueue.operations.server import probe
from riverqueue.perform import Dialect, perform
from riverqueue.statement import Operation

T = TypeVar("T")
TxT = TypeVar("TxT")
BeginT = TypeVar("BeginT")

#: Attempts at a transaction of our own that meets a serialization failure or a deadlock.
ATTEMPTS = 5
_RETRYABLE = {"40001", "40P01"}
_DEFAULT = TransactionOptions()


class Database(Generic[TxT, BeginT]):
    """Runs operations in the caller's transaction, or in one of its own.

    Parameters:
        driver: Adapts the caller's database library.
        schema: Schema of River's tables; None leaves it to the ``search_path``.
    """

    def __init__(self, driver: Driver[TxT, BeginT], schema: str | None) -> None:
        self.driver = driver
        self._schema = schema
        self._dialect = Dialect("numeric_dollar", schema)  # until the server is asked
        self._server: ServerCapabilities | None = None

    def server(self, executor: Executor) -> ServerCapabilities:
        """Return what the server can do, asking it on first use.

        Raises:
            SchemaError: if River's tables are missing or too old; asked again next time.
        """
        if self._server is None:
            # The driver is asked for its style here, not before: its engine may have been configured late.
            style = self.driver.style
            found = perform(probe(self._schema), executor, Dialect(style, self._schema))
            self._dialect = Dialect(style, self._schema, found.duplicate)
            self._server = found
        return self._server

    def perform(self, operation: Operation[T], executor: Executor) -> T:
        """Run an operation in an open transaction."""
        self.server(executor)
        return perform(operation, executor, self._dialect)

    def ask(self, operation: Callable[[bool], Operation[T]], tx: TxT | None) -> T:
        """Run an operation of one statement, in the caller's transaction or by itself.

        Parameters:
            operation: Makes it, given whether it may notify; called again if it is to be tried again.
            tx: The caller's transaction; None is one of its own.
        """
        if tx is None:
            return self.run(lambda executor: self._ask(operation, executor), atomic=False)
        return self._ask(operation, self.driver.unwrap(tx))

    def _ask(self, operation: Callable[[bool], Operation[T]], executor: Executor) -> T:
        server = self.server(executor)
        return perform(operation(server.notify and executor.notifies), executor, self._dialect)

    def notifies(self) -> bool:
        """Tell whether the server delivers notifications."""

        def notifies(executor: Executor) -> bool:
            return (self.server(executor)).notify

        return self.run(notifies, atomic=False)

    def run(self, work: Callable[[Executor], T], *, atomic: bool, attempts: int = ATTEMPTS) -> T:
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
                with self._own(atomic) as executor:
                    return work(executor)
            except Exception as error:
                if not remaining or sqlstate(error) not in _RETRYABLE:
                    raise
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _own(self, atomic: bool) -> AbstractContextManager[Executor]:
        return self._transaction() if atomic else self.driver.autocommit()

    @contextmanager
    def _transaction(self) -> Iterator[Executor]:
        with self.driver.begin(_DEFAULT) as tx:
            yield self.driver.unwrap(_as_tx(tx))


def _as_tx(tx: Any) -> Any:
    """Say that what a driver begins, it also unwraps; the types cannot."""
    return tx
