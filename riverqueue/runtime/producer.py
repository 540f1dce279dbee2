"""Fetches the jobs of one queue and has them worked (River's ``producer.go``)."""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from riverqueue.config import FETCH_COOLDOWN_DEFAULT
from riverqueue.errors import NotFoundError
from riverqueue.events import Event, EventKind
from riverqueue.job_logs import job_fields
from riverqueue.jobs import JobRow
from riverqueue.operations.queue import queue_get
from riverqueue.operations.work import job_get_cancel_requested, queue_create_or_set_updated_at
from riverqueue.queues import Queue
from riverqueue.runtime.alarm import Alarm
from riverqueue.runtime.claims import Claims
from riverqueue.runtime.completer import Completer
from riverqueue.runtime.job_executor import Cause, JobExecutor, Settings
from riverqueue.runtime.notifier import CONTROL, INSERT, Notifier
from riverqueue.runtime.store import Store

logger = logging.getLogger("riverqueue.worker")

#: How often, in seconds, a client says that it works a queue.
REPORT = 600.0

#: How often a client without notifications looks whether its jobs were cancelled and its queue paused; and one with.
LOOK_POLLING = 2.0
LOOK_LISTENING = 60.0

#: What a job that is inserted in silence may need, in seconds, from its client's clock to its commit.
_SLACK = 0.005

#: While there are more jobs than slots, they are fetched when one of so many parts of the slots is free, or after a
#: moment, in seconds: jobs that take long would otherwise be fetched one by one.
_PARTS = 8
_MOMENT = 0.01

_ALL = "*"


@dataclass(frozen=True, slots=True)
class ProducerConfig:
    """What a producer needs to know.

    Parameters:
        queue: Name of its queue.
        max_workers: Most jobs worked at once.
        fetch_cooldown: Least time from a fetch that was asked for by a notification, and found fewer jobs than it could
            have, to the next.
        fetch_poll_interval: Most time between two fetches.
        client_id: Who works.
        kinds: Only these are fetched; None is any.
    """

    queue: str
    max_workers: int
    fetch_cooldown: timedelta
    fetch_poll_interval: timedelta
    client_id: str
    kinds: Sequence[str] | None


class Producer:
    """Works one queue.

    Parameters:
        config: How.
        store: The database.
        settings: What all attempts share.
        completer: Stores how they ended.
        notifier: Hears of new jobs and of what is asked of this queue; None polls.
        tell: Told what happens to the queue.
        now: The time, if a test sets it.
        stuck: Decides about a job whose work goes on long after its time: whether another may begin in its place.
    """

    def __init__(
        self,
        config: ProducerConfig,
        store: Store,
        settings: Settings,
        completer: Completer,
        notifier: Notifier | None,
        *,
        tell: Callable[[Event], None],
        now: Callable[[], Any],
        stuck: Callable[[JobRow], bool],
    ) -> None:
        self.config = config
        self._store = store
        self._settings = settings
        self._completer = completer
        self._notifier = notifier
        self._tell = tell
        self._now = now
        self._stuck = stuck
        self._active: dict[int, JobExecutor] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._replaced: set[int] = set()  # ids of stuck jobs whose slot another may have
        self._hungry = False
        self._asked_for = False  # by a notification, since the last fetch
        self._held: list[JobExecutor] = []  # fetched, and begun when the next fetch is on its way
        self.endings: Counter[EventKind] = Counter()
        self._cancels: set[int] = set()  # of jobs that are not here, while some are being fetched
        self._pauses: list[bool] = []  # and resumptions, heard during a fetch
        self._cancelling: Cause | None = None  # of all jobs, those included that a fetch has still to bring
        self._fetching = False
        self._wake = asyncio.Event()
        # Clients that insert have cool-downs of their own, most often the default.
        silence = max(config.fetch_cooldown, FETCH_COOLDOWN_DEFAULT).total_seconds()
        self._claims = Claims(store, config.queue, config.client_id, config.kinds, late=self._begin_late, now=now)
        self._giving_back: asyncio.Future[None] | None = None
        self._again = Alarm(silence + _SLACK, self._wake.set)
        self._soon = Alarm(_MOMENT, self._wake.set)
        self._look_now = asyncio.Event()
        self._stopped = asyncio.Event()
        self._ends: list[Callable[[], None]] = []
        self.paused = False

    @property
    def _stopping(self) -> bool:
        return self._stopped.is_set()

    @property
    def active(self) -> int:
        """How many jobs are being worked."""
        return len(self._active)

    async def start(self) -> None:
        """Register the queue, and begin to hear; what goes wrong with that is raised."""
        queue = await self._report()
        self.paused = queue.paused_at is not None
        if self._notifier is not None:
            self._ends = [
                self._notifier.subscribe(INSERT, self._on_insert),
                self._notifier.subscribe(CONTROL, self._on_control),
                self._notifier.on_connect(self._look_soon),
            ]

    def stop(self) -> None:
        """Fetch no more; jobs go on."""
        self._stopped.set()
        self._wake.set()

    def cancel_all(self, cause: Cause) -> None:
        """Cancel the work of all jobs."""
        self._cancelling = cause
        for executor in list(self._active.values()):
            executor.cancel(cause)

    async def run(self) -> None:
        """Work until stopped, and then until the last job has ended."""
        helpers = [asyncio.create_task(self._report_often()), asyncio.create_task(self._look_often())]
        try:
            await self._fetch_and_work()
            while self._tasks:
                await asyncio.wait(self._tasks)
        finally:
            for end in self._ends:
                end()
            self._again.cancel()
            self._soon.cancel()
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)

    # --- Fetching ---

    async def _fetch_and_work(self) -> None:
        while not self._stopping:
            self._wake.clear()
            asked_for, self._asked_for = self._asked_for, False
            started = asyncio.get_running_loop().time()
            free = 0 if self.paused else self._free
            if self._held and free > 0:
                fetch = asyncio.create_task(self._claimed(free))
                self._begin_held()  # while the server looks for more
                jobs = await fetch
            else:
                self._begin_held()
                jobs = await self._claimed(free) if free > 0 else []
            # There may be more jobs than slots: then a slot that becomes free is reason enough to fetch again.
            self._hungry = len(jobs) == free and not self.paused
            if self._hungry:
                # Of many quick jobs, half are done when the next are fetched, and half are worked meanwhile.
                self._held = [self._active[job.id] for job in jobs[len(jobs) // 2 :]]
                jobs = jobs[: len(jobs) // 2]
            self._begin([self._active[job.id] for job in jobs])
            if self._held:
                await asyncio.sleep(0)
                continue
            if self._hungry and self._free > 0:
                continue
            await self._wait(self._poll_delay())
            if asked_for and not self._hungry:
                await self._cool_down(started)  # what nobody had asked for does not delay what somebody does
        self._begin_held()

    @property
    def _free(self) -> int:
        return self.config.max_workers + len(self._replaced) - len(self._active)

    async def _claimed(self, count: int) -> list[JobRow]:
        """Fetch jobs, which have slots from then on."""
        if self.paused:
            return []
        self._fetching = True
        try:
            jobs = await self.claim(count)
        except Exception as error:
            logger.error("cannot fetch jobs of queue %r: %s", self.config.queue, error)
            return []
        finally:
            self._fetching = False
            cancels, self._cancels = self._cancels, set()
            self._pause_at_last()
        for job in jobs:
            executor = self._taken(job)
            if job.id in cancels:
                executor.cancel(Cause.REMOTE)
        return jobs

    async def claim(self, count: int) -> list[JobRow]:
        """Claim jobs, which are this client's from then on."""
        return await self._claims.claim(count)

    def _begin_late(self, jobs: Sequence[JobRow]) -> None:
        if self._stopping:  # nobody would wait for them
            work = self._claims.give_back(jobs, self._settings.clock)
            self._giving_back = asyncio.ensure_future(_logged("cannot give back jobs of %r", self.config.queue, work))
        else:
            self._begin([self._taken(job) for job in jobs])

    def _taken(self, job: JobRow) -> JobExecutor:
        """Give a job a slot."""
        executor = self._active[job.id] = JobExecutor(self._settings, job, self._be_stuck)
        if self._cancelling is not None:
            executor.cancel(self._cancelling)
        return executor

    def _poll_delay(self) -> float:
        interval = self.config.fetch_poll_interval.total_seconds()
        return interval + random.uniform(0, max(interval / 10, 0.01))  # noqa: S311  (not for secrets)

    async def _wait(self, seconds: float) -> None:
        """Wait until something is heard, a slot is free that is waited for, or it is time to look anyway."""
        timer = asyncio.get_running_loop().call_later(seconds, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            timer.cancel()

    async def _cool_down(self, started: float) -> None:
        rest = started + self.config.fetch_cooldown.total_seconds() - asyncio.get_running_loop().time()
        if rest > 0 and not self._stopping:
            await _either(self._stopped, rest)

    # --- Working ---

    def _begin_held(self) -> None:
        held, self._held = self._held, []
        self._begin(held)

    def _begin(self, executors: Sequence[JobExecutor]) -> None:
        create_task = asyncio.get_running_loop().create_task
        for executor in executors:
            executor.task = create_task(self._attempt(executor))
            self._tasks.add(executor.task)

    async def _attempt(self, executor: JobExecutor) -> None:
        try:
            ending = await executor.run()
            self.endings[ending.reason] += 1
            await self._completer.put(ending)
        finally:
            if executor.is_stuck:
                self._replaced.discard(executor.job.id)
            if self._active.get(executor.job.id) is executor:
                del self._active[executor.job.id]
            if executor.task is not None:
                self._tasks.discard(executor.task)
            if self._hungry:
                self._want_more()

    def _want_more(self) -> None:
        """Fetch: at once if there is room for some, else in a moment, rather than job by job."""
        if self._free * _PARTS >= self.config.max_workers:
            self._wake.set()
        else:
            self._soon.set()

    def _be_stuck(self, executor: JobExecutor) -> None:
        logger.warning(
            "job %d of kind %r goes on long after its time",
            executor.job.id,
            executor.job.kind,
            extra=job_fields(executor.job),
        )
        if self._stuck(executor.job):
            self._replaced.add(executor.job.id)
            self._wake.set()

    # --- What others ask ---

    def _on_insert(self, payload: dict[str, Any]) -> None:
        if payload.get("queue") == self.config.queue:
            self._asked_for = True
            self._wake.set()
            self._again.set()  # an inserting client is silent about what it inserts soon after a notification

    def _on_control(self, payload: dict[str, Any]) -> None:
        action, queue = payload.get("action"), payload.get("queue")
        if action == "cancel" and queue == self.config.queue:
            self._cancel(payload.get("job_id"))
        elif action in {"pause", "resume"} and queue in {self.config.queue, _ALL}:
            self._set_paused(action == "pause")

    def _cancel(self, job_id: Any) -> None:
        executor = self._active.get(job_id)
        if executor is not None:
            executor.cancel(Cause.REMOTE)
        elif self._fetching and isinstance(job_id, int):
            self._cancels.add(job_id)

    def _set_paused(self, paused: bool) -> None:
        if self._fetching:  # once a pause is told of, no more jobs are fetched
            self._pauses.append(paused)
            return
        if paused == self.paused:
            return
        self.paused = paused
        self._wake.set()
        self._tell(Event(EventKind.QUEUE_PAUSED if paused else EventKind.QUEUE_RESUMED, self.config.queue))

    def _pause_at_last(self) -> None:
        pauses, self._pauses = self._pauses, []
        for paused in pauses:
            self._set_paused(paused)

    # --- Looking by itself ---

    async def _report(self) -> Queue:
        name, now = self.config.queue, self._now()
        return await self._store.ask(lambda _: queue_create_or_set_updated_at(name, now))

    async def _report_often(self) -> None:
        await asyncio.sleep(random.uniform(0, 1))  # noqa: S311  (not for secrets)
        while True:
            await _logged("cannot say that queue %r is worked", self.config.queue, self._report())
            await asyncio.sleep(REPORT)

    async def _look_often(self) -> None:
        """See what no notification said: without them often, with them in case that one was lost."""
        while True:
            await _either(self._look_now, LOOK_POLLING if self._notifier is None else LOOK_LISTENING)
            self._look_now.clear()
            await _logged("cannot look at queue %r", self.config.queue, self._look())

    async def _look(self) -> None:
        name = self.config.queue
        try:
            queue = await self._store.ask(lambda _: queue_get(name))
        except NotFoundError:  # somebody has deleted it
            queue = await self._report()
        self._set_paused(queue.paused_at is not None)
        ids = list(self._active)
        if ids:
            for job_id in await self._store.ask(lambda _: job_get_cancel_requested(ids)):
                self._cancel(job_id)

    def _look_soon(self) -> None:
        self._look_now.set()
        self._wake.set()


async def _either(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, at most so long."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass


async def _logged(what: str, queue: str, work: Awaitable[Any]) -> None:
    try:
        await work
    except Exception as error:
        logger.error(what + ": %s", queue, error)
