# Generated from async_notifications.py by tools/generate_sync.py; do not edit.
"""Notifications: exactly River's, and only if the transaction commits."""

from datetime import timedelta
from typing import Any

from riverqueue import Client, InsertManyParams, InsertOpts
from riverqueue.driver import Driver
from riverqueue.testing.conformance.expect import raises
from riverqueue.testing.conformance.harness import Harness, fetch
from riverqueue.testing.conformance.sample import SORT, UNIQUE, SetClock

#: Stands in for PostgreSQL's function, by the search_path, and keeps what it was given.
_RECORDER = [
    "CREATE SCHEMA recorder",
    "CREATE TABLE recorder.sent (id serial, channel text, payload text)",
    """CREATE FUNCTION recorder.pg_notify(text, text) RETURNS void LANGUAGE sql AS
    'INSERT INTO recorder.sent (channel, payload) VALUES ($1, $2)'""",
]

_DEFAULT = ("public.river_insert", '{"queue": "default"}')


class Notifications(Harness):
    """Working clients are told of new jobs, in the transaction that inserts them."""

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

    def test_another_schemas_channel(self) -> None:
        self.run_sql("ALTER SCHEMA public RENAME TO jobs", "CREATE SCHEMA public", *_RECORDER)
        with self.driver() as driver, self.transaction(driver) as tx:
            _record(driver, tx)
            Client(driver, schema="jobs").insert(SORT, tx=tx)
            assert _sent(driver, tx) == [("jobs.river_insert", '{"queue": "default"}')]

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


def _record(driver: Driver[Any, Any], tx: Any) -> None:
    path = "public, recorder, pg_catalog"
    fetch(driver, tx, "SELECT set_config('search_path', @path::text, true)", path=path)


def _sent(driver: Driver[Any, Any], tx: Any) -> list[tuple[str, str]]:
    rows = fetch(driver, tx, "SELECT channel, payload FROM recorder.sent ORDER BY id")
    return [(channel, payload) for channel, payload in rows]
