"""Notifications: exactly River's, and only if the transaction commits."""

import json
from datetime import timedelta
from typing import Any

from riverqueue import AsyncClient, InsertManyParams, InsertOpts, JobDeleteManyParams, NotFoundError
from riverqueue.driver import AsyncDriver
from riverqueue.testing.conformance.async_harness import AsyncHarness, fetch
from riverqueue.testing.conformance.expect import raises
from riverqueue.testing.conformance.sample import SORT, UNIQUE, SetClock, stored, stored_queue

#: Stands in for PostgreSQL's function, by the search_path, and keeps what it was given.
_RECORDER = [
    "CREATE SCHEMA recorder",
    "CREATE TABLE recorder.sent (id serial, channel text, payload text)",
    """CREATE FUNCTION recorder.pg_notify(text, text) RETURNS void LANGUAGE sql AS
    'INSERT INTO recorder.sent (channel, payload) VALUES ($1, $2)'""",
]

_CONTROL = "public.river_control"
_DEFAULT = ("public.river_insert", '{"queue": "default"}')


class Notifications(AsyncHarness):
    """Working clients are told of new jobs and of what they are to do, in the transaction that changes it."""

    async def test_what_is_sent(self) -> None:
        await self.run_sql(*_RECORDER)
        opts = [
            InsertOpts(queue="other"),
            None,
            InsertOpts(pending=True, queue="pending"),
            InsertOpts(scheduled_at=SetClock().time, queue="scheduled"),
            InsertOpts(queue="other"),
        ]
        jobs = [InsertManyParams(SORT, each) for each in opts]
        expected = [("public.river_insert", '{"queue": "other"}'), _DEFAULT]
        async with self.driver() as driver:
            for fast in (False, True):
                client = AsyncClient(driver)
                async with self.undone(driver) as tx:
                    await _record(driver, tx)
                    await (client.insert_many_fast(jobs, tx=tx) if fast else client.insert_many(jobs, tx=tx))
                    assert await _sent(driver, tx) == expected

    async def test_a_duplicate_notifies_too(self) -> None:
        await self.run_sql(*_RECORDER)
        clock = SetClock()
        async with self.driver() as driver, self.transaction(driver) as tx:
            await _record(driver, tx)
            await AsyncClient(driver, clock=clock).insert(SORT, UNIQUE, tx=tx)
            await AsyncClient(driver, clock=clock).insert(SORT, UNIQUE, tx=tx)
            assert await _sent(driver, tx) == [_DEFAULT] * 2

    async def test_a_queue_is_notified_once_in_a_cooldown(self) -> None:
        await self.run_sql(*_RECORDER)
        clock = SetClock()
        async with self.driver() as driver, self.transaction(driver) as tx:
            await _record(driver, tx)
            client = AsyncClient(driver, clock=clock, fetch_cooldown=timedelta(seconds=1))
            counts = []
            for milliseconds in (0, 500, 500, 1):
                clock.advance(timedelta(milliseconds=milliseconds))
                await client.insert(SORT, tx=tx)
                counts.append(len(await _sent(driver, tx)))
        assert counts == [1, 1, 1, 2]

    async def test_a_failed_insert_does_not_use_up_the_cooldown(self) -> None:
        await self.run_sql(*_RECORDER, "ALTER TABLE river_job ADD CHECK (priority <> 4)")
        async with self.driver() as driver, self.transaction(driver) as tx:
            await _record(driver, tx)
            client = AsyncClient(driver, clock=SetClock())
            with raises(state="23514"):
                await client.insert(SORT, InsertOpts(priority=4), tx=tx, savepoint=True)
            await client.insert(SORT, tx=tx)
            assert await _sent(driver, tx) == [_DEFAULT]

    async def test_what_is_sent_of_a_cancelled_job(self) -> None:
        await self.run_sql(*_RECORDER)
        await self.store(stored(1), stored(2, "running", queue="other"), stored(3, "completed"), stored(4))
        async with self.driver() as driver, self.transaction(driver) as tx:
            await _record(driver, tx)
            client = AsyncClient(driver)
            for number in (1, 2, 3, 1):  # what is finalized is not cancelled
                await client.job_cancel(number, tx=tx)
            with raises(NotFoundError):
                await client.job_cancel(404, tx=tx)
            await client.job_retry(1, tx=tx)
            await client.job_update(1, output=1, tx=tx)
            await client.job_delete(1, tx=tx)
            await client.job_delete_many(JobDeleteManyParams(ids=[4]), tx=tx)
            assert await _controls(driver, tx) == [
                {"action": "cancel", "job_id": 1, "queue": "default"},
                {"action": "cancel", "job_id": 2, "queue": "other"},
            ]

    async def test_what_is_sent_of_a_queue(self) -> None:
        await self.run_sql(*_RECORDER)
        metadata = {"z": "<it's> 5 % é", "a": [{"b": None}]}
        await self.store(stored_queue("one"), table="river_queue")
        async with self.driver() as driver, self.transaction(driver) as tx:
            await _record(driver, tx)
            client = AsyncClient(driver)
            for name in ("one", "*", "one"):  # even if nothing changes
                await client.queue_pause(name, tx=tx)
            await client.queue_resume("one", tx=tx)
            await client.queue_resume("*", tx=tx)
            await client.queue_update("one", tx=tx)
            await client.queue_update("one", metadata=metadata, tx=tx)
            for method in (client.queue_pause, client.queue_resume):
                with raises(NotFoundError):
                    await method("none", tx=tx)
            with raises(NotFoundError):
                await client.queue_update("none", metadata=metadata, tx=tx)
            assert await _controls(driver, tx) == [
                {"action": "pause", "queue": "one"},
                {"action": "pause", "queue": "*"},
                {"action": "pause", "queue": "one"},
                {"action": "resume", "queue": "one"},
                {"action": "resume", "queue": "*"},
                {"action": "metadata_changed", "metadata": metadata, "queue": "one"},
            ]

    async def test_another_schemas_channel(self) -> None:
        await self.run_sql("ALTER SCHEMA public RENAME TO jobs", "CREATE SCHEMA public", *_RECORDER)
        async with self.driver() as driver, self.transaction(driver) as tx:
            await _record(driver, tx)
            client = AsyncClient(driver, schema="jobs")
            job, _ = await client.insert(SORT, tx=tx)
            await client.job_cancel(job.id, tx=tx)
            await client.queue_pause("*", tx=tx)
            sent = await _sent(driver, tx)
        assert sent[0] == ("jobs.river_insert", '{"queue": "default"}')
        assert [channel for channel, _ in sent[1:]] == ["jobs.river_control"] * 2

    async def test_delivery_is_on_commit(self) -> None:
        async with self.driver() as driver, self.listen("public.river_insert") as next_payload:
            client, clock = AsyncClient(driver), SetClock()
            async with self.undone(driver) as tx:
                await AsyncClient(driver, clock=clock).insert(SORT, InsertOpts(queue="undone"), tx=tx)
            async with self.transaction(driver) as tx:
                await client.insert(SORT, InsertOpts(queue="first"), tx=tx)
                await self.run_sql("SELECT pg_notify('public.river_insert', 'before the commit')")
            async with self.transaction(driver) as tx:
                await client.insert_many_fast([InsertManyParams(SORT, InsertOpts(queue="second"))], tx=tx)
            received = [await next_payload() for _ in range(3)]
        assert received == ["before the commit", '{"queue": "first"}', '{"queue": "second"}']

    async def test_control_is_delivered_on_commit(self) -> None:
        await self.store(stored(1, "running"), stored(2, "running"))
        async with self.driver() as driver, self.listen(_CONTROL) as next_payload:
            client = AsyncClient(driver)
            async with self.undone(driver) as tx:
                await client.job_cancel(1, tx=tx)
                await client.queue_pause("*", tx=tx)
            async with self.transaction(driver) as tx:
                await client.job_cancel(2, tx=tx)
                await client.queue_resume("*", tx=tx)
                await self.run_sql(f"SELECT pg_notify('{_CONTROL}', '\"before the commit\"')")
            received = [json.loads(await next_payload()) for _ in range(3)]
        assert received == [
            "before the commit",
            {"action": "cancel", "job_id": 2, "queue": "default"},
            {"action": "resume", "queue": "*"},
        ]


async def _record(driver: AsyncDriver[Any, Any], tx: Any) -> None:
    path = "public, recorder, pg_catalog"
    await fetch(driver, tx, "SELECT set_config('search_path', @path::text, true)", path=path)


async def _sent(driver: AsyncDriver[Any, Any], tx: Any) -> list[tuple[str, str]]:
    rows = await fetch(driver, tx, "SELECT channel, payload FROM recorder.sent ORDER BY id")
    return [(channel, payload) for channel, payload in rows]


async def _controls(driver: AsyncDriver[Any, Any], tx: Any) -> list[dict[str, Any]]:
    """Return what was sent on the control channel; nothing was on another."""
    sent = await _sent(driver, tx)
    assert {channel for channel, _ in sent} == {_CONTROL}
    return [json.loads(payload) for _, payload in sent]
