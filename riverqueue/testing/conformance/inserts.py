# Generated from async_inserts.py by tools/generate_sync.py; do not edit.
"""Inserts: what is stored and what comes back."""

from datetime import UTC, datetime, timedelta

from riverqueue import Client, DictArgs, InsertManyParams, InsertOpts, JobRow, JobState, UniqueOpts
from riverqueue.driver import sqlstate
from riverqueue.rows import JOB_COLUMNS
from riverqueue.testing.conformance.expect import raises
from riverqueue.testing.conformance.harness import Harness, fetch
from riverqueue.testing.conformance.sample import SORT, TEXTS, UNIQUE, SetClock, columns, numbered

_JOBS = f"SELECT {JOB_COLUMNS} FROM river_job ORDER BY id"  # noqa: S608

_EVERYTHING = InsertOpts(
    max_attempts=3,
    priority=4,
    queue="other_queue",
    scheduled_at=datetime(2027, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC),
    tags=["one", "tag-two", "Tag_3"],
    metadata={"text": 'it\'s "5" % \\ :x $1', "nested": {"list": [1, None, True, 1.5]}},
    unique_opts=UniqueOpts(by_args=True, by_queue=True, by_period=timedelta(hours=1)),
)


class Inserts(Harness):
    """Jobs are stored as they were described, and returned as they are stored."""

    def test_a_job_with_defaults(self) -> None:
        clock = SetClock()
        with self.driver() as driver, self.transaction(driver) as tx:
            job, duplicate = Client(driver, clock=clock).insert(SORT, tx=tx)
        assert duplicate is False
        assert columns(job) == {
            "args": SORT.args,
            "attempt": 0,
            "attempted_at": None,
            "attempted_by": [],
            "created_at": clock.time,
            "errors": [],
            "finalized_at": None,
            "kind": "sort",
            "max_attempts": 25,
            "metadata": {},
            "output": None,
            "priority": 1,
            "queue": "default",
            "scheduled_at": clock.time,
            "state": JobState.AVAILABLE,
            "tags": [],
            "unique_key": None,
            "unique_states": [],
        }
        assert [JobRow(row) for row in self.read(_JOBS)] == [job]

    def test_a_job_with_everything(self) -> None:
        with self.driver() as driver, self.transaction(driver) as tx:
            job, _ = Client(driver).insert(SORT, _EVERYTHING, tx=tx)
        for name in ("max_attempts", "priority", "queue", "scheduled_at", "tags", "metadata"):
            assert getattr(job, name) == getattr(_EVERYTHING, name)
        assert (job.state, len(job.unique_key or b""), len(job.unique_states)) == (JobState.SCHEDULED, 32, 6)
        assert [JobRow(row) for row in self.read(_JOBS)] == [job]

    def test_text_of_every_sort(self) -> None:
        jobs = [DictArgs("text", {"text": text, text or "empty": [text]}) for text in TEXTS]
        with self.driver() as driver:
            client = Client(driver)
            with self.transaction(driver) as tx:
                for job in jobs:
                    opts = InsertOpts(metadata=job.args)
                    result = client.insert(job, opts, tx=tx)
                    assert (result.job.args, result.job.metadata) == (job.args, job.args)
                results = client.insert_many(jobs, tx=tx)
                assert client.insert_many_fast(jobs, tx=tx) == len(jobs)
                rows = [JobRow(row) for row in fetch(driver, tx, _JOBS)]
        assert [result.job.args for result in results] == [job.args for job in jobs]
        assert [row.args for row in rows] == [job.args for job in jobs] * 3

    def test_a_large_batch_keeps_its_order(self) -> None:
        with self.driver() as driver, self.transaction(driver) as tx:
            results = Client(driver).insert_many([numbered(n) for n in range(6000)], tx=tx)
            stored = fetch(driver, tx, "SELECT args->>'number' FROM river_job ORDER BY id")
        ids = [result.job.id for result in results]
        assert [result.job.args["number"] for result in results] == list(range(6000))
        assert ids == sorted(set(ids))
        assert [int(number) for (number,) in stored] == list(range(6000))

    def test_a_batch_of_unique_and_other_jobs_keeps_its_order(self) -> None:
        jobs = [InsertManyParams(numbered(n), UNIQUE if n % 3 else None) for n in range(200)]
        with self.driver() as driver, self.transaction(driver) as tx:
            results = Client(driver).insert_many(jobs, tx=tx)
        ids = [result.job.id for result in results]
        assert [result.job.args["number"] for result in results] == list(range(200))
        assert ids == sorted(set(ids))
        assert not any(result.unique_skipped_as_duplicated for result in results)

    def test_fast_inserts_store_what_others_store(self) -> None:
        jobs = [InsertManyParams(SORT), InsertManyParams(SORT, _EVERYTHING)]
        jobs += [InsertManyParams(numbered(1), InsertOpts(pending=True)), InsertManyParams(numbered(2), UNIQUE)]
        with self.driver() as driver:
            client = Client(driver, clock=SetClock())
            with self.undone(driver) as tx:
                results = client.insert_many(jobs, tx=tx)
            with self.undone(driver) as tx:
                assert client.insert_many_fast(jobs, tx=tx) == len(jobs)
                rows = [JobRow(row) for row in fetch(driver, tx, _JOBS)]
        assert [columns(row) for row in rows] == [columns(result.job) for result in results]

    def test_fast_inserts_in_number(self) -> None:
        with self.driver() as driver, self.transaction(driver) as tx:
            assert Client(driver).insert_many_fast([numbered(n) for n in range(2000)], tx=tx) == 2000
        stored = self.read("SELECT args->>'number' FROM river_job ORDER BY id")
        assert [int(number) for (number,) in stored] == list(range(2000))

    def test_a_duplicate_fails_a_fast_insert_whole(self) -> None:
        with self.driver() as driver:
            client = Client(driver)
            with self.transaction(driver) as tx:
                client.insert(SORT, UNIQUE, tx=tx)
            with raises() as caught:
                with self.transaction(driver) as tx:
                    client.insert_many_fast([numbered(1), InsertManyParams(SORT, UNIQUE)], tx=tx)
            assert sqlstate(caught.value) == "23505"
            assert any("River" in note for note in caught.value.__notes__)
            with self.transaction(driver) as tx:
                assert client.insert_many_fast([numbered(2)], tx=tx) == 1
        assert self.kinds() == ["sort", "numbered"]

    def test_another_schema(self) -> None:
        self.run_sql('ALTER SCHEMA public RENAME TO "Jobs_2"', "CREATE SCHEMA public")
        with self.driver() as driver:
            client = Client(driver, schema="Jobs_2")
            with self.transaction(driver) as tx:
                first = client.insert(SORT, UNIQUE, tx=tx)
                again = client.insert_many([SORT, InsertManyParams(SORT, UNIQUE)], tx=tx)
                assert client.insert_many_fast([numbered(1)], tx=tx) == 1
        assert [result.unique_skipped_as_duplicated for result in again] == [False, True]
        assert again[1].job == first.job
        assert [tuple(row) for row in self.read('SELECT count(*) FROM "Jobs_2".river_job')] == [(3,)]
