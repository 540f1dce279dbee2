# Generated from async_client.py by tools/generate_sync.py; do not edit.
"""River's client."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import timedelta

from riverqueue import config
from riverqueue.clock import Clock
from riverqueue.driver import Driver, IsolationLevel, TransactionOptions
from riverqueue.faces.base import BeginT, TxT
from riverqueue.faces.inserts import Inserts
from riverqueue.faces.jobs import Jobs
from riverqueue.faces.queues import Queues
from riverqueue.faces.work import Work
from riverqueue.hooks import Extensions
from riverqueue.insert_opts import MAX_ATTEMPTS_DEFAULT
from riverqueue.process_pool import ProcessPool
from riverqueue.queue_config import QueueConfig
from riverqueue.retry_policy import RetryPolicy
from riverqueue.work_options import (
    FETCH_POLL_INTERVAL_DEFAULT,
    JOB_STUCK_THRESHOLD_DEFAULT,
    JOB_TIMEOUT_DEFAULT,
    work_options,
)
from riverqueue.worker import ErrorHandler, JobStuckHandler
from riverqueue.workers import Workers, inserted_kinds


class Client(Inserts[TxT, BeginT], Jobs[TxT, BeginT], Queues[TxT, BeginT], Work[TxT, BeginT]):
    """Inserts jobs and looks after them, in the transaction you already hold or in one of its own; and works them.

    Make one and keep it: it is cheap to use from many threads at once, remembers what the server
    can do, and limits its notifications. It opens nothing until it is used.

    Parameters:
        driver: Made from what you use the database by, for example
            ``riverqueue_sqlalchemy.Driver(engine)``.
        schema: Schema of River's tables; default: found by the ``search_path``.
        max_attempts: For jobs that do not say how often they may be attempted.
        workers: Who works which kinds of jobs.
        queues: Which queues to work: for each a `QueueConfig`, or the number of jobs worked at once. Default: none.
        id: What this client is called where it works; default: made of the host's name and the time.
        fetch_cooldown: A queue's workers are notified at most once in this time, as in River; and asked for jobs at
            most once, where the last time there were fewer than could have been worked.
        fetch_poll_interval: A queue is asked for jobs at least once in this time.
        poll_only: Hear no notifications: for servers and poolers that do not pass them on.
        fetch_only_known_kinds: Leave jobs of other kinds than those of `workers` to other clients.
        job_timeout: How long the work of a job may take; None is for ever. A worker may have its own.
        job_stuck_threshold: A job that goes on for so long after its time is stuck.
        job_stuck_handler: Given a stuck job; if it returns True, another job may begin in its place.
        retry_policy: Says when a failed job is tried again; default: River's.
        error_handler: Has ``handle_error(job, error)``, called when an attempt has failed; if it returns True, the
            job is cancelled.
        process_pool: Where the functions of workers with ``executor="process"`` run.
        soft_stop_timeout: How long running jobs may go on when the client stops, before they are cancelled; default:
            as long as they take.
        plugins: Hooks or middleware or both; called before those below.
        hooks: Have ``insert_begin(params)``, called for each job before it is inserted.
        middleware: Have ``insert_many(jobs, inner)``, called around the insert of a batch.
        skip_unknown_job_check: Insert jobs of kinds that no worker of this client works: for other clients to work.
            Without workers, all kinds can be inserted.
        refuse_repeated_unique_keys: Refuse a batch that has a unique key twice, as Go's River does,
            where otherwise the second is a duplicate of the first.
        disable_unique_enforcement: For tests: ignore all unique options.
        clock: For tests: tells the time.

    Raises:
        ConfigurationError: if an option cannot work.
    """

    def __init__(
        self,
        driver: Driver[TxT, BeginT],
        *,
        schema: str | None = None,
        workers: Workers | None = None,
        queues: Mapping[str, QueueConfig | int] | None = None,
        id: str | None = None,
        max_attempts: int = MAX_ATTEMPTS_DEFAULT,
        fetch_cooldown: timedelta = config.FETCH_COOLDOWN_DEFAULT,
        fetch_poll_interval: timedelta = FETCH_POLL_INTERVAL_DEFAULT,
        poll_only: bool = False,
        fetch_only_known_kinds: bool = False,
        job_timeout: timedelta | None = JOB_TIMEOUT_DEFAULT,
        job_stuck_threshold: timedelta = JOB_STUCK_THRESHOLD_DEFAULT,
        job_stuck_handler: JobStuckHandler | None = None,
        retry_policy: RetryPolicy | None = None,
        error_handler: ErrorHandler | None = None,
        process_pool: ProcessPool | None = None,
        soft_stop_timeout: timedelta | None = None,
        plugins: Iterable[object] = (),
        hooks: Iterable[object] = (),
        middleware: Iterable[object] = (),
        skip_unknown_job_check: bool = False,
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
            extensions=Extensions(plugins, hooks, middleware, asynchronous=False),
            refuse_repeated_unique_keys=refuse_repeated_unique_keys,
            disable_unique_enforcement=disable_unique_enforcement,
            workers=inserted_kinds(workers, skip_unknown_job_check),
        )
        self._init_work(
            work_options(
                queues,
                workers,
                process_pool,
                id=id,
                fetch_cooldown=fetch_cooldown,
                fetch_poll_interval=fetch_poll_interval,
                poll_only=poll_only,
                fetch_only_known_kinds=fetch_only_known_kinds,
                job_timeout=job_timeout,
                job_stuck_threshold=job_stuck_threshold,
                job_stuck_handler=job_stuck_handler,
                retry_policy=retry_policy,
                error_handler=error_handler,
                soft_stop_timeout=soft_stop_timeout,
                asynchronous=False,
            ),
            self._extensions,
        )

    def transaction(
        self,
        *,
        isolation_level: IsolationLevel | None = None,
        read_only: bool | None = None,
        deferrable: bool | None = None,
    ) -> AbstractContextManager[BeginT]:
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
