"""A client at work: its parts, started and stopped in order (River's ``client.go``, ``Start`` and ``Stop``)."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from riverqueue.clock import Clock
from riverqueue.errors import ConfigurationError
from riverqueue.events import EventKind
from riverqueue.jobs import JobRow
from riverqueue.operations.work import Ending
from riverqueue.queue_config import QueueConfig, resolved
from riverqueue.runtime.completer import Completer
from riverqueue.runtime.counts import RunCounts
from riverqueue.runtime.job_executor import Cause, Settings
from riverqueue.runtime.notifier import Notifier
from riverqueue.runtime.producer import Producer, ProducerConfig
from riverqueue.runtime.store import Store
from riverqueue.runtime.subscriptions import Subscriptions
from riverqueue.worker import JobStuckHandler
from riverqueue.workers import Workers

logger = logging.getLogger("riverqueue.worker")


@dataclass(frozen=True, slots=True)
class RunnerConfig:
    """What a client works, and how; see `riverqueue.AsyncClient`."""

    client_id: str
    schema: str | None
    workers: Workers
    queues: Mapping[str, QueueConfig]
    fetch_cooldown: timedelta
    fetch_poll_interval: timedelta
    poll_only: bool
    fetch_only_known_kinds: bool
    soft_stop_timeout: timedelta | None
    job_stuck_handler: JobStuckHandler | None
    clock: Clock
    now: Callable[[], datetime | None]


class Runner:
    """Works the queues of one client, from `start` until it is stopped.

    Parameters:
        config: What and how.
        store: The database.
        settings: What all attempts share.
        subscriptions: Who is told of it.
    """

    def __init__(
        self,
        config: RunnerConfig,
        store: Store,
        settings: Settings,
        subscriptions: Subscriptions,
    ) -> None:
        self.config = config
        self._store = store
        self._settings = settings
        self._subscriptions = subscriptions
        self._notifier: Notifier | None = None
        self._completer = Completer(store, self._tell_stored, subscriptions.wants_jobs, config.now)
        self.producers: dict[str, Producer] = {}
        self._producing: dict[str, asyncio.Task[None]] = {}
        self._past: Counter[EventKind] = Counter()  # of queues that are worked no more
        self._services: list[asyncio.Task[None]] = []
        self._completing: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open the listening connection, register the queues, and begin to work them.

        What goes wrong is raised, and nothing is left running.
        """
        try:
            await self._start_notifier()
            self._completing = asyncio.create_task(self._completer.run())
            producers = [self._producer(name, config) for name, config in self.config.queues.items()]
            for error in await asyncio.gather(*[producer.start() for producer in producers], return_exceptions=True):
                if error is not None:
                    raise error
            for producer in producers:
                self._run(producer)
        except BaseException:
            self._subscriptions.close()  # now: later they may be those of another run
            self._stopping = asyncio.create_task(self._close())
            await asyncio.shield(self._stopping)  # a second cancellation does not leave half of it
            raise

    async def add_queue(self, name: str, config: QueueConfig) -> None:
        """Work one queue more."""
        producer = self._producer(name, config)
        try:
            await producer.start()
        except BaseException:
            del self.producers[name]
            raise
        if self._stopping is None:
            self._run(producer)

    async def remove_queue(self, name: str) -> None:
        """Work a queue no more; returns when its running jobs have ended."""
        producing = self._producing.get(name)
        if producing is None:  # it came when this was stopping
            return
        producer = self.producers[name]
        producer.stop()
        producing.add_done_callback(lambda _: self._forget(producer))  # even if nobody waits any more
        await asyncio.shield(producing)
        self._forget(producer)  # if it had ended before, that has not been called yet

    def _forget(self, producer: Producer) -> None:
        name = producer.config.queue
        if self.producers.get(name) is producer:
            self._past += producer.endings
            del self.producers[name], self._producing[name]

    def counts(self) -> RunCounts:
        """Count what has been done; may be called in any thread."""
        producers = list(self.producers.values())
        endings = sum((producer.endings.copy() for producer in producers), self._past)
        return RunCounts.of(sum(producer.active for producer in producers), endings)

    @property
    def is_stopping(self) -> bool:
        """Whether it has begun to stop, or has stopped."""
        return self._stopping is not None

    def stop(self) -> "asyncio.Task[None]":
        """Begin to stop: fetch no more, let running jobs end, store how they did; the task is done when all that is."""
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop())
        return self._stopping

    def cancel(self) -> None:
        """Cancel the work of all running jobs: those that let the cancellation out are available again."""
        for producer in self.producers.values():
            producer.cancel_all(Cause.STOP)

    async def _stop(self) -> None:
        for producer in self.producers.values():
            producer.stop()
        timer = None
        if self.config.soft_stop_timeout is not None:
            seconds = self.config.soft_stop_timeout.total_seconds()
            timer = asyncio.get_running_loop().call_later(seconds, self._soft_stop_is_over)
        await asyncio.gather(*self._producing.values(), return_exceptions=True)
        if timer is not None:
            timer.cancel()
        await self._close()
        self._subscriptions.close()

    def _soft_stop_is_over(self) -> None:
        logger.warning("jobs are still running at the end of soft_stop_timeout; cancelling them")
        self.cancel()

    async def _close(self) -> None:
        if self._completing is not None:
            self._completer.stop()
            await self._completing
        for service in self._services:
            service.cancel()
        await asyncio.gather(*self._services, return_exceptions=True)
        self._settings.deadlines.close()
        await self._settings.calls.close()

    # --- Parts ---

    async def _start_notifier(self) -> None:
        if self.config.poll_only or not await self._store.notifies():
            return
        if not self._store.listens:
            return
        self._notifier = Notifier(self._store, self.config.schema)
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._services.append(asyncio.create_task(self._notifier.run(ready)))
        await ready

    def _producer(self, name: str, config: QueueConfig) -> Producer:
        if name in self.producers:
            raise ConfigurationError(f"queue {name!r} already added")
        cooldown, poll = resolved(config, self.config.fetch_cooldown, self.config.fetch_poll_interval, name)
        kinds = self.config.workers.kinds if self.config.fetch_only_known_kinds else None
        producer = Producer(
            ProducerConfig(name, config.max_workers, cooldown, poll, self.config.client_id, kinds),
            self._store,
            self._settings.of_queue(config.executor),
            self._completer,
            self._notifier,
            tell=self._subscriptions.tell,
            now=self.config.now,
            stuck=self._is_replaced,
        )
        self.producers[name] = producer
        return producer

    def _run(self, producer: Producer) -> None:
        self._producing[producer.config.queue] = asyncio.create_task(producer.run())

    def _is_replaced(self, job: JobRow) -> bool:
        handler = self.config.job_stuck_handler
        try:
            return handler is not None and handler(job) is True
        except BaseException:  # the handler's own affair: the loop goes on
            logger.exception("job_stuck_handler failed on job %d", job.id)
            return False

    def _tell_stored(self, jobs: Iterable[JobRow], endings: dict[int, Ending]) -> None:
        if self._subscriptions.wants_jobs():
            self._subscriptions.tell_stored(list(jobs), endings, self.config.clock.now())
