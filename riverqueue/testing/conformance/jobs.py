# Generated from async_jobs.py by tools/generate_sync.py; do not edit.
"""Jobs: what becomes of them when they are looked after."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from riverqueue import Client, JobRow, JobRunningError, JobState, NotFoundError, WaitTimeoutError
from riverqueue.job_params import JobDeleteManyParams
from riverqueue.rows import JOB_COLUMNS
from riverqueue.testing.conformance.concurrency import finished, start
from riverqueue.testing.conformance.expect import raises
from riverqueue.testing.conformance.harness import Harness, fetch
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


class Jobs(Harness):
    """Jobs are read as they are stored, and change as River changes them."""

    def test_get_a_job(self) -> None:
        self.store(stored(1, "completed", **_EVERYTHING), stored(2))
        with self.driver() as driver, self.transaction(driver) as tx:
            client = Client(driver)
            job, plain = client.job_get(1, tx=tx), client.job_get(2, tx=tx)
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
        assert [job, plain] == self._stored()

    def test_an_unknown_job(self) -> None:
        with self.driver() as driver, self.driver() as other:
            client = Client(driver)
            with self.transaction(driver) as tx:
                inserted = (client.insert(SORT, tx=tx)).job
                assert client.job_get(inserted.id, tx=tx) == inserted
                with raises(NotFoundError):
                    Client(other).job_get(inserted.id)  # not committed
                unknown = inserted.id + 1
                methods: list[Callable[..., JobRow]] = [client.job_get, client.job_cancel, client.job_retry]
                for method in [*methods, client.job_delete, client.job_update]:
                    with raises(NotFoundError) as caught:
                        method(unknown, tx=tx)
                    assert str(unknown) in str(caught.value)
        assert self._stored() == [inserted]  # the transaction remained usable

    def test_cancel_a_job_that_waits(self) -> None:
        self.store(*[stored(n, state, metadata={"a": 1}) for n, state in enumerate(_WAITING)])
        before = self._stored()
        with self.driver() as driver, self.transaction(driver) as tx:
            client = Client(driver, clock=SetClock())
            jobs = [client.job_cancel(job.id, tx=tx) for job in before]
        assert self._stored() == jobs
        changes = {"state": JobState.CANCELLED, "finalized_at": _NOW, "metadata": {"a": 1} | _ATTEMPTED}
        assert [columns(job) for job in jobs] == [columns(job) | changes for job in before]

    def test_cancel_a_running_job(self) -> None:
        self.store(stored(1, "running", unique_key="\\x01", unique_states="11111111"))
        [before] = self._stored()
        with self.driver() as driver, self.transaction(driver) as tx:
            job = Client(driver, clock=SetClock()).job_cancel(1, tx=tx)
        assert self._stored() == [job]
        assert columns(job) == columns(before) | {"metadata": _ATTEMPTED}

    def test_cancel_a_finalized_job(self) -> None:
        self.store(*[stored(n, state) for n, state in enumerate(_FINALIZED)])
        before = self._stored()
        with self.driver() as driver, self.transaction(driver) as tx:
            client = Client(driver, clock=SetClock())
            assert [client.job_cancel(job.id, tx=tx) for job in before] == before
        assert self._stored() == before

    def test_retry_a_job(self) -> None:
        later = {"attempt": 2, "scheduled_at": STORED_AT + 2 * _HOUR}
        self.store(*[stored(n, state, **later) for n, state in enumerate(_WAITING + _FINALIZED)])
        before = self._stored()
        with self.driver() as driver, self.transaction(driver) as tx:
            client = Client(driver, clock=SetClock())
            jobs = [client.job_retry(job.id, tx=tx) for job in before]
        assert self._stored() == jobs
        changes = {"state": JobState.AVAILABLE, "finalized_at": None, "scheduled_at": _NOW}
        assert [columns(job) for job in jobs] == [columns(job) | changes for job in before]

    def test_retry_gives_an_attempt_and_forgets_a_cancellation(self) -> None:
        used = {"attempt": 3, "max_attempts": 3, "metadata": {"cancel_attempted_at": "long ago", "a": 1}}
        self.store(stored(1, "discarded", **used), stored(2, "cancelled", **used | {"attempt": 2}))
        with self.driver() as driver, self.transaction(driver) as tx:
            client = Client(driver, clock=SetClock())
            jobs = [client.job_retry(n, tx=tx) for n in (1, 2)]
        assert [(job.attempt, job.max_attempts, job.metadata) for job in jobs] == [(3, 4, {"a": 1}), (2, 3, {"a": 1})]

    def test_retry_puts_at_the_end_of_the_line_whatever_did_not_stand_in_it(self) -> None:
        self.store(stored(1), stored(2, "completed"), stored(3, "retryable"))
        [waiting, *_] = self._stored()
        with self.driver() as driver, self.transaction(driver) as tx:
            client = Client(driver, clock=SetClock())
            assert client.job_retry(1, tx=tx) == waiting  # due, and so left in its place
            assert (client.job_retry(2, tx=tx)).scheduled_at == _NOW
            assert (client.job_retry(3, tx=tx)).scheduled_at == _NOW

    def test_a_running_job_is_neither_retried_nor_deleted(self) -> None:
        self.store(stored(1, "running", metadata={"cancel_attempted_at": "long ago"}))
        [before] = self._stored()
        with self.driver() as driver, self.transaction(driver) as tx:
            client = Client(driver, clock=SetClock())
            methods: list[Callable[..., JobRow]] = [client.job_retry, client.job_delete]
            for method in methods:
                with raises(JobRunningError) as caught:
                    method(1, tx=tx)
                assert caught.value.job == before
            assert client.job_get(1, tx=tx) == before  # the transaction remained usable
        assert self._stored() == [before]

    def test_delete_a_job(self) -> None:
        self.store(*[stored(n, state) for n, state in enumerate(_WAITING + _FINALIZED)], stored(99))
        *before, other = self._stored()
        with self.driver() as driver, self.transaction(driver) as tx:
            client = Client(driver)
            assert [client.job_delete(job.id, tx=tx) for job in before] == before
            with raises(NotFoundError):
                client.job_delete(before[0].id, tx=tx)
        assert self._stored() == [other]

    def test_update_a_job(self) -> None:
        self.store(stored(1, "running", metadata={"kept": {"a": 1}, "replaced": {"b": 2}}))
        [before] = self._stored()
        text = 'it\'s "5" % of \\ :x $1 é'
        with self.driver() as driver, self.transaction(driver) as tx:
            client = Client(driver)
            assert client.job_update(1, tx=tx) == before
            merged = client.job_update(1, metadata={"replaced": {"c": text}, "new": [None]}, tx=tx)
            output = client.job_update(1, output={"d": text}, tx=tx)
            both = client.job_update(1, output=None, metadata={"new": 1}, tx=tx)
        assert self._stored() == [both]
        assert merged.metadata == {"kept": {"a": 1}, "replaced": {"c": text}, "new": [None]}
        assert output.metadata == merged.metadata | {"output": {"d": text}}
        assert output.output == {"d": text}
        assert columns(both) == columns(before) | {"metadata": merged.metadata | {"new": 1, "output": None}}

    def test_count_jobs(self) -> None:
        states = [*JobState, JobState.AVAILABLE, JobState.RUNNING, JobState.RUNNING]
        self.store(
            *[stored(n, state, queue="one") for n, state in enumerate(states)],
            stored(100, "available", queue="two"),
            stored(101, "completed", queue="three"),
        )
        with self.driver() as driver, self.transaction(driver) as tx:
            client = Client(driver)
            every = client.job_count(tx=tx)
            some = client.job_count(queues=["two", "one", "two", "unknown"], tx=tx)
            none = client.job_count(queues=["unknown"], tx=tx)
        one = dict.fromkeys(JobState, 1) | {JobState.AVAILABLE: 2, JobState.RUNNING: 3}
        assert every.by_state == one | {JobState.AVAILABLE: 3, JobState.COMPLETED: 2}
        assert (every.total, some.total, none.total) == (13, 12, 0)
        assert every.by_queue["one"] == one
        assert every.by_queue["three"][JobState.COMPLETED] == 1
        assert list(some.by_queue) == ["one", "two", "unknown"]
        assert some.by_state == one | {JobState.AVAILABLE: 3}
        assert none.by_state == dict.fromkeys(JobState, 0)

    def test_wait_for_a_job(self) -> None:
        self.store(stored(1, "discarded"))
        [finalized] = self._stored()
        self.run_sql(*_SEEN_LATE)
        with self.driver() as driver:
            assert Client(driver).wait(1, timeout=0) == finalized
            assert Client(driver, schema="late").wait(1, timeout=timedelta(seconds=30)) == finalized
        assert [tuple(row) for row in self.read("SELECT last_value FROM looks")] == [(3,)]

    def test_wait_in_vain(self) -> None:
        self.store(stored(1, "running"))
        with self.driver() as driver:
            client = Client(driver)
            for timeout in (0, 0.02, timedelta(milliseconds=20)):
                with raises(WaitTimeoutError) as caught:
                    client.wait(1, timeout=timeout)
                assert isinstance(caught.value, TimeoutError)
            with raises(NotFoundError):
                client.wait(2)

    def test_jobs_of_another_schema(self) -> None:
        self.store(*[stored(n) for n in range(6)])
        self.run_sql('ALTER SCHEMA public RENAME TO "Jobs_2"', "CREATE SCHEMA public")
        with self.driver() as driver, self.transaction(driver) as tx:
            client = Client(driver, schema="Jobs_2")
            assert (client.job_get(0, tx=tx)).id == 0
            assert (client.job_cancel(1, tx=tx)).state is JobState.CANCELLED
            assert (client.job_retry(1, tx=tx)).state is JobState.AVAILABLE
            assert (client.job_delete(2, tx=tx)).id == 2
            assert (client.job_update(3, output=1, tx=tx)).output == 1
            deleted = client.job_delete_many(JobDeleteManyParams(ids=[4]), tx=tx)
            assert [job.id for job in deleted] == [4]
            assert [job.id for job in (client.job_list(tx=tx)).jobs] == [0, 1, 3, 5]
            assert (client.job_count(tx=tx)).total == 4

    def test_jobs_without_tx(self) -> None:
        self.store(*[stored(n) for n in range(5)])
        before = self._stored()
        with self.driver() as driver:
            client = Client(driver, clock=SetClock())
            with self.undone(driver):
                after = [client.job_get(0), client.job_cancel(1), client.job_update(2, output=3)]
                client.job_retry(2)
                client.job_delete(3)
                client.job_delete_many(JobDeleteManyParams(ids=[4]))
                assert (client.job_list()).jobs == after
                assert (client.job_count()).total == 3
            # What a bound driver does belongs to the transaction of its handle; others commit at once.
            assert self._stored() == (before if driver.bound else after)

    def test_of_two_changes_the_second_waits_and_sees_the_first(self) -> None:
        self.store(stored(1), stored(2))
        first, second = self._one_after_the_other(1, lambda client, tx: client.job_cancel(1, tx=tx))
        assert (first.state, second) == (JobState.CANCELLED, first)
        first, second = self._one_after_the_other(2, lambda client, tx: client.job_retry(2, tx=tx))
        assert (first.state, second.state, second.metadata) == (JobState.CANCELLED, JobState.AVAILABLE, {})

    def test_times_are_the_databases_without_a_clock(self) -> None:
        self.store(stored(1), stored(2, "completed"))
        self.store(stored_queue("one"), stored_queue("two", paused_at=STORED_AT), table="river_queue")
        with self.driver() as driver, self.transaction(driver) as tx:
            client = Client(driver)
            [(now,)] = fetch(driver, tx, "SELECT now()")
            assert (client.job_cancel(1, tx=tx)).finalized_at == now
            assert (client.job_retry(2, tx=tx)).scheduled_at == now
            client.queue_pause("one", tx=tx)
            client.queue_resume("two", tx=tx)
            one, two = client.queue_list(tx=tx)
            assert (one.paused_at, one.updated_at, two.paused_at, two.updated_at) == (now, now, None, now)

    def _one_after_the_other(
        self, job_id: int, change: Callable[[Client[Any, Any], Any], JobRow]
    ) -> tuple[JobRow, JobRow]:
        """Cancel a job, and change it on another connection before that commits."""
        with self.driver() as driver, self.driver() as other:

            def second() -> JobRow:
                with self.transaction(other) as tx:
                    return change(Client(other), tx)

            with self.transaction(driver) as tx:
                first = Client(driver).job_cancel(job_id, tx=tx)
                waiting = start(second)
                self.until_blocked()
            return first, finished(waiting)

    def _stored(self) -> list[JobRow]:
        """Return all committed jobs by id."""
        return [JobRow(row) for row in self.read(f"SELECT {JOB_COLUMNS} FROM river_job ORDER BY id")]  # noqa: S608
