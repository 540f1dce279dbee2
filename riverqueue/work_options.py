"""The options of a client that works jobs, checked (River's ``Config``)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from riverqueue import config, queue_config, worker_functions
from riverqueue.clock import Clock
from riverqueue.errors import ConfigurationError
from riverqueue.process_pool import ProcessPool
from riverqueue.queue_config import QueueConfig, checked_interval
from riverqueue.retry_policy import DefaultRetryPolicy, RetryPolicy
from riverqueue.worker import NO_TIMEOUT, ErrorHandler, JobStuckHandler
from riverqueue.workers import Workers, WorkUnit

FETCH_POLL_INTERVAL_DEFAULT = timedelta(seconds=1)
JOB_TIMEOUT_DEFAULT = timedelta(minutes=1)
JOB_STUCK_THRESHOLD_DEFAULT = timedelta(seconds=10)


@dataclass(slots=True)
class WorkOptions:
    """What a client works, and how; `riverqueue.AsyncClient` says what each means.

    Raises:
        ConfigurationError: if an option cannot work.
    """

    id: str | None
    workers: Workers
    queues: dict[str, QueueConfig]
    fetch_cooldown: timedelta
    fetch_poll_interval: timedelta
    poll_only: bool
    fetch_only_known_kinds: bool
    job_timeout: timedelta | None
    job_stuck_threshold: timedelta
    job_stuck_handler: JobStuckHandler | None
    retry_policy: RetryPolicy | None
    error_handler: ErrorHandler | None
    soft_stop_timeout: timedelta | None
    process_pool: ProcessPool
    asynchronous: bool
    _given: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        checked_interval(self.fetch_poll_interval, "fetch_poll_interval")
        config.checked_cooldown(self.fetch_cooldown)
        if not isinstance(self.workers, Workers):
            raise ConfigurationError(f"workers must be a Workers, not {self.workers!r}")
        if not isinstance(self.process_pool, ProcessPool):
            raise ConfigurationError(f"process_pool must be a ProcessPool, not {self.process_pool!r}")
        if self.job_timeout is not None:
            _check_duration(self.job_timeout, "job_timeout", NO_TIMEOUT)
        _check_duration(self.job_stuck_threshold, "job_stuck_threshold")
        if self.soft_stop_timeout is not None:
            _check_duration(self.soft_stop_timeout, "soft_stop_timeout")
        self._check_transactional()
        _check_method(self.retry_policy, "retry_policy", "next_retry")
        _check_method(self.error_handler, "error_handler", "handle_error")
        for name, queue in self.queues.items():
            self._check_queue(name, queue)
        if self.queues and not len(self.workers):
            raise ConfigurationError("queues need workers: pass workers=Workers() with at least one registered")
        self._given = bool(self.queues)

    def _check_queue(self, name: str, queue: QueueConfig) -> None:
        queue_config.resolved(queue, self.fetch_cooldown, self.fetch_poll_interval, name)
        for unit in self.workers.units:
            executor = unit.executor or queue.executor
            try:
                if executor is not None:
                    worker_functions.check_executor(unit.function, executor, unit.transaction)
                if executor == "process":
                    worker_functions.check_sent(unit.function)
            except ConfigurationError as error:
                error.add_note(f"any job may be in queue {name!r}, whose executor is {queue.executor!r}")
                raise

    def _check_transactional(self) -> None:
        for unit in self.workers.units:
            if unit.transaction is not None and unit.is_coroutine != self.asynchronous:
                one, other = ("AsyncClient", "an async def") if self.asynchronous else ("Client", "a plain def")
                raise ConfigurationError(
                    f"{worker_functions.named(unit.function)} works in a transaction of this {one}, so it must be "
                    f"{other}"
                )

    def retry_policy_of(self, clock: Clock) -> RetryPolicy:
        """Return the client's retry policy."""
        return self.retry_policy or DefaultRetryPolicy(clock)

    @property
    def process_units(self) -> list[WorkUnit]:
        """The workers that may run in a process."""
        wanted = {queue.executor for queue in self.queues.values()}
        return [
            unit
            for unit in self.workers.units
            if unit.executor == "process" or (unit.executor is None and "process" in wanted)
        ]

    def check_works(self) -> None:
        """Refuse to do what only a client that works jobs can.

        Raises:
            ConfigurationError: if this one does not.
        """
        if not self._given and not len(self.workers):
            raise ConfigurationError("this client works no jobs: pass queues= and workers= when it is made")

    def choose_queues(self, chosen: Mapping[str, int | None]) -> None:
        """Work only these queues, from the next start on; for the command line.

        Parameters:
            chosen: The number of workers by the queue's name; None leaves it as it is.

        Raises:
            ConfigurationError: if one is not the client's, and has no number.
        """
        self.queues = {name: self._chosen_queue(name, count) for name, count in chosen.items()}

    def _chosen_queue(self, name: str, count: int | None) -> QueueConfig:
        name, known = queue_config.checked_name(name), self.queues.get(name)
        if count is None and known is None:
            others = ", ".join(self.queues) or "none"
            raise ConfigurationError(
                f"queue {name!r} is not one of the client's ({others}); to work it all the same, say with how many "
                f"workers: {name}=10"
            )
        chosen = replace(known, max_workers=count or known.max_workers) if known else QueueConfig(count or 0)
        self._check_queue(name, chosen)
        return chosen

    def checked_new_queue(self, name: Any, config: Any) -> tuple[str, QueueConfig]:
        """Return a queue to be worked as well.

        Raises:
            ConfigurationError: if it is worked already, or cannot be.
        """
        self.check_works()
        name, checked = queue_config.checked_name(name), queue_config.checked_config(name, config)
        self._check_queue(name, checked)
        if name in self.queues:
            raise ConfigurationError(f"queue {name!r} already added")
        return name, checked

    def check_has_queue(self, name: Any) -> None:
        """Refuse a queue that is not worked.

        Raises:
            ConfigurationError: if it is not.
        """
        if name not in self.queues:
            raise ConfigurationError(f"queue {name!r} not found: this client does not work it")

    def check_can_work(self, driver: Any) -> None:
        """Refuse to work where that cannot be.

        Raises:
            ConfigurationError: saying why.
        """
        self.check_works()
        if not self.queues:
            raise ConfigurationError('there is no queue to work: pass queues={"default": QueueConfig(max_workers=100)}')
        if driver.bound:
            raise ConfigurationError(
                "a driver made from a connection or session of yours cannot work jobs, which need several at once: "
                "make it from a pool, an engine or a connection string"
            )


def work_options(
    queues: Mapping[str, QueueConfig | int] | None,
    workers: Workers | None,
    process_pool: ProcessPool | None,
    **others: Any,
) -> WorkOptions:
    """Check options as they were given to a client."""
    return WorkOptions(
        workers=Workers() if workers is None else workers,
        queues=queue_config.checked_queues(queues),
        process_pool=ProcessPool() if process_pool is None else process_pool,
        **others,
    )


def _check_duration(value: Any, name: str, also: timedelta | None = None) -> None:
    if not isinstance(value, timedelta) or (value < timedelta(0) and value != also):
        raise ConfigurationError(f"{name} must be a timedelta that is not negative, not {value!r}")


def _check_method(value: Any, name: str, method: str) -> None:
    if value is not None and not callable(getattr(value, method, None)):
        raise ConfigurationError(f"{name}: {value!r} has no method {method}")
