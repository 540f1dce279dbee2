"""A client notifies at most once a queue and cool-down, as River does; time is handed in."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from riverqueue import Client, InsertManyParams, InsertOpts

START = datetime(2026, 11, 23, tzinfo=UTC)


class Clock:
    def __init__(self):
        self.time = START

    def now(self):
        return self.time


class Args:
    kind = "noted"

    def __init__(self, text="{}"):
        self.text = text

    def to_json(self):
        return self.text


@pytest.fixture
def heard(database_url):
    """Return what came over River's channel since the last call."""
    with psycopg.connect(database_url, autocommit=True) as listener:
        payloads = []
        listener.add_notify_handler(lambda note: payloads.append(note.payload))
        listener.execute('LISTEN "public.river_insert"')

        def heard():
            # What was committed before a notification of our own arrives before it, and that with its statement.
            listener.execute("""SELECT pg_notify('public.river_insert', 'end')""")
            *found, end = payloads
            assert end == "end"
            payloads.clear()
            return found

        yield heard


def test_once_a_cooldown_and_queue(driver, heard):
    clock = Clock()
    client = Client(driver, clock=clock, fetch_cooldown=timedelta(milliseconds=100))
    client.insert(Args())
    client.insert(Args())
    client.insert_many([InsertManyParams(Args(), InsertOpts(queue=queue)) for queue in ("b", "a", "b", "default")])
    assert heard() == ['{"queue": "default"}', '{"queue": "b"}', '{"queue": "a"}']
    clock.time += timedelta(milliseconds=100)
    client.insert(Args())
    assert heard() == [], "the cool-down must have passed, not just be reached"
    clock.time += timedelta(microseconds=1)
    client.insert_many_fast([Args()])
    assert heard() == ['{"queue": "default"}']


def test_only_for_available_jobs(driver, heard):
    client = Client(driver, clock=Clock())
    client.insert(Args(), InsertOpts(pending=True))
    client.insert(Args(), InsertOpts(scheduled_at=START))
    assert heard() == []


def test_with_the_transaction(driver, heard, database_url):
    client = Client(driver, clock=Clock())
    with psycopg.connect(database_url) as tx:
        client.insert(Args(), tx=tx)
        assert heard() == []
        tx.rollback()
        assert heard() == []
        client.insert(Args(), InsertOpts(queue="other"), tx=tx)
        tx.commit()
    assert heard() == ['{"queue": "other"}']


def test_an_insert_that_failed_gives_its_turn_back(driver, heard, connection):
    client = Client(driver, clock=Clock())
    connection.execute("ALTER TABLE river_job ADD CONSTRAINT no_bad_args CHECK (NOT args ? 'bad')")
    connection.commit()
    with pytest.raises(psycopg.errors.CheckViolation):
        client.insert(Args('{"bad": 1}'))
    client.insert(Args())
    assert heard() == ['{"queue": "default"}']


def test_in_the_clients_schema(driver, database_url, connection):
    import riverqueue_migrations
    import sqlalchemy

    from tests.support.server import sqlalchemy_url

    engine = sqlalchemy.create_engine(sqlalchemy_url(database_url, "psycopg"))
    with engine.begin() as migrating:
        migrating.execute(sqlalchemy.text("CREATE SCHEMA other"))
        riverqueue_migrations.upgrade(migrating, schema="other")
    engine.dispose()
    with psycopg.connect(database_url, autocommit=True) as listener:
        listener.execute('LISTEN "other.river_insert"')
        Client(driver, schema="other").insert(Args())
        (note,) = listener.notifies(stop_after=1)
    assert note.payload == '{"queue": "default"}'
    assert connection.execute("SELECT count(*) FROM other.river_job").fetchone() == (1,)
    assert connection.execute("SELECT count(*) FROM public.river_job").fetchone() == (0,)
