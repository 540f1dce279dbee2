"""Cancellation: what a cancelled task leaves behind. There are no sync twins of these tests."""

import asyncio
from typing import Any

from riverqueue import AsyncClient, InsertManyParams, TransactionOptions
from riverqueue.driver import AsyncDriver
from riverqueue.testing.conformance.async_harness import AsyncHarness, fetch
from riverqueue.testing.conformance.expect import raises
from riverqueue.testing.conformance.sample import SORT, UNIQUE, numbered

_OTHERS_BUSY = (
    "SELECT count(*), pg_sleep(0.005)::text FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'"
)


class Cancellation(AsyncHarness):
    """A task cancelled in the middle of a statement leaves no connection in the middle of it."""

    async def test_an_insert_of_our_own_is_cancelled(self) -> None:
        await self.skip_if_bound("a cancelled statement leaves the handle to its owner")
        async with self.driver() as driver, self.driver() as other:
            client = AsyncClient(driver)
            for insert in (client.insert_many, client.insert_many_fast):
                async with self.undone(other) as tx:
                    await AsyncClient(other).insert(SORT, UNIQUE, tx=tx)
                    await self._cancelled(asyncio.create_task(insert([InsertManyParams(SORT, UNIQUE)])))
            await self._check_clean(driver)
        assert await self.kinds() == ["numbered"] * 20

    async def test_a_transaction_of_the_drivers_is_cancelled(self) -> None:
        await self.skip_if_bound("a cancelled statement leaves the handle to its owner")
        async with self.driver() as driver, self.driver() as other:

            async def work() -> None:
                async with driver.begin(TransactionOptions()) as tx:
                    await AsyncClient(driver).insert(numbered(1), tx=tx)
                    await AsyncClient(driver).insert(SORT, UNIQUE, tx=tx)

            async with self.undone(other) as tx:
                await AsyncClient(other).insert(SORT, UNIQUE, tx=tx)
                await self._cancelled(asyncio.create_task(work()))
            await self._check_clean(driver)
        assert await self.kinds() == ["numbered"] * 20

    async def _cancelled(self, task: "asyncio.Task[Any]") -> None:
        await self.until_blocked()
        task.cancel()
        with raises(asyncio.CancelledError):
            await task

    async def _check_clean(self, driver: AsyncDriver[Any, Any]) -> None:
        client = AsyncClient(driver)
        for number in range(20):
            await client.insert(numbered(number))
        async with self.driver() as observer:
            for _ in range(1000):
                async with observer.begin(TransactionOptions()) as tx:
                    if not (await fetch(observer, tx, _OTHERS_BUSY))[0][0]:
                        return
        raise AssertionError("a session is still in the middle of something")
