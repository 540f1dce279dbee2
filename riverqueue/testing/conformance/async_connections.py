"""Connections: what happens when none is to be had, and when the server ends one."""

from collections.abc import Awaitable, Callable
from typing import Any

from riverqueue import AsyncClient, TransactionOptions, UnavailableError
from riverqueue.driver import sqlstate
from riverqueue.testing.conformance.async_harness import AsyncHarness, fetch
from riverqueue.testing.conformance.expect import raises
from riverqueue.testing.conformance.sample import SORT, numbered

#: What states libraries give for a session that is no more: none, or that it was ended, is closed or broken.
_LOST = {None, "57P01", "08003", "08006", "08P01"}


class Connections(AsyncHarness):
    """Without a connection a driver says so at once, and one that was lost is not kept."""

    async def test_an_exhausted_pool(self) -> None:
        async with self.scarce(0.05) as driver:
            client = AsyncClient(driver)
            methods: list[Callable[[], Awaitable[Any]]] = [
                lambda: client.insert(numbered(2)),
                lambda: client.insert_many_fast([numbered(2)] * 600),
                lambda: client.job_get(1),
                lambda: client.queue_pause("*"),
            ]
            async with driver.begin(TransactionOptions()) as tx:
                await client.insert(numbered(1), tx=tx)
                for method in methods:
                    with raises(UnavailableError) as caught:
                        await method()
                    assert "connection" in str(caught.value)
                with raises(UnavailableError):
                    async with client.transaction():
                        pass
                await client.insert(numbered(3), tx=tx)  # the transaction knows nothing of it
            await client.insert(numbered(4))
        assert await self._numbers() == [1, 3, 4]

    async def test_a_session_that_ends_in_a_transaction(self) -> None:
        library, ended = await self._library(), 0
        async with self.driver() as driver:
            client = AsyncClient(driver)
            with raises() as caught:
                async with self.transaction(driver) as tx:
                    await client.insert(numbered(1), tx=tx)
                    ended = await self.end_sessions()
                    await client.insert(numbered(2), tx=tx)
            assert ended
            assert _lost(caught.value, library), caught.value
            if not driver.bound:
                await self._retried(lambda: client.insert(numbered(3)), library, ended)
        async with self.driver() as again, self.transaction(again) as tx:
            await AsyncClient(again).insert(numbered(4), tx=tx)
        assert await self._numbers() == ([4] if driver.bound else [3, 4])

    async def test_a_session_that_ends_between_transactions(self) -> None:
        await self.skip_if_bound("the handle is its owner's to open again")
        library = await self._library()
        async with self.driver() as driver:
            client = AsyncClient(driver)
            await client.insert(SORT)
            for method in (lambda: client.insert(SORT), lambda: client.insert_many_fast([SORT]), client.job_count):
                await self._retried(method, library, await self.end_sessions())
        assert await self.kinds() == ["sort"] * 3

    async def _retried(self, method: Callable[[], Awaitable[Any]], library: str, times: int) -> None:
        """Call a method, and again for each lost connection of which the pool learns by that only."""
        for _ in range(times):
            try:
                await method()
            except Exception as error:
                if not _lost(error, library):
                    raise
            else:
                return
        await method()

    async def _library(self) -> str:
        """Name the package whose errors the database's are."""
        with raises(state="22012") as own:
            async with self.driver() as driver, self.transaction(driver) as tx:
                await fetch(driver, tx, "SELECT 1 / 0")
        return _package(own.value)

    async def _numbers(self) -> list[int]:
        return [int(number) for (number,) in await self.read("SELECT args->>'number' FROM river_job ORDER BY id")]


def _lost(error: Exception, library: str) -> bool:
    """Tell whether an error says that a session is no more, in the library's words or by River's."""
    return isinstance(error, UnavailableError) or (_package(error) == library and sqlstate(error) in _LOST)


def _package(error: Exception) -> str:
    return type(error).__module__.partition(".")[0]
