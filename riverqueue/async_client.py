"""River's client on an event loop. ``client.py`` is generated from this file."""

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

from riverqueue import config
from riverqueue.clock import Clock
from riverqueue.driver import AsyncDriver, IsolationLevel, TransactionOptions
from riverqueue.faces.async_base import BeginT, TxT
from riverqueue.faces.async_inserts import AsyncInserts
from riverqueue.faces.async_jobs import AsyncJobs
from riverqueue.faces.async_queues import AsyncQueues
from riverqueue.hooks import Extensions
from riverqueue.insert_opts import MAX_ATTEMPTS_DEFAULT


class AsyncClient(AsyncInserts[TxT, BeginT], AsyncJobs[TxT, BeginT], AsyncQueues[TxT, BeginT]):
    """Inserts jobs and looks after them, in the transaction you already hold or in one of its own.

    Make one and keep it: it is cheap to use from many tasks at once, remembers what the server
    can do, and limits its notifications. It opens nothing until it is used.

    Parameters:
        driver: Made from what you use the database by, for example
            ``riverqueue_sqlalchemy.AsyncDriver(engine)``.
        schema: Schema of River's tables; default: found by the ``search_path``.
        max_attempts: For jobs that do not say how often they may be attempted.
        fetch_cooldown: A queue's workers are notified at most once in this time, as in River.
        plugins: Hooks or middleware or both; called before those below.
        hooks: Have ``insert_begin(params)``, called for each job before it is inserted.
        middleware: Have ``insert_many(jobs, inner)``, called around the insert of a batch.
        refuse_repeated_unique_keys: Refuse a batch that has a unique key twice, as Go's River does,
            where otherwise the second is a duplicate of the first.
        disable_unique_enforcement: For tests: ignore all unique options.
        clock: For tests: tells the time.

    Raises:
        ConfigurationError: if an option cannot work.
    """

    def __init__(
        self,
        driver: AsyncDriver[TxT, BeginT],
        *,
        schema: str | None = None,
        max_attempts: int = MAX_ATTEMPTS_DEFAULT,
        fetch_cooldown: timedelta = config.FETCH_COOLDOWN_DEFAULT,
        plugins: Iterable[object] = (),
        hooks: Iterable[object] = (),
        middleware: Iterable[object] = (),
        refuse_repeated_unique_keys: bool = False,
        disable_unique_enforcement: bool = False,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(
            driver,
            schema=schema,
            clock=clock,
            max_attempts=max_attempts,
            fetch_cooldown=fetch_cooldown,
            extensions=Extensions(plugins, hooks, middleware, asynchronous=True),
            refuse_repeated_unique_keys=refuse_repeated_unique_keys,
            disable_unique_enforcement=disable_unique_enforcement,
        )

    def transaction(
        self,
        *,
        isolation_level: IsolationLevel | None = None,
        read_only: bool | None = None,
        deferrable: bool | None = None,
    ) -> AbstractAsyncContextManager[BeginT]:
        """Open a transaction of the driver's own type, to write with and to pass as ``tx``.

        Committed when the block ends, rolled back when an exception leaves it.

        Parameters:
            isolation_level: One of SQL's four; default: the connection's.
            read_only: Whether writing is refused.
            deferrable: With SERIALIZABLE and `read_only`: wait for a snapshot that cannot fail.

        Raises:
            ConfigurationError: if the isolation level is unknown.
            UnavailableError: if no connection can be had.
        """
        return self.driver.begin(TransactionOptions(isolation_level, read_only, deferrable))
