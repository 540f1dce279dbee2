# Generated from async_notifications.py by tools/generate_sync.py; do not edit.
"""Notifications: exactly River's, and only if the transaction commits."""

import json
from datetime import timedelta
from typing import Any

from riverqueue import Client, InsertManyParams, InsertOpts, JobDeleteManyParams, NotFoundError
from riverqueue.driver import Driver
from riverqueue.testing.conformance.expect import raises
from riverqueue.testing.conformance.harness import Harness, fetch
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


class Notifications(Harness):
    """Working clients are told of new jobs and of what they are to do, in the transaction that changes it."""

    def test_what_is_sent(self) -> None:
        self.run_sql(*_RECORDER)
        opts = [
            InsertOpts(queue="other"),
            None,
            InsertOpts(pending=True, queue="pending"),
            InsertOpts(scheduled_at=SetClock().time, queue="scheduled"),
            InsertOpts(queue="other"),
        ]
        jobs = [InsertManyParams(SORT, each) for each in opts]
        expected = [("public.river_insert", '{"queue": "other"}'), _DEFAULT]
        with self.driver() as driver:
            for fast in (False, True):
                client = Client(driver)
                with self.undone(driver) as tx:
                    _record(driver, tx)
                    (client.insert_many_fast(jobs, tx=tx) if fast else client.insert_many(jobs, tx=tx))
                    assert _sent(driver, tx) == expected

    def test_a_duplicate_notifies_too(self) -> None:
        self.run_sql(*_RECORDER)
        clock = SetClock()
        with self.driver() as driver, self.transaction(driver) as tx:
            _record(driver, tx)
            Client(driver, clock=clock).insert(SORT, UNIQUE, tx=tx)
            Client(driver, clock=clock).insert(SORT, UNIQUE, tx=tx)
            assert _sent(driver, tx) == [_DEFAULT] * 2

    def test_a_queue_is_notified_once_in_a_cooldown(self) -> None:
        self.run_sql(*_RECORDER)
        clock = SetClock()
        with self.driver() as driver, self.transaction(driver) as tx:
            _record(driver, tx)
            client = Client(driver, clock=clock, fetch_cooldown=timedelta(seconds=1))
            counts = []
            for milliseconds in (0, 500, 500, 1):
                clock.advance(timedelta(milliseconds=milliseconds))
                client.insert(SORT, tx=tx)
                counts.append(len(_sent(driver, tx)))
        assert counts == [1, 1, 1, 2]

    def test_a_failed_insert_does_not_use_up_the_cooldown(self) -> None:
        self.run_sql(*_RECORDER, "ALTER TABLE river_job ADD CHECK (priority <> 4)")
        with self.driver() as driver, self.transaction(driver) as tx:
            _record(driver, tx)
            client = Client(driver, clock=SetClock())
            with raises(state="23514"):
                client.insert(SORT, InsertOpts(priority=4), tx=tx, savepoint=True)
            client.insert(SORT, tx=tx)
            assert _sent(driver, tx) == [_DEFAULT]

    def test_what_is_sent_of_a_cancelled_job(self) -> None:
        self.run_sql(*_RECORDER)
        self.store(stored(1), stored(2, "running", queue="other"), stored(3, "completed"), stored(4))
        with self.driver() as driver, self.transaction(driver) as tx:
            _record(driver, tx)
            client = Client(driver)
            for number in (1, 2, 3, 1):  # what is finalized is not cancelled
                client.job_cancel(number, tx=tx)
            with raises(NotFoundError):
                client.job_cancel(404, tx=tx)
            client.job_retry(1, tx=tx)
            client.job_update(1, output=1, tx=tx)
            client.job_delete(1, tx=tx)
            client.job_delete_many(JobDeleteManyParams(ids=[4]), tx=tx)
            assert _controls(driver, tx) == [
                {"action": "cancel", "job_id": 1, "queue": "default"},
                {"action": "cancel", "job_id": 2, "queue": "other"},
            ]

    def test_what_is_sent_of_a_queue(self) -> None:
        self.run_sql(*_RECORDER)
        metadata = {"z": "<it's> 5 % é", "a": [{"b": None}]}
        self.store(stored_queue("one"), table="river_queue")
        with self.driver() as driver, self.transaction(driver) as tx:
            _record(driver, tx)
            client = Client(driver)
            for name in ("one", "*", "one"):  # even if nothing changes
                client.queue_pause(name, tx=tx)
            client.queue_resume("one", tx=tx)
            client.queue_resume("*", tx=tx)
            client.queue_update("one", tx=tx)
            client.queue_update("one", metadata=metadata, tx=tx)
            for method in (client.queue_pause, client.queue_resume):
                with raises(NotFoundError):
                    method("none", tx=tx)
            with raises(NotFoundError):
                client.queue_update("none", metadata=metadata, tx=tx)
            assert _controls(driver, tx) == [
                {"action": "pause", "queue": "one"},
                {"action": "pause", "queue": "*"},
                {"action": "pause", "queue": "one"},
                {"action": "resume", "queue": "one"},
                {"action": "resume", "queue": "*"},
                {"action": "metadata_changed", "metadata": metadata, "queue": "one"},
            ]

    def test_another_schemas_channel(self) -> None:
        self.run_sql("ALTER SCHEMA public RENAME TO jobs", "CREATE SCHEMA public", *_RECORDER)
        with self.driver() as driver, self.transaction(driver) as tx:
            _record(driver, tx)
            client = Client(driver, schema="jobs")
            job, _ = client.insert(SORT, tx=tx)
            client.job_cancel(job.id, tx=tx)
            client.queue_pause("*", tx=tx)
            sent = _sent(driver, tx)
        assert sent[0] == ("jobs.river_insert", '{"queue": "default"}')
        assert [channel for channel, _ in sent[1:]] == ["jobs.river_control"] * 2

    def test_delivery_is_on_commit(self) -> None:
        with self.driver() as driver, self.listen("public.river_insert") as next_payload:
            client, clock = Client(driver), SetClock()
            with self.undone(driver) as tx:
                Client(driver, clock=clock).insert(SORT, InsertOpts(queue="undone"), tx=tx)
            with self.transaction(driver) as tx:
                client.insert(SORT, InsertOpts(queue="first"), tx=tx)
                self.run_sql("SELECT pg_notify('public.river_insert', 'before the commit')")
            with self.transaction(driver) as tx:
                client.insert_many_fast([InsertManyParams(SORT, InsertOpts(queue="second"))], tx=tx)
            received = [next_payload() for _ in range(3)]
        assert received == ["before the commit", '{"queue": "first"}', '{"queue": "second"}']

    def test_control_is_delivered_on_commit(self) -> None:
        self.store(stored(1, "running"), stored(2, "running"))
        with self.driver() as driver, self.listen(_CONTROL) as next_payload:
            client = Client(driver)
            with self.undone(driver) as tx:
                client.job_cancel(1, tx=tx)
                client.queue_pause("*", tx=tx)
            with self.transaction(driver) as tx:
                client.job_cancel(2, tx=tx)
                client.queue_resume("*", tx=tx)
                self.run_sql(f"SELECT pg_notify('{_CONTROL}', '\"before the commit\"')")
            received = [json.loads(next_payload()) for _ in range(3)]
        assert received == [
            "before the commit",
            {"action": "cancel", "job_id": 2, "queue": "default"},
            {"action": "resume", "queue": "*"},
        ]


def _record(driver: Driver[Any, Any], tx: Any) -> None:
    path = "public, recorder, pg_catalog"
    fetch(driver, tx, "SELECT set_config('search_path', @path::text, true)", path=path)


def _sent(driver: Driver[Any, Any], tx: Any) -> list[tuple[str, str]]:
    rows = fetch(driver, tx, "SELECT channel, payload FROM recorder.sent ORDER BY id")
    return [(channel, payload) for channel, payload in rows]


def _controls(driver: Driver[Any, Any], tx: Any) -> list[dict[str, Any]]:
    """Return what was sent on the control channel; nothing was on another."""
    sent = _sent(driver, tx)
    assert {channel for channel, _ in sent} == {_CONTROL}
    return [json.loads(payload) for _, payload in sent]
