"""Stores how attempts ended, many at a time (River's ``internal/jobcompleter``)."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime

from riverqueue.driver import sqlstate
from riverqueue.jobs import JobRow
from riverqueue.operations.work import Ending, job_complete_many, job_set_state_if_running_many
from riverqueue.runtime.backoff import backoff
from riverqueue.runtime.store import Store

logger = logging.getLogger("riverqueue.worker")

#: The most attempts stored by one statement.
BATCH = 5_000

#: So many wait to be stored before jobs have to wait with them; half as many let them go on.
BACKLOG = 10_000

#: How long the first of a batch waits for others, in seconds, and how many make it wait no longer.
LINGER = 0.005
ENOUGH = 100

#: Tries of the last batch when the client stops, and how long it is tried at least, in seconds, at what pauses at most:
#: each dead connection of a pool costs a try.
LAST_TRIES = 4
LAST_SECONDS = 10.0
LAST_PAUSE = 0.25

#: Classes of errors that are about what is stored: data, constraints (a trigger's among them), size.
_DATA_ERRORS = ("22", "23", "54")


class Completer:
    """Collects endings and stores them, one statement at a time, while more are collected.

    Nothing is lost while the database is away: what could not be stored is tried again, for ever, and jobs wait once
    there is too much of it.

    Parameters:
        store: The database.
        stored: Told of the jobs as they are then.
        wanted: Tells whether anybody wants to know; if not, storing costs less.
        now: The time, if a test sets it.
    """

    def __init__(
        self,
        store: Store,
        stored: Callable[[Sequence[JobRow], dict[int, Ending]], None],
        wanted: Callable[[], bool],
        now: Callable[[], datetime | None],
    ) -> None:
        self._store = store
        self._stored = stored
        self._wanted = wanted
        self._now = now
        self._endings: dict[int, Ending] = {}
        self._some = asyncio.Event()
        self._enough = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._stopped = asyncio.Event()

    @property
    def _stopping(self) -> bool:
        return self._stopped.is_set()

    async def put(self, ending: Ending) -> None:
        """Have an ending stored soon; waits while too many are waiting."""
        while not self._room.is_set():
            await self._room.wait()
        self._endings[ending.job.id] = ending
        self._some.set()
        count = len(self._endings)
        if count >= ENOUGH:
            self._enough.set()
            if count >= BACKLOG:
                self._room.clear()

    def stop(self) -> None:
        """Store what there is and then end; nothing may be put any more."""
        self._stopped.set()
        self._some.set()
        self._enough.set()

    async def run(self) -> None:
        """Store endings until stopped."""
        failures = last = 0
        until = 0.0
        while True:
            await self._some.wait()
            if not self._endings:
                if self._stopping:
                    return
                self._some.clear()
                continue
            await self._linger()
            batch = self._taken()
            try:
                await self._store_batch(batch)
                failures = 0
            except Exception as error:
                failures += 1
                last += self._stopping
                if last == 1:
                    until = asyncio.get_running_loop().time() + LAST_SECONDS
                self._put_back(batch)
                if last >= LAST_TRIES and asyncio.get_running_loop().time() >= until:
                    logger.exception("%d attempts could not be stored before the stop", len(self._endings))
                    return
                logger.error("cannot store how %d attempts ended; trying again: %s", len(batch), error)
                await self._pause(min(backoff(last), LAST_PAUSE) if last else backoff(failures))

    async def _pause(self, seconds: float) -> None:
        """Wait before another try; a stop begins the last ones at once."""
        if self._stopping:
            await asyncio.sleep(seconds)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopped.wait()

    async def _linger(self) -> None:
        if self._stopping or len(self._endings) >= ENOUGH:
            return
        self._enough.clear()
        try:
            async with asyncio.timeout(LINGER):
                await self._enough.wait()
        except TimeoutError:
            pass

    def _taken(self) -> dict[int, Ending]:
        if len(self._endings) <= BATCH:
            batch, self._endings = self._endings, {}
        else:
            ids = list(self._endings)[:BATCH]
            batch = {job_id: self._endings.pop(job_id) for job_id in ids}
        if len(self._endings) < BACKLOG // 2:
            self._room.set()
        return batch

    def _put_back(self, batch: dict[int, Ending]) -> None:
        self._endings = {**batch, **self._endings}  # a later ending of the same job counts
        self._some.set()

    async def _store_batch(self, batch: dict[int, Ending]) -> None:
        """Store a batch; entries are taken out of it as they are stored."""
        plain = [] if self._wanted() else [ending for ending in batch.values() if ending.is_plain]
        if plain and await self._store_plain(plain):
            for ending in plain:
                del batch[ending.job.id]
        if batch:
            await self._store_each(batch, list(batch.values()))

    async def _store_plain(self, plain: list[Ending]) -> bool:
        try:
            await self._store.ask(lambda _: job_complete_many(plain))
        except Exception as error:
            if not _is_about_data(error):
                raise
            return False
        return True

    async def _store_each(self, batch: dict[int, Ending], endings: list[Ending]) -> None:
        now = self._now()
        try:
            jobs = await self._store.ask(lambda _: job_set_state_if_running_many(endings, now))
        except Exception as error:
            if not _is_about_data(error):
                raise
            await self._divide(batch, endings, error)
            return
        done = {ending.job.id: batch.pop(ending.job.id) for ending in endings}
        self._stored(jobs, done)

    async def _divide(self, batch: dict[int, Ending], endings: list[Ending], error: Exception) -> None:
        """Find the ending that PostgreSQL cannot store, so that the others are."""
        if len(endings) > 1:
            middle = len(endings) // 2
            await self._store_each(batch, endings[:middle])
            await self._store_each(batch, endings[middle:])
        elif endings[0].metadata is not None:
            logger.error("the metadata of job %d cannot be stored and are dropped: %s", endings[0].job.id, error)
            endings[0].metadata = None
            await self._store_each(batch, endings)
        else:
            del batch[endings[0].job.id]
            logger.error("how job %d ended cannot be stored; it will be rescued: %s", endings[0].job.id, error)


def _is_about_data(error: Exception) -> bool:
    # A ValueError is raised before anything is sent: text that has no bytes, for example.
    return isinstance(error, ValueError) or (sqlstate(error) or "").startswith(_DATA_ERRORS)
