"""Transactions: the driver's own, and the caller's, which are never touched."""

from collections.abc import Awaitable, Callable
from typing import Any, get_args
from unittest import SkipTest

from riverqueue import (
    AsyncClient,
    ConfigurationError,
    JobDeleteManyParams,
    ReadOnlyError,
    TransactionError,
    TransactionOptions,
    UnavailableError,
)
from riverqueue.driver import AsyncDriver, AsyncExecutor, IsolationLevel
from riverqueue.testing.conformance.async_harness import AsyncHarness, fetch
from riverqueue.testing.conformance.concurrency import together_async
from riverqueue.testing.conformance.expect import Undo, raises
from riverqueue.testing.conformance.sample import SORT, numbered, stored, stored_queue

_TAKEN = "INSERT INTO river_job (args, kind, max_attempts) VALUES ('{}', 'taken', @attempts::smallint)"


class Transactions(AsyncHarness):
    """The driver begins, commits and rolls back its own transactions, and nothing of the caller's."""

    async def test_begin_commits(self) -> None:
        async with self.driver() as driver:
            async with driver.begin(TransactionOptions()) as tx:
                await AsyncClient(driver).insert(SORT, tx=tx)
                assert await self.kinds() == []
            assert await self.kinds() == ["sort"]

    async def test_begin_rolls_back_whatever_leaves_it(self) -> None:
        async with self.driver() as driver:
            for error in (Undo(), KeyboardInterrupt()):
                with raises(type(error)) as caught:
                    async with driver.begin(TransactionOptions()) as tx:
                        await AsyncClient(driver).insert(SORT, tx=tx)
                        raise error
                assert caught.value is error
            await self._check_usable(driver)
        assert await self.kinds() == []

    async def test_begin_again_and_again_after_errors(self) -> None:
        # More often than any pool has connections: each must come back, and come back clean.
        async with self.driver() as driver:
            for _ in range(20):
                with raises(state="22012"):
                    async with driver.begin(TransactionOptions()) as tx:
                        await fetch(driver, tx, "SELECT 1 / 0")
            await self._check_usable(driver)

    async def test_isolation_levels(self) -> None:
        async with self._settable() as driver:
            before = await self._show(driver, TransactionOptions(), "transaction_isolation")
            for level in get_args(IsolationLevel):
                shown = await self._show(driver, TransactionOptions(level), "transaction_isolation")
                assert shown == level.lower() or level == "READ UNCOMMITTED"  # PostgreSQL has three
            assert await self._show(driver, TransactionOptions(), "transaction_isolation") == before

    async def test_read_only(self) -> None:
        async with self._settable() as driver:
            with raises(state="25006"):
                async with driver.begin(TransactionOptions(read_only=True)) as tx:
                    await AsyncClient(driver).insert(SORT, tx=tx)
            assert await self._show(driver, TransactionOptions(), "transaction_read_only") == "off"
            assert await self._show(driver, TransactionOptions(read_only=False), "transaction_read_only") == "off"

    async def test_what_needs_no_writing_can_be_read_only(self) -> None:
        await self.store(stored(1))
        await self.store(stored_queue("one"), table="river_queue")
        async with self._settable() as driver:
            client = AsyncClient(driver)
            async with driver.begin(TransactionOptions(read_only=True)) as tx:
                assert (await client.job_list(tx=tx)).jobs == [await client.job_get(1, tx=tx)]
                assert (await client.job_count(tx=tx)).total == 1
                assert await client.queue_list(tx=tx) == [await client.queue_get("one", tx=tx)]
            methods: list[Callable[[Any], Awaitable[Any]]] = [
                lambda tx: client.insert(SORT, tx=tx),
                lambda tx: client.job_cancel(1, tx=tx),
                lambda tx: client.job_retry(1, tx=tx),
                lambda tx: client.job_update(1, output=1, tx=tx),
                lambda tx: client.job_delete(1, tx=tx),
                lambda tx: client.job_delete_many(JobDeleteManyParams(ids=[1]), tx=tx),
                lambda tx: client.queue_pause("one", tx=tx),
                lambda tx: client.queue_resume("one", tx=tx),
                lambda tx: client.queue_update("one", tx=tx),
            ]
            for method in methods:
                with raises(ReadOnlyError, state="25006"):
                    async with driver.begin(TransactionOptions(read_only=True)) as tx:
                        await method(tx)

    async def test_deferrable(self) -> None:
        options = TransactionOptions("SERIALIZABLE", read_only=True, deferrable=True)
        async with self._settable() as driver:
            for name in ("transaction_read_only", "transaction_deferrable"):
                assert await self._show(driver, options, name) == "on"
                assert await self._show(driver, TransactionOptions(), name) == "off"

    async def test_options_of_a_transaction_that_has_begun(self) -> None:
        async with self._settable() as driver, self.undone(driver) as tx:
            if not driver.bound:
                raise SkipTest("every transaction is a new one")
            await fetch(driver, tx, "SELECT 1")
            with raises(ConfigurationError):
                async with driver.begin(TransactionOptions("SERIALIZABLE")):
                    pass
            await fetch(driver, tx, "SELECT 1")

    async def test_the_callers_transaction_decides(self) -> None:
        async with self.driver() as driver:
            client = AsyncClient(driver)
            async with self.transaction(driver) as tx:
                await client.insert(numbered(1), tx=tx)
                await client.insert_many([numbered(2), numbered(3)], tx=tx)
                await client.insert_many_fast([numbered(4)], tx=tx)
                assert await self.kinds() == []
            assert await self.kinds() == ["numbered"] * 4
            async with self.undone(driver) as tx:
                await client.insert(SORT, tx=tx)
                await client.insert_many([SORT], tx=tx)
                await client.insert_many_fast([SORT], tx=tx)
            assert await self.kinds() == ["numbered"] * 4

    async def test_without_tx(self) -> None:
        async with self.driver() as driver:
            client = AsyncClient(driver)
            async with self.undone(driver):
                await client.insert(SORT)
                await client.insert_many([SORT, SORT])
                await client.insert_many_fast([SORT])
            # A bound driver's inserts belong to the transaction of its handle; others commit at once.
            assert await self.kinds() == ([] if driver.bound else ["sort"] * 4)

    async def test_autocommit_commits_each_statement(self) -> None:
        await self.skip_if_bound("statements run in the handle's transaction")
        async with self.driver() as driver:
            async with driver.autocommit() as executor:
                first, second = await self._xid(executor), await self._xid(executor)
            assert first != second
            with raises(state="22012"):
                async with driver.autocommit() as executor:
                    await executor.fetch("SELECT 1 / 0", ())
            async with driver.autocommit() as executor:
                with raises(state="22012"):
                    await executor.fetch("SELECT 1 / 0", ())
                assert await self._xid(executor) > second
            # What it borrowed goes back as it was: a transaction of many statements again.
            async with driver.begin(TransactionOptions()) as tx:
                within = await driver.unwrap(tx)
                assert await self._xid(within) == await self._xid(within)

    async def test_a_savepoint_keeps_the_transaction_usable(self) -> None:
        async with self.driver() as driver:
            async with self.transaction(driver) as tx:
                executor = await driver.unwrap(tx)
                await AsyncClient(driver).insert(SORT, tx=tx)
                with raises(state="23514"):
                    async with executor.savepoint():
                        await AsyncClient(driver).insert(numbered(1), tx=tx)
                        await fetch(driver, tx, _TAKEN, attempts=-1)
                with raises(Undo):
                    async with executor.savepoint():
                        await AsyncClient(driver).insert(numbered(2), tx=tx)
                        raise Undo
                async with executor.savepoint(), executor.savepoint():
                    await fetch(driver, tx, _TAKEN, attempts=1)
            assert await self.kinds() == ["sort", "taken"]

    async def test_savepoint_of_an_insert(self) -> None:
        async with self.driver() as driver:
            client = AsyncClient(driver)
            await self.run_sql("ALTER TABLE river_job ADD CHECK (kind <> 'sort')")
            for insert in (client.insert_many, client.insert_many_fast):
                async with self.transaction(driver) as tx:
                    with raises(state="23514"):
                        await insert([SORT], tx=tx, savepoint=True)
                    await insert([numbered(1)], tx=tx, savepoint=True)
            assert await self.kinds() == ["numbered"] * 2

    async def test_savepoint_as_a_transactions_first_statement(self) -> None:
        async with self.driver() as driver:
            client = AsyncClient(driver)
            for _ in range(2):  # the first time the server is asked what it can do
                async with self.undone(driver) as tx:
                    await client.insert(SORT, tx=tx, savepoint=True)
            assert await self.kinds() == []

    async def test_without_a_savepoint_an_error_is_the_callers(self) -> None:
        async with self.driver() as driver:
            with raises(state="25P02"):
                async with self.transaction(driver) as tx:
                    executor = await driver.unwrap(tx)
                    await AsyncClient(driver).insert(SORT, tx=tx)
                    with raises(state="23514"):
                        await fetch(driver, tx, _TAKEN, attempts=-1)
                    # Not rolled back behind the caller's back: the transaction is dead, and says so.
                    await executor.fetch("SELECT 1", ())
            await self._check_usable(driver)
        assert await self.kinds() == []

    async def test_unwrap_leaves_the_transaction_alone(self) -> None:
        async with self.driver() as driver, self.transaction(driver) as tx:
            before = await self._xid(await driver.unwrap(tx))
            await AsyncClient(driver).insert(SORT, tx=tx)
            assert await self._xid(await driver.unwrap(tx)) == before

    async def test_no_savepoint_is_set_that_was_not_asked_for(self) -> None:
        written_by = "SELECT count(DISTINCT xmin::text), count(*) FROM river_job"  # a savepoint has an id of its own
        async with self.driver() as driver, self.transaction(driver) as tx:
            client = AsyncClient(driver)
            job, _ = await client.insert(SORT, tx=tx)
            await client.insert_many([SORT, numbered(1)], tx=tx)
            await client.insert_many_fast([SORT], tx=tx)
            await client.job_update(job.id, output=1, tx=tx)
            await client.job_cancel(job.id, tx=tx)
            assert [tuple(row) for row in await fetch(driver, tx, written_by)] == [(1, 4)]
            await client.insert(SORT, tx=tx, savepoint=True)
            assert [tuple(row) for row in await fetch(driver, tx, written_by)] == [(2, 5)]

    async def test_wrong_handles_are_refused(self) -> None:
        async with self.driver() as driver, self.refused(driver) as wrong:
            client = AsyncClient(driver)
            for tx in [*wrong, object(), "tx", 1]:
                with raises(TransactionError) as caught:
                    await client.insert(_never, tx=tx)
                assert str(caught.value).startswith("tx "), caught.value
        assert await self.kinds() == []

    async def test_an_unreachable_database(self) -> None:
        async with self.unreachable() as driver:
            client = AsyncClient(driver)
            with raises(UnavailableError):
                await client.insert(SORT)
            with raises(UnavailableError):
                await client.insert_many_fast([SORT])
            with raises(UnavailableError):
                async with client.transaction():
                    pass

    async def test_many_at_once_on_one_client(self) -> None:
        await self.skip_if_bound("one connection is used by one at a time")
        async with self.driver() as driver:
            client = AsyncClient(driver)

            async def insert_some() -> list[int]:
                ids = []
                for number in range(5):
                    ids.append((await client.insert(numbered(number))).job.id)
                    async with self.transaction(driver) as tx:
                        ids.append((await client.insert(numbered(number), tx=tx)).job.id)
                return ids

            found = await together_async(*[insert_some] * 8)
        assert len({each for ids in found for each in ids}) == 80
        assert len(await self.kinds()) == 80

    def _settable(self) -> Any:
        if not self.isolation_levels:
            raise SkipTest("begin cannot do what its options ask")
        return self.driver()

    async def _show(self, driver: AsyncDriver[Any, Any], options: TransactionOptions, name: str) -> Any:
        async with driver.begin(options) as tx:
            return (await fetch(driver, tx, "SELECT current_setting(@name::text)", name=name))[0][0]

    async def _xid(self, executor: AsyncExecutor) -> int:
        return int((await executor.fetch("SELECT pg_current_xact_id()::text::bigint", ()))[0][0])

    async def _check_usable(self, driver: AsyncDriver[Any, Any]) -> None:
        async with self.transaction(driver) as tx:
            assert (await fetch(driver, tx, "SELECT 1"))[0][0] == 1


def _never() -> Any:
    raise AssertionError("the args were evaluated before tx was looked at")
