"""Calls workers' functions: on the loop, in a thread, or in another process."""

from collections.abc import Awaitable
from contextvars import copy_context
from typing import Any

from riverqueue.jobs import Job
from riverqueue.runtime.processes import Processes
from riverqueue.runtime.threads import Threads
from riverqueue.work_context import WorkContext
from riverqueue.worker import ExecutorKind
from riverqueue.workers import WorkUnit


class Calls:
    """Calls workers' functions.

    Parameters:
        client: Begins the transactions that they are given.
        threads: Where plain functions run.
        processes: Where those run that ask for it.
    """

    def __init__(self, client: Any, threads: Threads, processes: Processes) -> None:
        self._client = client
        self._threads = threads
        self._processes = processes

    def call(
        self, unit: WorkUnit, executor: ExecutorKind | None, job: Job[Any], context: WorkContext
    ) -> Awaitable[Any]:
        """Call a worker's function, to be awaited.

        Parameters:
            unit: The worker.
            executor: Where its queue has it run, unless it says so itself.
            job: What it is given.
            context: Of the attempt.
        """
        where = unit.executor or executor
        if where == "process":
            return self._processes.work(unit.kind, context)
        if unit.is_coroutine:
            return self._in_transaction(unit, job) if unit.transaction else unit.function(job)
        function = self._in_sync_transaction if unit.transaction else _called
        context_run = copy_context().run
        return self._threads.run(lambda: context_run(function, unit, job))

    async def _in_transaction(self, unit: WorkUnit, job: Job[Any]) -> Any:
        """Have the job completed by the transaction in which it is worked."""
        async with self._client.driver.begin(unit.transaction) as tx:
            result = await unit.function(job, tx)
            await self._client.job_complete(job, tx=tx)
        return result

    def _in_sync_transaction(self, unit: WorkUnit, job: Job[Any]) -> Any:
        with self._client.driver.begin(unit.transaction) as tx:
            result = unit.function(job, tx)
            self._client.job_complete(job, tx=tx)
        return result

    async def close(self) -> None:
        """End threads and processes, once they are idle."""
        self._threads.close()
        await self._processes.close()


def _called(unit: WorkUnit, job: Job[Any]) -> Any:
    return unit.function(job)
