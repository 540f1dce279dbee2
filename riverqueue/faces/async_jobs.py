"""Looking after jobs."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from riverqueue import checks
from riverqueue.errors import InvalidParamsError, JobLostError, WaitTimeoutError
from riverqueue.faces.async_base import AsyncBase, BeginT, TxT
from riverqueue.job_counts import JobCounts
from riverqueue.job_params import UNSET, JobDeleteManyParams, JobListParams, JobListResult
from riverqueue.jobs import Job, JobRow, JobState
from riverqueue.operations import job as operations
from riverqueue.operations.work import job_complete
from riverqueue.waiting import delays, sleep_async
from riverqueue.work_context import metadata_of


class AsyncJobs(AsyncBase[TxT, BeginT]):
    """The methods for jobs."""

    async def job_get(self, job_id: int, *, tx: TxT | None = None) -> JobRow:
        """Return a job.

        Parameters:
            job_id: Its identity.
            tx: Your transaction, to see what it has not committed; see `insert`.

        Raises:
            NotFoundError: if there is none.
        """
        job_id = checks.job_id(job_id)
        return await self._database.ask(lambda _: operations.job_get(job_id), tx)

    async def job_list(self, params: JobListParams | None = None, *, tx: TxT | None = None) -> JobListResult:
        """Return one page of a listing of jobs.

        Parameters:
            params: Which jobs, in what order, and how many; default: the first hundred by id.
            tx: Your transaction, to see what it has not committed; see `insert`.

        Returns:
            The jobs, and the cursor to go on after: ``replace(params, after=result.last_cursor)``.

        Raises:
            InvalidParamsError: if `params` is none.
        """
        checked = _listing(params)
        return await self._database.ask(lambda _: operations.job_list(checked), tx)

    def job_list_all(self, params: JobListParams | None = None, *, tx: TxT | None = None) -> AsyncIterator[JobRow]:
        """Go through all jobs of a listing, asking for one page after the other.

        Each page is a statement of its own: a job that comes to stand before the place reached is missed, and
        one that moves behind it comes again. By id nothing moves.

        Parameters:
            params: Which jobs, in what order, and how many a page; default: all by id, a hundred a page.
            tx: Your transaction; with one of REPEATABLE READ all pages are of one moment.

        Raises:
            InvalidParamsError: if `params` is none.
        """
        return self._pages(_listing(params), tx)

    async def _pages(self, params: JobListParams, tx: TxT | None) -> AsyncIterator[JobRow]:
        while True:
            jobs, cursor = await self.job_list(params, tx=tx)
            for job in jobs:
                yield job
            if len(jobs) < params.first:
                return
            params = replace(params, after=cursor)

    async def job_count(self, *, queues: Sequence[str] | None = None, tx: TxT | None = None) -> JobCounts:
        """Count jobs by queue and state.

        Reads all of the queues' jobs, or the whole table: with millions of them it takes seconds.

        Parameters:
            queues: Only of these queues; default: of all.
            tx: Your transaction; see `insert`.
        """
        names = None if queues is None else checks.texts(queues, "queues")
        return await self._database.ask(lambda _: operations.job_count(names), tx)

    async def job_cancel(self, job_id: int, *, tx: TxT | None = None) -> JobRow:
        """Cancel a job.

        One that is not being worked is cancelled at once, one that is finalized stays as it is. Of a running job the
        client that works it is told, when the transaction commits, and cancels its worker; until that ends, the job
        is running. If it ends well in spite of that, the job is completed.

        Parameters:
            job_id: Its identity.
            tx: Your transaction; see `insert`.

        Returns:
            The job as it is now.

        Raises:
            NotFoundError: if there is none.
        """
        job_id = checks.job_id(job_id)
        attempted_at, now = self._clock.now(), self._now()
        return await self._database.ask(
            lambda notify: operations.job_cancel(job_id, attempted_at=attempted_at, now=now, notify=notify), tx
        )

    async def job_retry(self, job_id: int, *, tx: TxT | None = None) -> JobRow:
        """Make a job available to be worked at once, whatever became of it.

        A job without attempts left gets one more. One that is available already, and due, stays as it is.

        Parameters:
            job_id: Its identity.
            tx: Your transaction; see `insert`.

        Returns:
            The job as it is now.

        Raises:
            NotFoundError: if there is none.
            JobRunningError: if it is running; it goes on.
        """
        job_id = checks.job_id(job_id)
        now = self._now()
        return await self._database.ask(lambda _: operations.job_retry(job_id, now=now), tx)

    async def job_delete(self, job_id: int, *, tx: TxT | None = None) -> JobRow:
        """Delete a job.

        Parameters:
            job_id: Its identity.
            tx: Your transaction; see `insert`.

        Returns:
            The job as it was.

        Raises:
            NotFoundError: if there is none.
            JobRunningError: if it is running; it goes on.
        """
        job_id = checks.job_id(job_id)
        return await self._database.ask(lambda _: operations.job_delete(job_id), tx)

    async def job_delete_many(self, params: JobDeleteManyParams, *, tx: TxT | None = None) -> list[JobRow]:
        """Delete jobs by filters, in one statement.

        Running jobs stay, and jobs that another transaction has locked.

        Parameters:
            params: Which jobs, and how many at most.
            tx: Your transaction; see `insert`.

        Returns:
            The jobs as they were, by id.

        Raises:
            InvalidParamsError: if `params` is none.
        """
        checked = checks.instance(params, JobDeleteManyParams)
        return await self._database.ask(lambda _: operations.job_delete_many(checked), tx)

    async def job_update(
        self,
        job_id: int,
        *,
        output: Any = UNSET,
        metadata: Mapping[str, Any] | None = None,
        tx: TxT | None = None,
    ) -> JobRow:
        """Record a job's output, or merge into its metadata.

        Parameters:
            job_id: Its identity.
            output: What its work resulted in: any value that JSON has, up to 32 MiB. Read as ``job.output``.
            metadata: Members to add or to replace; the others stay.
            tx: Your transaction; see `insert`.

        Returns:
            The job as it is now.

        Raises:
            NotFoundError: if there is none.
            InvalidParamsError: if the output or metadata cannot be stored.
        """
        job_id = checks.job_id(job_id)
        merged = _merged(output, metadata)
        return await self._database.ask(lambda _: operations.job_update(job_id, merged), tx)

    async def job_complete(self, job: JobRow | Job[Any], *, tx: TxT) -> JobRow:
        """Complete a job in the transaction in which its worker writes: both are done, or neither.

        To be called by the worker, which then commits `tx` and returns. If the transaction rolls back, the job has not
        been completed, and its attempt ends as the worker does. As River's ``JobCompleteTx``.

        Parameters:
            job: The job that is being worked.
            tx: Your transaction.

        Returns:
            The job as it is now.

        Raises:
            NotFoundError: if it is gone.
            JobLostError: if it is not running in this attempt any more; roll back.
            InvalidParamsError: if it was not running when it was fetched.
        """
        if job.state is not JobState.RUNNING:
            raise InvalidParamsError(f"job {job.id} is {job.state}: only a running job can be completed, by its worker")
        job_id, attempt, now = job.id, job.attempt, self._clock.now()
        metadata = metadata_of(job_id)
        done = await self._database.ask(lambda _: job_complete(job_id, attempt, now, metadata), tx)
        if done.state is not JobState.COMPLETED or done.attempt != attempt:
            raise JobLostError(done, attempt)
        return done

    async def wait(self, job_id: int, *, timeout: timedelta | float | None = None) -> JobRow:
        """Return a job once it is completed, cancelled or discarded.

        No River client announces that it has finalized a job, so this looks again and again, at first every ten
        milliseconds and in the end every second. It holds no connection meanwhile.

        Parameters:
            job_id: Its identity; the transaction that inserted it must have committed.
            timeout: How long to wait, as a timedelta or in seconds; default: for ever. 0 looks once.

        Raises:
            NotFoundError: if there is none, or no longer.
            WaitTimeoutError: if it was not finalized in time.
        """
        job_id = checks.job_id(job_id)
        limit = checks.seconds(timeout, "timeout")
        for delay in delays(limit):
            await sleep_async(delay)
            job = await self._database.ask(lambda _: operations.job_wait(job_id), None)
            if job is not None:
                return job
        raise WaitTimeoutError(f"job {job_id} was not finalized within {limit:g} s")


def _listing(params: JobListParams | None) -> JobListParams:
    return JobListParams() if params is None else checks.instance(params, JobListParams)


def _merged(output: Any, metadata: Mapping[str, Any] | None) -> str | None:
    if metadata is None:
        return None if output is UNSET else f'{{"output":{checks.output(output)}}}'
    merged = checks.json_object(metadata, "metadata")
    if output is UNSET:
        return merged
    # Of a name that comes twice jsonb keeps the last.
    return f'{merged[:-1]}{"" if merged == "{}" else ","}"output":{checks.output(output)}}}'
