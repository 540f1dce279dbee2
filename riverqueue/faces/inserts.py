# Generated from async_inserts.py by tools/generate_sync.py; do not edit.
"""Inserting jobs."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from riverqueue import config, insert_params
from riverqueue.capabilities import ServerCapabilities
from riverqueue.clock import Clock
from riverqueue.database import ATTEMPTS
from riverqueue.driver import Driver, Executor
from riverqueue.faces.base import Base, BeginT, TxT
from riverqueue.hooks import Extensions, settle
from riverqueue.insert_opts import InsertOpts
from riverqueue.insert_params import ArgsOrCallable, InsertManyParams, JobInsertParams
from riverqueue.jobs import InsertResult
from riverqueue.notify_limiter import NotifyLimiter
from riverqueue.operations import insert as operations
from riverqueue.resolver import Kinds, Resolver

#: Jobs worked out at a time while the server copies those before.
STREAM_JOBS = 500

T = TypeVar("T")


class Inserts(Base[TxT, BeginT]):
    """The methods that insert jobs; `riverqueue.Client` says what the options are."""

    def __init__(
        self,
        driver: Driver[TxT, BeginT],
        *,
        schema: str | None,
        clock: Clock | None,
        max_attempts: int,
        fetch_cooldown: timedelta,
        extensions: Extensions,
        refuse_repeated_unique_keys: bool,
        disable_unique_enforcement: bool,
        workers: Kinds | None,
    ) -> None:
        super().__init__(driver, schema, clock)
        self._limiter = NotifyLimiter(self._clock, config.checked_cooldown(fetch_cooldown))
        self._extensions = extensions
        self._resolver = Resolver(
            max_attempts=config.checked_max_attempts(max_attempts),
            unique=not disable_unique_enforcement,
            workers=workers,
        )
        self._refuse_repeated_unique_keys = refuse_repeated_unique_keys

    def insert(
        self,
        args: ArgsOrCallable,
        insert_opts: InsertOpts | None = None,
        *,
        tx: TxT | None = None,
        savepoint: bool = False,
    ) -> InsertResult:
        """Insert one job.

        In your transaction (`tx`) the job exists exactly if the transaction commits; nothing is
        committed, rolled back or retried here. Without one, the insert is one statement that
        commits by itself: one round trip.

        Parameters:
            args: The job's args: a dataclass, attrs class, msgspec Struct or pydantic model with a
                ``kind``, a `DictArgs`, or anything with ``kind`` and ``to_json()``. A
                function is called for them after pending objects of a session `tx` are flushed.
            insert_opts: Options, before those of the args' own ``insert_opts()``.
            tx: Your transaction: a connection or session of the driver's library.
            savepoint: With `tx`: insert inside a savepoint, so that an error of the database leaves
                your transaction usable. Costs two more round trips.

        Returns:
            The job's row and whether it is one that was there before (`UniqueOpts`).

        Raises:
            InvalidJobError: if the job cannot be stored; nothing was sent.
            TransactionError: if `tx` is not an open transaction of this driver's library.
            SchemaError: if River's tables are missing or too old; your transaction is intact.
        """
        return (self._insert([(args, insert_opts)], tx, savepoint))[0]

    def insert_tx(self, tx: TxT, args: ArgsOrCallable, insert_opts: InsertOpts | None = None) -> InsertResult:
        """Insert one job in your transaction; the same as ``insert(args, insert_opts, tx=tx)``."""
        return self.insert(args, insert_opts, tx=config.given(tx))

    def insert_many(
        self,
        items: Iterable[InsertManyParams | ArgsOrCallable],
        *,
        tx: TxT | None = None,
        savepoint: bool = False,
    ) -> list[InsertResult]:
        """Insert a batch of jobs in one statement, and return their rows in your order.

        All are inserted or none. A job that is a duplicate, of an existing one or of one earlier in
        the batch, is flagged.

        Parameters:
            items: Args, as for `insert`, or `InsertManyParams` for those with options of their own.
            tx: As for `insert`.
            savepoint: As for `insert`.

        Raises:
            InvalidJobError: if there is no job, or one of them cannot be stored.
            TransactionError: see `insert`.
            SchemaError: see `insert`.
        """
        return self._insert(_pairs(items), tx, savepoint)

    def insert_many_tx(self, tx: TxT, items: Iterable[InsertManyParams | ArgsOrCallable]) -> list[InsertResult]:
        """Insert a batch in your transaction; the same as ``insert_many(items, tx=tx)``."""
        return self.insert_many(items, tx=config.given(tx))

    def insert_many_fast(
        self,
        items: Iterable[InsertManyParams | ArgsOrCallable],
        *,
        tx: TxT | None = None,
        savepoint: bool = False,
    ) -> int:
        """Insert a batch of jobs by COPY and return how many: the fastest way, without rows.

        Duplicates are not tolerated: a unique key that is taken fails the whole batch with the
        database's unique violation. Drivers that cannot COPY send one statement to the same effect.

        Parameters:
            items: As for `insert_many`.
            tx: As for `insert`.
            savepoint: As for `insert`.

        Raises:
            InvalidJobError: if there is no job, or one of them cannot be stored.
            TransactionError: see `insert`.
            SchemaError: see `insert`.
        """
        pairs = _pairs(items)
        if tx is None and not savepoint and self._can_stream(pairs):
            return self._database.run(lambda executor: self._stream(executor, pairs), atomic=True)
        return self._run(pairs, tx, savepoint, self._copy)

    def _insert(
        self, pairs: Sequence[tuple[ArgsOrCallable, InsertOpts | None]], tx: TxT | None, savepoint: bool
    ) -> list[InsertResult]:
        return self._run(pairs, tx, savepoint, self._insert_rows)

    def _run(
        self,
        pairs: Sequence[tuple[ArgsOrCallable, InsertOpts | None]],
        tx: TxT | None,
        savepoint: bool,
        insert: Callable[[Executor, Sequence[JobInsertParams], datetime], T],
    ) -> T:
        if not pairs:
            raise config.no_jobs()
        if tx is None:
            config.check_no_savepoint(savepoint)
            now = self._clock.now()
            jobs = self._resolver.resolve(pairs, now)
            wrapped = bool(self._extensions.any_for(jobs))
            return self._database.run(
                lambda executor: self._extended(executor, jobs, now, insert),
                atomic=wrapped or insert == self._copy or not operations.is_one_statement(jobs),
                attempts=1 if wrapped else ATTEMPTS,
            )
        executor = self.driver.unwrap(tx)
        now = self._clock.now()
        jobs = self._resolver.resolve(pairs, now)
        if not savepoint:
            return self._extended(executor, jobs, now, insert)
        self._database.server(executor)
        with executor.savepoint():
            return self._extended(executor, jobs, now, insert)

    def _extended(
        self,
        executor: Executor,
        jobs: Sequence[JobInsertParams],
        now: datetime,
        insert: Callable[[Executor, Sequence[JobInsertParams], datetime], T],
    ) -> T:
        """Call hooks and middleware around the insert, if there are any."""
        if not self._extensions.any_for(jobs):
            return insert(executor, jobs, now)

        def inner() -> T:
            for job in jobs:
                for hook in self._extensions.hooks(job.args):
                    settle(hook.insert_begin(job))
                insert_params.recheck(job)
            return insert(executor, jobs, now)

        for layer in reversed(self._extensions.middleware(jobs)):
            inner = partial(layer.insert_many, jobs, inner)
        return inner()

    def _insert_rows(self, executor: Executor, jobs: Sequence[JobInsertParams], now: datetime) -> list[InsertResult]:
        if self._refuse_repeated_unique_keys:
            operations.refuse_repeated_keys(jobs)
        server = self._database.server(executor)
        queues = self._queues_to_notify(server, executor, jobs)
        try:
            return self._database.perform(
                operations.insert_many(jobs, now=now, notify=queues, nonce=server.duplicate == "nonce"),
                executor,
            )
        except BaseException:
            self._limiter.give_back(queues)
            raise

    def _copy(self, executor: Executor, jobs: Sequence[JobInsertParams], now: datetime) -> int:
        if self.driver.copies:
            return self._copy_batches(executor, [jobs], now)
        server = self._database.server(executor)
        queues = self._queues_to_notify(server, executor, jobs)
        try:
            return self._database.perform(operations.insert_many_fast(jobs, now=now, notify=queues), executor)
        except BaseException:
            self._limiter.give_back(queues)
            raise

    def _copy_batches(self, executor: Executor, batches: Iterable[Sequence[JobInsertParams]], now: datetime) -> int:
        server = self._database.server(executor)
        limiter = self._limiter.take if server.notify and executor.notifies else _notify_none
        return self._database.perform(operations.copy_many(batches, now=now, limiter=limiter), executor)

    def _can_stream(self, pairs: Sequence[tuple[ArgsOrCallable, InsertOpts | None]]) -> bool:
        """Tell whether a batch is worth, and fit for, being worked out while the server copies."""
        if len(pairs) <= STREAM_JOBS or self.driver.bound or not self.driver.copies:
            return False
        return not any(callable(args) or self._extensions.any_of_args(args) for args, _ in pairs)

    def _stream(self, executor: Executor, pairs: Sequence[tuple[ArgsOrCallable, InsertOpts | None]]) -> int:
        """Copy in a transaction of our own: a job that is refused in the middle takes the others with it."""
        now = self._clock.now()
        batches = (
            self._resolver.resolve(pairs[start : start + STREAM_JOBS], now, start)
            for start in range(0, len(pairs), STREAM_JOBS)
        )
        return self._copy_batches(executor, batches, now)

    def _queues_to_notify(
        self, server: ServerCapabilities, executor: Executor, jobs: Sequence[JobInsertParams]
    ) -> list[str]:
        if not server.notify or not executor.notifies:
            return []
        return self._limiter.take(operations.available_queues(jobs))


def _notify_none(queues: Sequence[str]) -> list[str]:  # noqa: ARG001  (the limiter's shape)
    return []


def _pairs(
    items: Iterable[InsertManyParams | ArgsOrCallable],
) -> Sequence[tuple[ArgsOrCallable, InsertOpts | None]]:
    return [
        (item.args, item.insert_opts) if isinstance(item, InsertManyParams) else (item, None)
        for item in config.checked_items(items)
    ]
