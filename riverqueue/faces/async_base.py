"""What all parts of a client share."""

from datetime import datetime
from typing import Generic, TypeVar

from riverqueue import config
from riverqueue.async_database import AsyncDatabase
from riverqueue.clock import Clock, SystemClock
from riverqueue.driver import AsyncDriver

TxT = TypeVar("TxT")
BeginT = TypeVar("BeginT")


class AsyncBase(Generic[TxT, BeginT]):
    """Holds the database and the clock.

    Parameters:
        driver: Adapts the caller's database library.
        schema: Schema of River's tables; None leaves it to the ``search_path``.
        clock: Tells the time; None is this machine's.
    """

    def __init__(self, driver: AsyncDriver[TxT, BeginT], schema: str | None, clock: Clock | None) -> None:
        config.check_driver(driver, asynchronous=True)
        self._schema = config.checked_schema(schema)
        self._database = AsyncDatabase(driver, self._schema)
        self._clock = clock or SystemClock()
        self._given_clock = clock

    @property
    def driver(self) -> AsyncDriver[TxT, BeginT]:
        """The driver it was made with."""
        return self._database.driver

    @property
    def schema(self) -> str | None:
        """The schema of River's tables, if one was given."""
        return self._schema

    def _now(self) -> datetime | None:
        # The database tells the time of what it changes, unless a test sets the clock.
        return self._given_clock.now() if self._given_clock else None
