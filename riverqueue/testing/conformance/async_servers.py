"""Servers: what they refuse, what they lack, and what is done about it."""

from collections.abc import Awaitable, Callable
from typing import Any

from riverqueue import AsyncClient, InsertManyParams, InsertOpts, JobDeleteManyParams, SchemaError
from riverqueue.testing.conformance.async_harness import AsyncHarness, fetch
from riverqueue.testing.conformance.concurrency import finished_async, start_async
from riverqueue.testing.conformance.expect import raises
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


class Servers(AsyncHarness):
    """Errors of the server pass through; what it lacks is made up for."""

    async def test_errors_pass_through(self) -> None:
        await self.run_sql("ALTER TABLE river_job ADD CONSTRAINT no_sort CHECK (kind <> 'sort')")
        async with self.driver() as driver:
            with raises(state="22012") as own:
                async with self.transaction(driver) as tx:
                    await fetch(driver, tx, "SELECT 1 / 0")
            with raises(state="23514") as caught:
                async with self.transaction(driver) as tx:
                    await AsyncClient(driver).insert(SORT, tx=tx)
        # The library's own exception: a sibling of what it raises for any other statement.
        assert type(caught.value).__module__ == type(own.value).__module__
        assert caught.value.__notes__ == ["while River ran JobInsertMany"]
        assert "no_sort" in str(caught.value)

    async def test_errors_of_methods_pass_through(self) -> None:
        await self.store(stored(1), stored(2, "completed", unique_key="\\x01", unique_states="00000001"))
        await self.store(stored(3, unique_key="\\x01", unique_states="00000001"))
        await self.store(stored_queue("one"), table="river_queue")
        await self.run_sql(
            "ALTER TABLE river_job ADD CONSTRAINT no_cancel CHECK (state <> 'cancelled')",
            "ALTER TABLE river_queue ADD CONSTRAINT no_pause CHECK (paused_at IS NULL)",
            "CREATE TABLE held (id bigint REFERENCES river_job)",
            "INSERT INTO held VALUES (1)",
        )
        async with self.driver() as driver:
            client = AsyncClient(driver)
            methods: list[tuple[str, str, Callable[[Any], Awaitable[Any]]]] = [
                ("23514", "JobCancel", lambda tx: client.job_cancel(1, tx=tx)),
                ("23505", "JobRetry", lambda tx: client.job_retry(2, tx=tx)),  # another has its key by now
                ("23503", "JobDelete", lambda tx: client.job_delete(1, tx=tx)),
                ("23503", "JobDeleteMany", lambda tx: client.job_delete_many(JobDeleteManyParams(ids=[1]), tx=tx)),
                ("23514", "QueuePause", lambda tx: client.queue_pause("*", tx=tx)),
            ]
            for state, name, method in methods:
                with raises(state=state) as caught:
                    async with self.transaction(driver) as tx:
                        await method(tx)
                assert caught.value.__notes__ == [f"while River ran {name}"]
                assert not type(caught.value).__module__.startswith("riverqueue")
        assert await self.kinds() == ["stored"] * 3

    async def test_a_job_is_finalized_exactly_if_it_says_when(self) -> None:
        finalized = {"cancelled", "completed", "discarded"}
        others = {"available", "pending", "retryable", "running", "scheduled"}
        async with self.driver() as driver, self.transaction(driver) as tx:
            executor = await driver.unwrap(tx)
            for right, wrong, states in (("now()", "NULL", finalized), ("NULL", "now()", others)):
                for state in states:
                    await fetch(driver, tx, _JOB_IN_STATE.format(state, right))
                    with raises(state="23514") as caught:
                        async with executor.savepoint():
                            await fetch(driver, tx, _JOB_IN_STATE.format(state, wrong))
                    assert "finalized_or_finalized_at_null" in str(caught.value)
        assert await self.kinds() == ["kind"] * 8

    async def test_missing_tables(self) -> None:
        async with self.driver() as driver:
            client = AsyncClient(driver, schema="nowhere")
            async with self.transaction(driver) as tx:
                await AsyncClient(driver).insert(numbered(1), tx=tx)
                for savepoint in (False, True):
                    with raises(SchemaError) as caught:
                        await client.insert(SORT, tx=tx, savepoint=savepoint)
                    assert "nowhere" in str(caught.value)
                await AsyncClient(driver).insert(numbered(2), tx=tx)
            assert await self.kinds() == ["numbered"] * 2
            await self.run_sql("ALTER SCHEMA public RENAME TO nowhere")
            async with self.transaction(driver) as tx:  # looked for again
                await client.insert(SORT, tx=tx)

    async def test_a_search_path_without_tables(self) -> None:
        async with self.driver() as driver, self.transaction(driver) as tx:
            client = AsyncClient(driver)
            await fetch(driver, tx, _PATH, path="pg_temp")
            with raises(SchemaError) as caught:
                await client.insert(SORT, tx=tx)
            assert "search_path" in str(caught.value)
            await fetch(driver, tx, _PATH, path="public")
            await client.insert(SORT, tx=tx)

    async def test_old_tables(self) -> None:
        await self.run_sql(
            "CREATE SCHEMA old",
            "CREATE TABLE old.river_job (LIKE public.river_job)",
            "ALTER TABLE old.river_job DROP COLUMN unique_states",
            "CREATE TABLE old.river_migration (version bigint)",
            "INSERT INTO old.river_migration VALUES (3), (4)",
        )
        async with self.driver() as driver, self.transaction(driver) as tx:
            with raises(SchemaError) as caught:
                await AsyncClient(driver, schema="old").insert(SORT, tx=tx)
            assert "version 4" in str(caught.value)
            await AsyncClient(driver).insert(SORT, tx=tx)
        assert await self.kinds() == ["sort"]

    async def test_a_server_without_notifications_and_xmax(self) -> None:
        await self.run_sql(*_YUGABYTE)
        jobs = [InsertManyParams(each, UNIQUE) for each in (numbered(1), SORT, numbered(1))]
        async with self.driver() as driver, self.transaction(driver) as tx:
            client = AsyncClient(driver)
            await fetch(driver, tx, _PATH, path="yugabyte, pg_catalog, public")
            plain = await client.insert(SORT, InsertOpts(metadata={"mine": 1}), tx=tx)
            first = await client.insert_many(jobs, tx=tx)
            again = await client.insert_many(jobs, tx=tx)
            assert await client.insert_many_fast([SORT, SORT], tx=tx) == 2
        assert set(plain.job.metadata) == {"mine", "river:unique_nonce"}
        assert [result.unique_skipped_as_duplicated for result in first] == [False, False, True]
        assert [result.unique_skipped_as_duplicated for result in again] == [True, True, True]
        assert [result.job for result in again] == [result.job for result in first]

    async def test_methods_on_a_server_without_notifications(self) -> None:
        await self.run_sql(*_YUGABYTE)
        await self.store(stored(1, "running"))
        await self.store(stored_queue("one"), table="river_queue")
        async with self.driver() as driver, self.transaction(driver) as tx:
            client = AsyncClient(driver)
            await fetch(driver, tx, _PATH, path="yugabyte, pg_catalog, public")
            assert "cancel_attempted_at" in (await client.job_cancel(1, tx=tx)).metadata
            await client.queue_pause("one", tx=tx)
            assert (await client.queue_get("one", tx=tx)).paused_at is not None
            await client.queue_resume("*", tx=tx)
            updated = await client.queue_update("one", metadata={"a": 1}, tx=tx)
        assert (updated.paused_at, updated.metadata) == (None, {"a": 1})

    async def test_a_server_with_them_leaves_no_trace(self) -> None:
        async with self.driver() as driver, self.transaction(driver) as tx:
            job, _ = await AsyncClient(driver).insert(SORT, UNIQUE, tx=tx)
        assert job.metadata == {}

    async def test_contention_in_our_transactions_is_retried(self) -> None:
        await self.skip_if_bound("there is no transaction of our own")
        await self.run_sql(*_failing("40001", times=3))
        async with self.driver() as driver:
            client = AsyncClient(driver)
            await client.insert(SORT)
            assert await self._tries() == 4
            await self.run_sql("ALTER SEQUENCE tries RESTART")
            assert await client.insert_many_fast([SORT]) == 1
            assert await self._tries() == 4
        assert await self.kinds() == ["sort"] * 2

    async def test_retries_end(self) -> None:
        await self.skip_if_bound("there is no transaction of our own")
        await self.run_sql(*_failing("40P01", times=99))
        async with self.driver() as driver:
            with raises(state="40P01"):
                await AsyncClient(driver).insert(SORT)
        assert await self._tries() == 5

    async def test_contention_in_the_callers_transaction_is_the_callers(self) -> None:
        await self.run_sql(*_failing("40001", times=99))
        async with self.driver() as driver:
            with raises(state="40001"):
                async with self.transaction(driver) as tx:
                    await AsyncClient(driver).insert(SORT, tx=tx)
            assert await self._tries() == 1
            if driver.bound:
                for fast in (False, True):
                    with raises(state="40001"):
                        async with self.transaction(driver):
                            client = AsyncClient(driver)
                            await (client.insert_many_fast([SORT]) if fast else client.insert(SORT))
                assert await self._tries() == 3

    async def test_a_real_serialization_failure(self) -> None:
        await self.skip_if_bound("there is no transaction of our own")
        await self.run_sql(
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation TO ''repeatable read''',"
            " current_database()); END $$"
        )
        async with self.driver() as driver, self.driver() as other:
            async with self.transaction(driver) as tx:
                first = await AsyncClient(driver).insert(SORT, UNIQUE, tx=tx)
                waiting = start_async(lambda: AsyncClient(other).insert(SORT, UNIQUE))
                await self.until_blocked()
            result = await finished_async(waiting)
        assert (result.unique_skipped_as_duplicated, result.job) == (True, first.job)

    async def _tries(self) -> int:
        return int((await self.read("SELECT last_value FROM tries"))[0][0])
