"""Cancellation: what a cancelled task leaves behind. There are no sync twins of these tests."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from riverqueue import AsyncClient, InsertManyParams, TransactionOptions
from riverqueue.driver import AsyncDriver
from riverqueue.testing.conformance.async_harness import fetch
from riverqueue.testing.conformance.async_listening import Listening, heard, pid
from riverqueue.testing.conformance.expect import raises
from riverqueue.testing.conformance.sample import SORT, UNIQUE, numbered, stored, stored_queue

_CHANNEL = "public.river_insert"

_OTHERS_BUSY = (
    "SELECT count(*), pg_sleep(0.005)::text FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'"
)


class Cancellation(Listening):
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

    async def test_a_method_of_our_own_is_cancelled(self) -> None:
        await self.store(stored(1000))
        await self.store(stored_queue("default"), table="river_queue")
        async with self.scarce(30) as driver, self.driver() as other:
            client = AsyncClient(driver)
            before = await client.job_get(1000)
            methods: list[Callable[[], Coroutine[Any, Any, Any]]] = [
                lambda: client.job_cancel(1000),
                lambda: client.job_retry(1000),
                lambda: client.job_update(1000, output=1),
                lambda: client.job_delete(1000),
                lambda: client.queue_pause("default"),
                lambda: client.queue_update("default", metadata={"a": 1}),
                lambda: client.insert(SORT, UNIQUE),
            ]
            for method in methods:
                async with self.undone(other) as tx:
                    await AsyncClient(other).insert(SORT, UNIQUE, tx=tx)
                    await fetch(other, tx, "SELECT FROM river_job, river_queue FOR UPDATE")
                    await self._cancelled(asyncio.create_task(method()))
                # The only connection there is: it came back, or another instead of it.
                assert await client.job_get(1000) == before
            [queue] = await client.queue_list()
            assert (queue.paused_at, queue.metadata) == (None, {})
            await self._check_clean(driver)

    async def test_waiting_for_a_connection_is_cancelled(self) -> None:
        await self.store(stored(1000, "running"))
        async with self.scarce(30) as driver:
            client = AsyncClient(driver)
            async with driver.begin(TransactionOptions()) as tx:
                tasks = [asyncio.create_task(client.insert(SORT)), asyncio.create_task(client.wait(1000))]
                for _ in range(10):
                    await asyncio.sleep(0)  # so far do they come without a connection
                for task in tasks:
                    task.cancel()
                    with raises(asyncio.CancelledError):
                        await task
                await client.insert(numbered(0), tx=tx)
            await self._check_clean(driver)
        assert await self.kinds() == ["numbered"] * 21 + ["stored"]

    async def test_beginning_is_cancelled_at_any_moment(self) -> None:
        async with self.scarce(30) as driver:

            async def begin() -> None:
                async with driver.begin(TransactionOptions()) as tx:
                    assert (await fetch(driver, tx, "SELECT 1"))[0][0] == 1

            for moments in (0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144):
                task = asyncio.create_task(begin())
                for _ in range(moments):
                    await asyncio.sleep(0)
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
                await begin()

    async def test_a_wait_for_notifications_is_cancelled_at_any_moment(self) -> None:
        async with self.listener() as listener:
            await listener.listen(_CHANNEL)
            expected: list[tuple[str, str]] = []
            found: list[tuple[str, str]] = []
            for moments in (0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144):
                waiting = asyncio.create_task(listener.wait(600))
                for _ in range(moments):
                    await asyncio.sleep(0)
                waiting.cancel()
                with suppress(asyncio.CancelledError):
                    found += await waiting
                await self.notify(_CHANNEL, str(moments))
                expected.append((_CHANNEL, str(moments)))
            found += await heard(listener, len(expected) - len(found))
            assert found == expected
            assert [tuple(row) for row in await listener.fetch("SELECT 1", ())] == [(1,)]

    async def test_a_statement_of_a_listener_is_cancelled(self) -> None:
        await self.store(stored(1000))
        async with self.driver() as other:
            async with self.undone(other) as tx:
                await fetch(other, tx, "SELECT FROM river_job FOR UPDATE")
                async with self.listener() as listener:
                    process = await pid(listener)
                    await self._cancelled(asyncio.create_task(listener.fetch("DELETE FROM river_job", ())))
            gone = "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = @pid::int"
            await self._until(gone, pid=process)

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
