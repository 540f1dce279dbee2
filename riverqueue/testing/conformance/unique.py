# Generated from async_unique.py by tools/generate_sync.py; do not edit.
"""Unique jobs: what is flagged, what is waited for, and that nobody waits in a circle."""

from collections.abc import Sequence
from typing import Any

from riverqueue import Client, DictArgs, InsertManyParams, InsertOpts, InsertResult, InvalidJobError, UniqueOpts
from riverqueue.driver import Driver
from riverqueue.testing.conformance.concurrency import finished, start, together
from riverqueue.testing.conformance.expect import raises
from riverqueue.testing.conformance.harness import Harness
from riverqueue.testing.conformance.sample import SORT, UNIQUE, numbered

_SLOW = [
    "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.004); RETURN NEW; END'",
    "CREATE TRIGGER slow BEFORE INSERT ON river_job FOR EACH ROW EXECUTE FUNCTION slow()",
]


class Unique(Harness):
    """A unique job that is there already is returned, flagged, and not inserted again."""

    def test_a_duplicate_is_the_existing_job(self) -> None:
        with self.driver() as driver:
            client = Client(driver)
            with self.transaction(driver) as tx:
                first = client.insert(SORT, UNIQUE, tx=tx)
                within = client.insert(SORT, UNIQUE, tx=tx)
            with self.transaction(driver) as tx:
                later = client.insert(SORT, InsertOpts(priority=3, unique_opts=UNIQUE.unique_opts), tx=tx)
                other = client.insert(numbered(1), UNIQUE, tx=tx)
        assert [first[1], within[1], later[1], other[1]] == [False, True, True, False]
        assert first.job == within.job == later.job
        assert self.kinds() == ["sort", "numbered"]

    def test_a_key_twice_in_a_batch(self) -> None:
        items = [numbered(2), numbered(1), numbered(2), numbered(1), numbered(2)]
        jobs = [InsertManyParams(item, UNIQUE) for item in items]
        with self.driver() as driver, self.transaction(driver) as tx:
            results = Client(driver).insert_many(jobs, tx=tx)
            with raises(InvalidJobError):
                Client(driver, refuse_repeated_unique_keys=True).insert_many(jobs, tx=tx)
        assert [result.job.args["number"] for result in results] == [2, 1, 2, 1, 2]
        assert [result.unique_skipped_as_duplicated for result in results] == [False, False, True, True, True]
        assert results[0].job.id < results[1].job.id
        assert len(self.kinds()) == 2

    def test_a_batch_with_existing_jobs_keeps_its_order(self) -> None:
        with self.driver() as driver:
            client = Client(driver)
            with self.transaction(driver) as tx:
                client.insert_many([InsertManyParams(numbered(n), UNIQUE) for n in (3, 7, 5)], tx=tx)
            with self.transaction(driver) as tx:
                jobs: list[Any] = [InsertManyParams(numbered(n), UNIQUE) for n in range(10)]
                results = client.insert_many([SORT, *jobs], tx=tx)
        assert [result.job.args.get("number") for result in results] == [None, *range(10)]
        assert [n - 1 for n, result in enumerate(results) if result.unique_skipped_as_duplicated] == [3, 5, 7]

    def test_the_existing_jobs_kind_is_kept(self) -> None:
        opts = InsertOpts(unique_opts=UniqueOpts(by_args=True, exclude_kind=True))
        with self.driver() as driver, self.transaction(driver) as tx:
            client = Client(driver)
            client.insert(SORT, opts, tx=tx)
            result = client.insert(DictArgs("another", SORT.args), opts, tx=tx)
        assert (result.unique_skipped_as_duplicated, result.job.kind) == (True, "sort")
        assert self.kinds() == ["sort"]

    def test_a_job_that_is_cancelled_or_deleted_gives_its_key_up(self) -> None:
        with self.driver() as driver, self.transaction(driver) as tx:
            client = Client(driver)
            first = (client.insert(SORT, UNIQUE, tx=tx)).job
            client.job_cancel(first.id, tx=tx)
            second = client.insert(SORT, UNIQUE, tx=tx)
            client.job_delete(second.job.id, tx=tx)
            third = client.insert(SORT, UNIQUE, tx=tx)
        assert not second.unique_skipped_as_duplicated
        assert not third.unique_skipped_as_duplicated
        assert first.id < second.job.id < third.job.id  # nor is an id used again

    def test_a_duplicate_waits_for_the_first_to_commit(self) -> None:
        with self.driver() as driver, self.driver() as other:
            with self.transaction(driver) as tx:
                first = Client(driver).insert(SORT, UNIQUE, tx=tx)
                waiting = start(lambda: self._insert(other, [InsertManyParams(SORT, UNIQUE)]))
                self.until_blocked()
            [result] = finished(waiting)
        assert result.unique_skipped_as_duplicated
        assert result.job == first.job

    def test_a_duplicate_is_inserted_if_the_first_rolls_back(self) -> None:
        with self.driver() as driver, self.driver() as other:
            with self.undone(driver) as tx:
                first = Client(driver).insert(SORT, UNIQUE, tx=tx)
                waiting = start(lambda: self._insert(other, [InsertManyParams(SORT, UNIQUE)]))
                self.until_blocked()
            [result] = finished(waiting)
        assert not result.unique_skipped_as_duplicated
        assert result.job.id != first.job.id

    def test_opposite_orders_do_not_deadlock(self) -> None:
        self.run_sql(*_SLOW)  # so slow that two batches meet in the middle
        with self.driver() as driver, self.driver() as other:
            for start in (0, 100):
                jobs = [InsertManyParams(numbered(start + n), UNIQUE) for n in range(12)]
                one, two = together(
                    lambda jobs=jobs: self._insert(driver, jobs),  # type: ignore[misc]
                    lambda jobs=jobs: self._insert(other, jobs[::-1]),  # type: ignore[misc]
                )
                assert [result.job.id for result in one] == [result.job.id for result in two][::-1]
        assert len(self.kinds()) == 24

    def _insert(self, driver: Driver[Any, Any], jobs: Sequence[InsertManyParams]) -> list[InsertResult]:
        with self.transaction(driver) as tx:
            return Client(driver).insert_many(jobs, tx=tx)
