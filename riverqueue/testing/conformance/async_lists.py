"""Lists of jobs: what is chosen, in what order, page by page; and what is deleted."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import cycle
from typing import Any

from riverqueue import AsyncClient, JobDeleteManyParams, JobListParams, JobRow, JobState, Where
from riverqueue.testing.conformance.async_harness import AsyncHarness
from riverqueue.testing.conformance.sample import STORED_AT, stored

_MINUTE = timedelta(minutes=1)

_VARIOUS = [
    stored(1, kind="a", queue="one", tags=["x"], args={"customer": "it's 5 %", "number": 1}),
    stored(2, kind="a", queue="two", tags=["x", "y"], priority=2, metadata={"a": {"b": [1, 2]}, "c": None}),
    stored(3, "pending", kind="b", queue="one", tags=["y", "z"], args={"customer": "\\:x $1", "number": 2}),
    stored(4, "running", kind="b", queue="two", priority=4, scheduled_at=STORED_AT + _MINUTE),
    stored(5, "completed", kind="c", queue="three", tags=["X"], metadata={"a": {"b": [2]}}),
    stored(6, "cancelled", kind="c", queue="one", priority=2, args={"number": 3}, metadata={"a": 1}),
]

_CHOSEN: list[tuple[dict[str, Any], list[int]]] = [
    ({}, [1, 2, 3, 4, 5, 6]),
    ({"first": 2}, [1, 2]),
    ({"ids": [6, 2, 404, 2]}, [2, 6]),
    ({"kinds": ["c", "a"]}, [1, 2, 5, 6]),
    ({"priorities": [2, 4]}, [2, 4, 6]),
    ({"queues": ["two", "three"]}, [2, 4, 5]),
    ({"states": [JobState.AVAILABLE]}, [1, 2]),
    ({"states": ["pending", "running", JobState.CANCELLED, "pending"]}, [3, 4, 6]),
    ({"tags_all": ["y", "x"]}, [2]),
    ({"tags_any": ["z", "x"]}, [1, 2, 3]),
    ({"metadata": {"a": {"b": [2]}}}, [2, 5]),
    ({"metadata": '{"c": null}'}, [2]),
    ({"kinds": ["a", "b"], "queues": ["one"], "states": ["available", "cancelled"], "priorities": [1]}, [1]),
    ({"kinds": ["unknown"]}, []),
]

_WHERE: list[tuple[list[Where], list[int]]] = [
    ([Where("args->>'customer' = @customer::text", {"customer": "it's 5 %"})], [1]),
    ([Where("args->>'customer' = any(@customers::text[])", {"customers": ["\\:x $1", "no"]})], [3]),
    ([Where("(args->>'number')::int = any(@numbers::bigint[])", {"numbers": [3, 1]})], [1, 6]),
    ([Where("(args->>'number')::int + @one::int = @one::int * 2", {"one": 1})], [1]),
    ([Where("scheduled_at > @then::timestamptz", {"then": STORED_AT})], [4]),
    ([Where("(finalized_at IS NOT NULL) = @yes::boolean", {"yes": True})], [5, 6]),
    ([Where("metadata ? 'c' OR tags @> '{X}' -- whatever: 100 %")], [2, 5]),
    (
        [Where("queue LIKE 't%'"), Where("@none::text IS NULL AND kind <> @kind::text", {"none": None, "kind": "b"})],
        [2, 5],
    ),
    ([Where("priority > @least::float8", {"least": 1.5})], [2, 4, 6]),
]

#: Jobs at the same time, and without one, in places that their ids do not tell.
_ORDERED = [
    stored(1, scheduled_at=STORED_AT + 3 * _MINUTE),
    stored(2, scheduled_at=STORED_AT + _MINUTE),
    stored(3, "running", scheduled_at=STORED_AT + _MINUTE, attempted_at=STORED_AT + 2 * _MINUTE),
    stored(4, "running", scheduled_at=STORED_AT + 2 * _MINUTE),
    stored(5, "completed", scheduled_at=STORED_AT + _MINUTE, finalized_at=STORED_AT + 2 * _MINUTE),
    stored(6, "completed", scheduled_at=STORED_AT + 5 * _MINUTE, finalized_at=STORED_AT + _MINUTE),
    stored(7, "discarded", finalized_at=STORED_AT + 2 * _MINUTE),
]

_ORDERS: list[tuple[dict[str, Any], list[int]]] = [
    ({"order_by": "id"}, [1, 2, 3, 4, 5, 6, 7]),
    ({"order_by": "scheduled_at"}, [7, 2, 3, 5, 4, 1, 6]),
    ({"order_by": "finalized_at"}, [6, 5, 7]),
    ({"order_by": "time"}, [7, 2, 3, 5, 4, 1, 6]),
    ({"order_by": "time", "states": ["available", "running"]}, [2, 3, 4, 1]),
    ({"order_by": "time", "states": ["running", "completed"]}, [3, 4, 5, 6]),
    ({"order_by": "time", "states": ["completed", "available"]}, [6, 5, 1, 2]),
    ({"order_by": "time", "states": ["discarded", "completed"]}, [6, 5, 7]),
]


class Lists(AsyncHarness):
    """Jobs are chosen as River chooses them, and listed in its orders."""

    async def test_choose_jobs(self) -> None:
        await self.store(*_VARIOUS)
        async with self.driver() as driver, self.transaction(driver) as tx:
            client = AsyncClient(driver)
            for filters, expected in _CHOSEN:
                jobs, cursor = await client.job_list(JobListParams(**filters), tx=tx)
                assert (filters, _ids(jobs)) == (filters, expected)
                assert (cursor is None) is (not jobs)
            every = (await client.job_list(tx=tx)).jobs
            assert every == [await client.job_get(job.id, tx=tx) for job in every]

    async def test_choose_jobs_by_conditions_in_sql(self) -> None:
        await self.store(*_VARIOUS)
        async with self.driver() as driver, self.transaction(driver) as tx:
            client = AsyncClient(driver)
            for where, expected in _WHERE:
                jobs, _ = await client.job_list(JobListParams(where=where), tx=tx)
                assert (where, _ids(jobs)) == (where, expected)

    async def test_page_through_every_order(self) -> None:
        await self.store(*_ORDERED)
        async with self.driver() as driver, self.transaction(driver) as tx:
            client = AsyncClient(driver)
            for order, ascending in _ORDERS:
                for descending, expected in ((False, ascending), (True, ascending[::-1])):
                    params = JobListParams(**order, descending=descending, first=2)
                    assert (params, await self._paged(client, params, tx)) == (params, expected)

    async def test_go_through_all_pages(self) -> None:
        await self.store(*_ORDERED)
        async with self.driver() as driver:
            client = AsyncClient(driver)
            for first in (1, 3, 7):
                params = JobListParams(order_by="scheduled_at", descending=True, first=first)
                async with self.transaction(driver) as tx:
                    assert [job.id async for job in client.job_list_all(params, tx=tx)] == [6, 1, 4, 5, 3, 2, 7]
            assert [job.id async for job in client.job_list_all()] == [1, 2, 3, 4, 5, 6, 7]
            assert [job.id async for job in client.job_list_all(JobListParams(ids=[404]))] == []

    async def test_delete_jobs(self) -> None:
        await self.store(*_VARIOUS)
        async with self.driver() as driver:
            client = AsyncClient(driver)
            async with self.transaction(driver) as tx:
                every = (await client.job_list(tx=tx)).jobs
            for filters, expected in _CHOSEN[2:8]:
                async with self.undone(driver) as tx:
                    deleted = await client.job_delete_many(JobDeleteManyParams(**filters), tx=tx)
                    expected = [n for n in expected if n != 4]  # it is running
                    assert (filters, deleted) == (filters, [job for job in every if job.id in expected])
                    remaining = (await client.job_list(tx=tx)).jobs
                    assert remaining == [job for job in every if job.id not in expected]
            async with self.transaction(driver) as tx:
                two = await client.job_delete_many(JobDeleteManyParams(unsafe_all=True, first=2), tx=tx)
                rest = await client.job_delete_many(JobDeleteManyParams(unsafe_all=True), tx=tx)
                none = await client.job_delete_many(JobDeleteManyParams(unsafe_all=True), tx=tx)
        assert [_ids(jobs) for jobs in (two, rest, none)] == [[1, 2], [3, 5, 6], []]
        assert await self.kinds() == ["b"]

    async def test_delete_jobs_by_conditions_in_sql(self) -> None:
        await self.store(*_VARIOUS)
        async with self.driver() as driver, self.transaction(driver) as tx:
            client = AsyncClient(driver)
            # An OR lets through neither what other filters do not, nor what runs.
            where = Where("kind = @kind::text OR queue = 'two' OR true -- all", {"kind": "a"})
            deleted = await client.job_delete_many(JobDeleteManyParams(where=[where], queues=["one", "two"]), tx=tx)
            assert _ids(deleted) == [1, 2, 3, 6]
            deleted = await client.job_delete_many(JobDeleteManyParams(where=[Where("true")]), tx=tx)
            assert _ids(deleted) == [5]
        assert await self.kinds() == ["b"]

    async def test_jobs_that_another_transaction_holds_are_not_deleted(self) -> None:
        await self.store(*_VARIOUS)
        async with self.driver() as driver, self.driver() as other:
            async with self.transaction(driver) as tx:
                await AsyncClient(driver).job_update(2, metadata={"held": True}, tx=tx)
                async with self.transaction(other) as others:
                    params = JobDeleteManyParams(kinds=["a"])
                    deleted = await AsyncClient(other).job_delete_many(params, tx=others)
            assert _ids(deleted) == [1]
        assert await self.kinds() == ["a", "b", "b", "c", "c"]

    async def _paged(self, client: AsyncClient[Any, Any], params: JobListParams, tx: Any) -> list[int]:
        """Go from page to page by each sort of cursor in turn; return the ids."""
        ids: list[int] = []
        for sort in cycle(("cursor", "text", "job")):
            jobs, cursor = await client.job_list(params, tx=tx)
            if cursor is None:
                return ids
            ids += _ids(jobs)
            after: dict[str, Any] = {"cursor": cursor, "text": str(cursor), "job": jobs[-1]}
            params = replace(params, after=after[sort])
        raise AssertionError("unreachable: the cycle does not end")


def _ids(jobs: Sequence[JobRow]) -> list[int]:
    return [job.id for job in jobs]
