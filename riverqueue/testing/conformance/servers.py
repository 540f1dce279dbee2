# Generated from async_servers.py by tools/generate_sync.py; do not edit.
"""Servers: what they refuse, what they lack, and what is done about it."""

from collections.abc import Callable
from typing import Any

from riverqueue import Client, InsertManyParams, InsertOpts, JobDeleteManyParams, SchemaError
from riverqueue.testing.conformance.concurrency import finished, start
from riverqueue.testing.conformance.expect import raises
from riverqueue.testing.conformance.harness import Harness, fetch
from riverqueue.testing.conformance.sample import SORT, UNIQUE, numbered, stored, stored_queue

_YUGABYTE = [
    "CREATE SCHEMA yugabyte",
    """CREATE FUNCTION yugabyte.version() RETURNS text LANGUAGE sql AS
    $$ SELECT 'PostgreSQL 15.12-YB-2025.2.1.0-b1 on x86_64-pc-linux-gnu' $$""",
    """CREATE FUNCTION yugabyte.pg_notify(text, text) RETURNS void LANGUAGE plpgsql AS
    $$ BEGIN RAISE feature_not_supported; END $$""",
]

_JOB_IN_STATE = """INSERT INTO river_job (args, kind, max_attempts, state, finalized_at)
VALUES ('{{}}', 'kind', 1, '{}', {})"""

_PATH = "SELECT set_config('search_path', @path::text, true)"


def _failing(state: str, times: int) -> list[str]:
    """Make the first inserts fail as the server makes them fail under contention."""
    return [
        "CREATE SEQUENCE tries",
        f"""CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF nextval('public.tries') <= {times} THEN RAISE EXCEPTION 'again' USING ERRCODE = '{state}'; END IF;
        RETURN NEW; END $$""",
        "CREATE TRIGGER fail BEFORE INSERT ON river_job FOR EACH ROW EXECUTE FUNCTION fail()",
    ]


class Servers(Harness):
    """Errors of the server pass through; what it lacks is made up for."""

    def test_errors_pass_through(self) -> None:
        self.run_sql("ALTER TABLE river_job ADD CONSTRAINT no_sort CHECK (kind <> 'sort')")
        with self.driver() as driver:
            with raises(state="22012") as own:
                with self.transaction(driver) as tx:
                    fetch(driver, tx, "SELECT 1 / 0")
            with raises(state="23514") as caught:
                with self.transaction(driver) as tx:
                    Client(driver).insert(SORT, tx=tx)
        # The library's own exception: a sibling of what it raises for any other statement.
        assert type(caught.value).__module__ == type(own.value).__module__
        assert caught.value.__notes__ == ["while River ran JobInsertMany"]
        assert "no_sort" in str(caught.value)

    def test_errors_of_methods_pass_through(self) -> None:
        self.store(stored(1), stored(2, "completed", unique_key="\\x01", unique_states="00000001"))
        self.store(stored(3, unique_key="\\x01", unique_states="00000001"))
        self.store(stored_queue("one"), table="river_queue")
        self.run_sql(
            "ALTER TABLE river_job ADD CONSTRAINT no_cancel CHECK (state <> 'cancelled')",
            "ALTER TABLE river_queue ADD CONSTRAINT no_pause CHECK (paused_at IS NULL)",
            "CREATE TABLE held (id bigint REFERENCES river_job)",
            "INSERT INTO held VALUES (1)",
        )
        with self.driver() as driver:
            client = Client(driver)
            methods: list[tuple[str, str, Callable[[Any], Any]]] = [
                ("23514", "JobCancel", lambda tx: client.job_cancel(1, tx=tx)),
                ("23505", "JobRetry", lambda tx: client.job_retry(2, tx=tx)),  # another has its key by now
                ("23503", "JobDelete", lambda tx: client.job_delete(1, tx=tx)),
                ("23503", "JobDeleteMany", lambda tx: client.job_delete_many(JobDeleteManyParams(ids=[1]), tx=tx)),
                ("23514", "QueuePause", lambda tx: client.queue_pause("*", tx=tx)),
            ]
            for state, name, method in methods:
                with raises(state=state) as caught:
                    with self.transaction(driver) as tx:
                        method(tx)
                assert caught.value.__notes__ == [f"while River ran {name}"]
                assert not type(caught.value).__module__.startswith("riverqueue")
        assert self.kinds() == ["stored"] * 3

    def test_a_job_is_finalized_exactly_if_it_says_when(self) -> None:
        finalized = {"cancelled", "completed", "discarded"}
        others = {"available", "pending", "retryable", "running", "scheduled"}
        with self.driver() as driver, self.transaction(driver) as tx:
            executor = driver.unwrap(tx)
            for right, wrong, states in (("now()", "NULL", finalized), ("NULL", "now()", others)):
                for state in states:
                    fetch(driver, tx, _JOB_IN_STATE.format(state, right))
                    with raises(state="23514") as caught:
                        with executor.savepoint():
                            fetch(driver, tx, _JOB_IN_STATE.format(state, wrong))
                    assert "finalized_or_finalized_at_null" in str(caught.value)
        assert self.kinds() == ["kind"] * 8

    def test_missing_tables(self) -> None:
        with self.driver() as driver:
            client = Client(driver, schema="nowhere")
            with self.transaction(driver) as tx:
                Client(driver).insert(numbered(1), tx=tx)
                for savepoint in (False, True):
                    with raises(SchemaError) as caught:
                        client.insert(SORT, tx=tx, savepoint=savepoint)
                    assert "nowhere" in str(caught.value)
                Client(driver).insert(numbered(2), tx=tx)
            assert self.kinds() == ["numbered"] * 2
            self.run_sql("ALTER SCHEMA public RENAME TO nowhere")
            with self.transaction(driver) as tx:  # looked for again
                client.insert(SORT, tx=tx)

    def test_a_search_path_without_tables(self) -> None:
        with self.driver() as driver, self.transaction(driver) as tx:
            client = Client(driver)
            fetch(driver, tx, _PATH, path="pg_temp")
            with raises(SchemaError) as caught:
                client.insert(SORT, tx=tx)
            assert "search_path" in str(caught.value)
            fetch(driver, tx, _PATH, path="public")
            client.insert(SORT, tx=tx)

    def test_old_tables(self) -> None:
        self.run_sql(
            "CREATE SCHEMA old",
            "CREATE TABLE old.river_job (LIKE public.river_job)",
            "ALTER TABLE old.river_job DROP COLUMN unique_states",
            "CREATE TABLE old.river_migration (version bigint)",
            "INSERT INTO old.river_migration VALUES (3), (4)",
        )
        with self.driver() as driver, self.transaction(driver) as tx:
            with raises(SchemaError) as caught:
                Client(driver, schema="old").insert(SORT, tx=tx)
            assert "version 4" in str(caught.value)
            Client(driver).insert(SORT, tx=tx)
        assert self.kinds() == ["sort"]

    def test_a_server_without_notifications_and_xmax(self) -> None:
        self.run_sql(*_YUGABYTE)
        jobs = [InsertManyParams(each, UNIQUE) for each in (numbered(1), SORT, numbered(1))]
        with self.driver() as driver, self.transaction(driver) as tx:
            client = Client(driver)
            fetch(driver, tx, _PATH, path="yugabyte, pg_catalog, public")
            plain = client.insert(SORT, InsertOpts(metadata={"mine": 1}), tx=tx)
            first = client.insert_many(jobs, tx=tx)
            again = client.insert_many(jobs, tx=tx)
            assert client.insert_many_fast([SORT, SORT], tx=tx) == 2
        assert set(plain.job.metadata) == {"mine", "river:unique_nonce"}
        assert [result.unique_skipped_as_duplicated for result in first] == [False, False, True]
        assert [result.unique_skipped_as_duplicated for result in again] == [True, True, True]
        assert [result.job for result in again] == [result.job for result in first]

    def test_methods_on_a_server_without_notifications(self) -> None:
        self.run_sql(*_YUGABYTE)
        self.store(stored(1, "running"))
        self.store(stored_queue("one"), table="river_queue")
        with self.driver() as driver, self.transaction(driver) as tx:
            client = Client(driver)
            fetch(driver, tx, _PATH, path="yugabyte, pg_catalog, public")
            assert "cancel_attempted_at" in (client.job_cancel(1, tx=tx)).metadata
            client.queue_pause("one", tx=tx)
            assert (client.queue_get("one", tx=tx)).paused_at is not None
            client.queue_resume("*", tx=tx)
            updated = client.queue_update("one", metadata={"a": 1}, tx=tx)
        assert (updated.paused_at, updated.metadata) == (None, {"a": 1})

    def test_a_server_with_them_leaves_no_trace(self) -> None:
        with self.driver() as driver, self.transaction(driver) as tx:
            job, _ = Client(driver).insert(SORT, UNIQUE, tx=tx)
        assert job.metadata == {}

    def test_contention_in_our_transactions_is_retried(self) -> None:
        self.skip_if_bound("there is no transaction of our own")
        self.run_sql(*_failing("40001", times=3))
        with self.driver() as driver:
            client = Client(driver)
            client.insert(SORT)
            assert self._tries() == 4
            self.run_sql("ALTER SEQUENCE tries RESTART")
            assert client.insert_many_fast([SORT]) == 1
            assert self._tries() == 4
        assert self.kinds() == ["sort"] * 2

    def test_retries_end(self) -> None:
        self.skip_if_bound("there is no transaction of our own")
        self.run_sql(*_failing("40P01", times=99))
        with self.driver() as driver:
            with raises(state="40P01"):
                Client(driver).insert(SORT)
        assert self._tries() == 5

    def test_contention_in_the_callers_transaction_is_the_callers(self) -> None:
        self.run_sql(*_failing("40001", times=99))
        with self.driver() as driver:
            with raises(state="40001"):
                with self.transaction(driver) as tx:
                    Client(driver).insert(SORT, tx=tx)
            assert self._tries() == 1
            if driver.bound:
                for fast in (False, True):
                    with raises(state="40001"):
                        with self.transaction(driver):
                            client = Client(driver)
                            (client.insert_many_fast([SORT]) if fast else client.insert(SORT))
                assert self._tries() == 3

    def test_a_real_serialization_failure(self) -> None:
        self.skip_if_bound("there is no transaction of our own")
        self.run_sql(
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation TO ''repeatable read''',"
            " current_database()); END $$"
        )
        with self.driver() as driver, self.driver() as other:
            with self.transaction(driver) as tx:
                first = Client(driver).insert(SORT, UNIQUE, tx=tx)
                waiting = start(lambda: Client(other).insert(SORT, UNIQUE))
                self.until_blocked()
            result = finished(waiting)
        assert (result.unique_skipped_as_duplicated, result.job) == (True, first.job)

    def _tries(self) -> int:
        return int((self.read("SELECT last_value FROM tries"))[0][0])
