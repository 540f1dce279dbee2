"""What depends on the server and not on the driver: run once."""

import psycopg
import pytest
from psycopg_pool import ConnectionPool

from riverqueue import Client, InsertManyParams, JobRow
from riverqueue.driver import sqlstate
from riverqueue.operations import insert
from riverqueue.testing.conformance.concurrency import finished, start
from riverqueue.testing.conformance.sample import SORT, UNIQUE, numbered
from riverqueue_psycopg import Driver

SLOW = """
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.01); RETURN NEW; END';
CREATE TRIGGER slow BEFORE INSERT ON river_job FOR EACH ROW EXECUTE FUNCTION slow();
"""


def test_in_the_callers_order_bulk_inserts_do_deadlock(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The suite's test of opposite orders is worth something: without River's order it fails."""
    monkeypatch.setattr(insert, "insertion_order", lambda jobs: (list(range(len(jobs))), list(range(len(jobs)))))
    jobs = [InsertManyParams(numbered(n), UNIQUE) for n in range(12)]
    with ConnectionPool(database_url, min_size=2) as pool, psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute(SLOW)
        client = Client(Driver(pool))

        def attempt(batch: list[InsertManyParams]) -> str | None:
            try:
                with pool.connection() as tx:
                    client.insert_many(batch, tx=tx)
            except psycopg.Error as error:
                return sqlstate(error)
            return None

        states = [finished(each) for each in [start(lambda: attempt(jobs)), start(lambda: attempt(jobs[::-1]))]]
    assert sorted(map(str, states)) == ["40P01", "None"]


def test_an_old_servers_way_to_tell_a_duplicate(database_url: str) -> None:
    """On any server: as the oldest do it. The suite tries the server's own way."""
    with psycopg.connect(database_url) as tx:
        tx.execute("CREATE SCHEMA old_server")
        tx.execute(
            "CREATE FUNCTION old_server.current_setting(text) RETURNS text LANGUAGE sql AS $$ SELECT '130000' $$"
        )
        tx.execute("SET LOCAL search_path = old_server, pg_catalog, public")
        client = Client(Driver(tx), schema="public")
        results = [client.insert(SORT, UNIQUE, tx=tx) for _ in range(2)]
        assert client._database._dialect.duplicate == "xmax"
    assert [result.unique_skipped_as_duplicated for result in results] == [False, True]
    assert isinstance(results[0].job, JobRow)
    assert results[0].job == results[1].job


def test_the_way_follows_the_servers_version(database_url: str) -> None:
    with psycopg.connect(database_url) as tx:
        client = Client(Driver(tx))
        client.insert(SORT, tx=tx)
        expected = "old" if tx.info.server_version >= 180_000 else "xmax"
        assert client._database._dialect.duplicate == expected
