"""Jobs: what becomes of them when they are looked after."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from riverqueue import AsyncClient, JobRow, JobRunningError, JobState, NotFoundError, WaitTimeoutError
from riverqueue.job_params import JobDeleteManyParams
from riverqueue.rows import JOB_COLUMNS
from riverqueue.testing.conformance.async_harness import AsyncHarness, fetch
from riverqueue.testing.conformance.concurrency import finished_async, start_async
from riverqueue.testing.conformance.expect import raises
from riverqueue.testing.conformance.sample import SORT, STORED_AT, SetClock, columns, stored, stored_queue

_HOUR = timedelta(hours=1)
_NOW = SetClock().time
_ATTEMPTED = {"cancel_attempted_at": "2026-11-23T05:06:07.890123Z"}
_WAITING = ("available", "pending", "retryable", "scheduled")
_FINALIZED = ("cancelled", "completed", "discarded")

_EVERYTHING = {
    "args": {"encoded": "args"},
    "attempt": 3,
    "attempted_at": STORED_AT + _HOUR,
    "attempted_by": ["first", "second"],
    "errors": [{"at": "2026-11-23T04:05:06Z", "attempt": n, "error": f"error {n}", "trace": "a\nb"} for n in (1, 2)],
    "finalized_at": STORED_AT + 2 * _HOUR,
    "kind": "everything",
    "max_attempts": 5,
    "metadata": {"meta": "data", "output": [1, None]},
    "priority": 4,
    "queue": "other",
    "scheduled_at": STORED_AT - _HOUR,
    "tags": ["one", "two"],
    "unique_key": "\\x00ff80",
    "unique_states": "11110101",
}

#: Shows a job as running to whoever looks at it, until the third time.
_SEEN_LATE = [
    "CREATE SEQUENCE looks",
    "CREATE SCHEMA late",
    """CREATE VIEW late.river_job AS SELECT (seen).* FROM (
        SELECT
            CASE WHEN nextval('public.looks') >= 3 THEN job
            ELSE jsonb_populate_record(job, '{"state": "running", "finalized_at": null}') END AS seen
        FROM public.river_job AS job
        OFFSET 0
    ) AS jobs""",
]


class Jobs(AsyncHarness):
    """Jobs are read as they are stored, and change as River changes them."""

    async def test_get_a_job(self) -> None:
        await self.store(stored(1, "completed", **_EVERYTHING), stored(2))
        async with self.driver() as driver, self.transaction(driver) as tx:
            client = AsyncClient(driver)
            job, plain = await client.job_get(1, tx=tx), await client.job_get(2, tx=tx)
        for name in ("args", "attempt", "attempted_at", "attempted_by", "finalized_at", "kind", "max_attempts"):
            assert getattr(job, name) == _EVERYTHING[name]
        for name in ("metadata", "priority", "queue", "scheduled_at", "tags"):
            assert getattr(job, name) == _EVERYTHING[name]
        assert [(error.attempt, error.error, error.trace) for error in job.errors] == [
            (1, "error 1", "a\nb"),
            (2, "error 2", "a\nb"),
        ]
        assert (job.state, job.unique_key, len(job.unique_states)) == (JobState.COMPLETED, b"\x00\xff\x80", 6)
        assert (job.output, plain.output) == ([1, None], None)
        assert (plain.attempted_at, plain.attempted_by, plain.errors, plain.finalized_at) == (None, [], [], None)
        assert [job, plain] == await self._stored()

    async def test_an_unknown_job(self) -> None:
        async with self.driver() as driver, self.driver() as other:
            client = AsyncClient(driver)
            async with self.transaction(driver) as tx:
                inserted = (await client.insert(SORT, tx=tx)).job
                assert await client.job_get(inserted.id, tx=tx) == inserted
                with raises(NotFoundError):
                    await AsyncClient(other).job_get(inserted.id)  # not committed
                unknown = inserted.id + 1
                methods: list[Callable[..., Awaitable[JobRow]]] = [client.job_get, client.job_cancel, client.job_retry]
                for method in [*methods, client.job_delete, client.job_update]:
                    with raises(NotFoundError) as caught:
                        await method(unknown, tx=tx)
                    assert str(unknown) in str(caught.value)
        assert await self._stored() == [inserted]  # the transaction remained usable

    async def test_cancel_a_job_that_waits(self) -> None:
        await self.store(*[stored(n, state, metadata={"a": 1}) for n, state in enumerate(_WAITING)])
        before = await self._stored()
        async with self.driver() as driver, self.transaction(driver) as tx:
            client = AsyncClient(driver, clock=SetClock())
            jobs = [await client.job_cancel(job.id, tx=tx) for job in before]
        assert await self._stored() == jobs
        changes = {"state": JobState.CANCELLED, "finalized_at": _NOW, "metadata": {"a": 1} | _ATTEMPTED}
        assert [columns(job) for job in jobs] == [columns(job) | changes for job in before]

    async def test_cancel_a_running_job(self) -> None:
        await self.store(stored(1, "running", unique_key="\\x01", unique_states="11111111"))
        [before] = await self._stored()
        async with self.driver() as driver, self.transaction(driver) as tx:
            job = await AsyncClient(driver, clock=SetClock()).job_cancel(1, tx=tx)
        assert await self._stored() == [job]
        assert columns(job) == columns(before) | {"metadata": _ATTEMPTED}

    async def test_cancel_a_finalized_job(self) -> None:
        await self.store(*[stored(n, state) for n, state in enumerate(_FINALIZED)])
        before = await self._stored()
        async with self.driver() as driver, self.transaction(driver) as tx:
            client = AsyncClient(driver, clock=SetClock())
            assert [await client.job_cancel(job.id, tx=tx) for job in before] == before
        assert await self._stored() == before

    async def test_retry_a_job(self) -> None:
        later = {"attempt": 2, "scheduled_at": STORED_AT + 2 * _HOUR}
        await self.store(*[stored(n, state, **later) for n, state in enumerate(_WAITING + _FINALIZED)])
        before = await self._stored()
        async with self.driver() as driver, self.transaction(driver) as tx:
            client = AsyncClient(driver, clock=SetClock())
            jobs = [await client.job_retry(job.id, tx=tx) for job in before]
        assert await self._stored() == jobs
        changes = {"state": JobState.AVAILABLE, "finalized_at": None, "scheduled_at": _NOW}
        assert [columns(job) for job in jobs] == [columns(job) | changes for job in before]

    async def test_retry_gives_an_attempt_and_forgets_a_cancellation(self) -> None:
        used = {"attempt": 3, "max_attempts": 3, "metadata": {"cancel_attempted_at": "long ago", "a": 1}}
        await self.store(stored(1, "discarded", **used), stored(2, "cancelled", **used | {"attempt": 2}))
        async with self.driver() as driver, self.transaction(driver) as tx:
            client = AsyncClient(driver, clock=SetClock())
            jobs = [await client.job_retry(n, tx=tx) for n in (1, 2)]
        assert [(job.attempt, job.max_attempts, job.metadata) for job in jobs] == [(3, 4, {"a": 1}), (2, 3, {"a": 1})]

    async def test_retry_puts_at_the_end_of_the_line_whatever_did_not_stand_in_it(self) -> None:
        await self.store(stored(1), stored(2, "completed"), stored(3, "retryable"))
        [waiting, *_] = await self._stored()
        async with self.driver() as driver, self.transaction(driver) as tx:
            client = AsyncClient(driver, clock=SetClock())
            assert await client.job_retry(1, tx=tx) == waiting  # due, and so left in its place
            assert (await client.job_retry(2, tx=tx)).scheduled_at == _NOW
            assert (await client.job_retry(3, tx=tx)).scheduled_at == _NOW

    async def test_a_running_job_is_neither_retried_nor_deleted(self) -> None:
        await self.store(stored(1, "running", metadata={"cancel_attempted_at": "long ago"}))
        [before] = await self._stored()
        async with self.driver() as driver, self.transaction(driver) as tx:
            client = AsyncClient(driver, clock=SetClock())
            methods: list[Callable[..., Awaitable[JobRow]]] = [client.job_retry, client.job_delete]
            for method in methods:
                with raises(JobRunningError) as caught:
                    await method(1, tx=tx)
                assert caught.value.job == before
            assert await client.job_get(1, tx=tx) == before  # the transaction remained usable
        assert await self._stored() == [before]

    async def test_delete_a_job(self) -> None:
        await self.store(*[stored(n, state) for n, state in enumerate(_WAITING + _FINALIZED)], stored(99))
        *before, other = await self._stored()
        async with self.driver() as driver, self.transaction(driver) as tx:
            client = AsyncClient(driver)
            assert [await client.job_delete(job.id, tx=tx) for job in before] == before
            with raises(NotFoundError):
                await client.job_delete(before[0].id, tx=tx)
        assert await self._stored() == [other]

    async def test_update_a_job(self) -> None:
        await self.store(stored(1, "running", metadata={"kept": {"a": 1}, "replaced": {"b": 2}}))
        [before] = await self._stored()
        text = 'it\'s "5" % of \\ :x $1 é'
        async with self.driver() as driver, self.transaction(driver) as tx:
            client = AsyncClient(driver)
            assert await client.job_update(1, tx=tx) == before
            merged = await client.job_update(1, metadata={"replaced": {"c": text}, "new": [None]}, tx=tx)
            output = await client.job_update(1, output={"d": text}, tx=tx)
            both = await client.job_update(1, output=None, metadata={"new": 1}, tx=tx)
        assert await self._stored() == [both]
        assert merged.metadata == {"kept": {"a": 1}, "replaced": {"c": text}, "new": [None]}
        assert output.metadata == merged.metadata | {"output": {"d": text}}
        assert output.output == {"d": text}
        assert columns(both) == columns(before) | {"metadata": merged.metadata | {"new": 1, "output": None}}

    async def test_count_jobs(self) -> None:
        states = [*JobState, JobState.AVAILABLE, JobState.RUNNING, JobState.RUNNING]
        await self.store(
            *[stored(n, state, queue="one") for n, state in enumerate(states)],
            stored(100, "available", queue="two"),
            stored(101, "completed", queue="three"),
        )
        async with self.driver() as driver, self.transaction(driver) as tx:
            client = AsyncClient(driver)
            every = await client.job_count(tx=tx)
            some = await client.job_count(queues=["two", "one", "two", "unknown"], tx=tx)
            none = await client.job_count(queues=["unknown"], tx=tx)
        one = dict.fromkeys(JobState, 1) | {JobState.AVAILABLE: 2, JobState.RUNNING: 3}
        assert every.by_state == one | {JobState.AVAILABLE: 3, JobState.COMPLETED: 2}
        assert (every.total, some.total, none.total) == (13, 12, 0)
        assert every.by_queue["one"] == one
        assert every.by_queue["three"][JobState.COMPLETED] == 1
        assert list(some.by_queue) == ["one", "two", "unknown"]
        assert some.by_state == one | {JobState.AVAILABLE: 3}
        assert none.by_state == dict.fromkeys(JobState, 0)

    async def test_wait_for_a_job(self) -> None:
        await self.store(stored(1, "discarded"))
        [finalized] = await self._stored()
        await self.run_sql(*_SEEN_LATE)
        async with self.driver() as driver:
            assert await AsyncClient(driver).wait(1, timeout=0) == finalized
            assert await AsyncClient(driver, schema="late").wait(1, timeout=timedelta(seconds=30)) == finalized
        assert [tuple(row) for row in await self.read("SELECT last_value FROM looks")] == [(3,)]

    async def test_wait_in_vain(self) -> None:
        await self.store(stored(1, "running"))
        async with self.driver() as driver:
            client = AsyncClient(driver)
            for timeout in (0, 0.02, timedelta(milliseconds=20)):
                with raises(WaitTimeoutError) as caught:
                    await client.wait(1, timeout=timeout)
                assert isinstance(caught.value, TimeoutError)
            with raises(NotFoundError):
                await client.wait(2)

    async def test_jobs_of_another_schema(self) -> None:
        await self.store(*[stored(n) for n in range(6)])
        await self.run_sql('ALTER SCHEMA public RENAME TO "Jobs_2"', "CREATE SCHEMA public")
        async with self.driver() as driver, self.transaction(driver) as tx:
            client = AsyncClient(driver, schema="Jobs_2")
            assert (await client.job_get(0, tx=tx)).id == 0
            assert (await client.job_cancel(1, tx=tx)).state is JobState.CANCELLED
            assert (await client.job_retry(1, tx=tx)).state is JobState.AVAILABLE
            assert (await client.job_delete(2, tx=tx)).id == 2
            assert (await client.job_update(3, output=1, tx=tx)).output == 1
            deleted = await client.job_delete_many(JobDeleteManyParams(ids=[4]), tx=tx)
            assert [job.id for job in deleted] == [4]
            assert [job.id for job in (await client.job_list(tx=tx)).jobs] == [0, 1, 3, 5]
            assert (await client.job_count(tx=tx)).total == 4

    async def test_jobs_without_tx(self) -> None:
        await self.store(*[stored(n) for n in range(5)])
        before = await self._stored()
        async with self.driver() as driver:
            client = AsyncClient(driver, clock=SetClock())
            async with self.undone(driver):
                after = [await client.job_get(0), await client.job_cancel(1), await client.job_update(2, output=3)]
                await client.job_retry(2)
                await client.job_delete(3)
                await client.job_delete_many(JobDeleteManyParams(ids=[4]))
                assert (await client.job_list()).jobs == after
                assert (await client.job_count()).total == 3
            # What a bound driver does belongs to the transaction of its handle; others commit at once.
            assert await self._stored() == (before if driver.bound else after)

    async def test_of_two_changes_the_second_waits_and_sees_the_first(self) -> None:
        await self.store(stored(1), stored(2))
        first, second = await self._one_after_the_other(1, lambda client, tx: client.job_cancel(1, tx=tx))
        assert (first.state, second) == (JobState.CANCELLED, first)
        first, second = await self._one_after_the_other(2, lambda client, tx: client.job_retry(2, tx=tx))
        assert (first.state, second.state, second.metadata) == (JobState.CANCELLED, JobState.AVAILABLE, {})

    async def test_times_are_the_databases_without_a_clock(self) -> None:
        await self.store(stored(1), stored(2, "completed"))
        await self.store(stored_queue("one"), stored_queue("two", paused_at=STORED_AT), table="river_queue")
        async with self.driver() as driver, self.transaction(driver) as tx:
            client = AsyncClient(driver)
            [(now,)] = await fetch(driver, tx, "SELECT now()")
            assert (await client.job_cancel(1, tx=tx)).finalized_at == now
            assert (await client.job_retry(2, tx=tx)).scheduled_at == now
            await client.queue_pause("one", tx=tx)
            await client.queue_resume("two", tx=tx)
            one, two = await client.queue_list(tx=tx)
            assert (one.paused_at, one.updated_at, two.paused_at, two.updated_at) == (now, now, None, now)

    async def _one_after_the_other(
        self, job_id: int, change: Callable[[AsyncClient[Any, Any], Any], Awaitable[JobRow]]
    ) -> tuple[JobRow, JobRow]:
        """Cancel a job, and change it on another connection before that commits."""
        async with self.driver() as driver, self.driver() as other:

            async def second() -> JobRow:
                async with self.transaction(other) as tx:
                    return await change(AsyncClient(other), tx)

            async with self.transaction(driver) as tx:
                first = await AsyncClient(driver).job_cancel(job_id, tx=tx)
                waiting = start_async(second)
                await self.until_blocked()
            return first, await finished_async(waiting)

    async def _stored(self) -> list[JobRow]:
        """Return all committed jobs by id."""
        return [JobRow(row) for row in await self.read(f"SELECT {JOB_COLUMNS} FROM river_job ORDER BY id")]  # noqa: S608
