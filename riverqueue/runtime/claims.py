"""Claims jobs of one queue for one client, and gives back what comes too late (River's ``JobGetAvailable``)."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

from riverqueue.clock import Clock
from riverqueue.jobs import JobRow
from riverqueue.operations.work import job_get_available, job_set_state_if_running_many
from riverqueue.runtime.job_executor import interrupted
from riverqueue.runtime.store import Store
from riverqueue.statement import Operation


class Claims:
    """Claims jobs.

    Parameters:
        store: The database.
        queue: Name of the queue.
        client_id: For which client.
        kinds: Only these; None is any.
        late: Given jobs that come when nobody waits for them any more.
        now: The time, if a test sets it.
    """

    def __init__(
        self,
        store: Store,
        queue: str,
        client_id: str,
        kinds: Sequence[str] | None,
        *,
        late: Callable[[Sequence[JobRow]], None],
        now: Callable[[], datetime | None],
    ) -> None:
        self._store = store
        self._queue = queue
        self._client_id = client_id
        self._kinds = kinds
        self._late = late
        self._now = now

    async def claim(self, count: int) -> list[JobRow]:
        """Claim so many jobs at most, which are this client's from then on.

        Raises:
            TimeoutError: if the database does not answer; should it do so later, its jobs are not lost.
        """
        now, loop, is_late = self._now(), asyncio.get_running_loop(), False

        def operation(_: bool) -> Operation[list[JobRow]]:
            jobs = yield from job_get_available(
                self._queue, count, client_id=self._client_id, kinds=self._kinds, now=now
            )
            if is_late and jobs:  # nobody waits any more, and they are claimed
                loop.call_soon_threadsafe(self._late, jobs)
            return jobs

        try:
            return await self._store.ask(operation)
        except TimeoutError:
            is_late = True
            raise

    async def give_back(self, jobs: Sequence[JobRow], clock: Clock) -> None:
        """Make jobs available again that were not begun; the attempt does not count."""
        endings = [interrupted(job, clock.now()) for job in jobs]
        await self._store.ask(lambda _: job_set_state_if_running_many(endings, self._now()))
