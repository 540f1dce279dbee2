"""Queues: reading, pausing and resuming them."""

from datetime import timedelta

from riverqueue import AsyncClient, NotFoundError, Queue
from riverqueue.rows import QUEUE_COLUMNS
from riverqueue.testing.conformance.async_harness import AsyncHarness, fetch
from riverqueue.testing.conformance.expect import raises
from riverqueue.testing.conformance.sample import STORED_AT, SetClock, stored_queue

_NOW = SetClock().time
_PAUSED_AT = STORED_AT + timedelta(minutes=1)


class Queues(AsyncHarness):
    """Queues are read as they are stored, and change as River changes them."""

    async def test_get_a_queue(self) -> None:
        metadata = {"text": 'it\'s "5" % of \\ :x $1 é', "nested": {"a": [1, None]}}
        await self._store_queues(stored_queue("one", metadata=metadata, paused_at=_PAUSED_AT), stored_queue("two"))
        async with self.driver() as driver, self.transaction(driver) as tx:
            client = AsyncClient(driver)
            one, two = await client.queue_get("one", tx=tx), await client.queue_get("two", tx=tx)
            with raises(NotFoundError) as caught:
                await client.queue_get("it's none", tx=tx)
            assert "it's none" in str(caught.value)
        assert (one.name, one.metadata, one.paused_at) == ("one", metadata, _PAUSED_AT)
        assert (one.created_at, one.updated_at) == (STORED_AT, STORED_AT)
        assert (two.metadata, two.paused_at) == ({}, None)
        assert await self._queues() == [one, two]

    async def test_list_queues(self) -> None:
        async with self.driver() as driver, self.transaction(driver) as tx:
            assert await AsyncClient(driver).queue_list(tx=tx) == []
        await self._store_queues(*[stored_queue(name, paused_at=_PAUSED_AT) for name in ("b", "c", "a")])
        async with self.driver() as driver, self.transaction(driver) as tx:
            client = AsyncClient(driver)
            queues = await client.queue_list(tx=tx)
            assert await client.queue_list(first=2, tx=tx) == queues[:2]
        assert [queue.name for queue in queues] == ["a", "b", "c"]
        assert queues == await self._queues()

    async def test_pause_a_queue(self) -> None:
        await self._store_queues(
            stored_queue("one"), stored_queue("other"), stored_queue("paused", paused_at=_PAUSED_AT)
        )
        async with self.driver() as driver, self.transaction(driver) as tx:
            client = AsyncClient(driver, clock=SetClock())
            await client.queue_pause("one", tx=tx)
            await client.queue_pause("paused", tx=tx)  # and stays as it was
        assert await self._times() == {
            "one": (_NOW, _NOW),
            "other": (None, STORED_AT),
            "paused": (_PAUSED_AT, STORED_AT),
        }

    async def test_resume_a_queue(self) -> None:
        paused = [stored_queue(name, paused_at=_PAUSED_AT) for name in ("one", "other")]
        await self._store_queues(*paused, stored_queue("resumed"))
        async with self.driver() as driver, self.transaction(driver) as tx:
            client = AsyncClient(driver, clock=SetClock())
            await client.queue_resume("one", tx=tx)
            await client.queue_resume("resumed", tx=tx)  # and stays as it was
        assert await self._times() == {
            "one": (None, _NOW),
            "other": (_PAUSED_AT, STORED_AT),
            "resumed": (None, STORED_AT),
        }

    async def test_pause_and_resume_all_queues(self) -> None:
        await self._store_queues(stored_queue("one"), stored_queue("paused", paused_at=_PAUSED_AT))
        async with self.driver() as driver:
            client = AsyncClient(driver, clock=SetClock())
            async with self.transaction(driver) as tx:
                await client.queue_pause("*", tx=tx)
            assert await self._times() == {"one": (_NOW, _NOW), "paused": (_PAUSED_AT, STORED_AT)}
            async with self.transaction(driver) as tx:
                await client.queue_resume("*", tx=tx)
            assert await self._times() == {"one": (None, _NOW), "paused": (None, _NOW)}

    async def test_an_unknown_queue(self) -> None:
        async with self.driver() as driver, self.transaction(driver) as tx:
            client = AsyncClient(driver)
            await client.queue_pause("*", tx=tx)  # all of none
            await client.queue_resume("*", tx=tx)
            for name in ("none", "%", "**"):
                with raises(NotFoundError):
                    await client.queue_pause(name, tx=tx)
                with raises(NotFoundError):
                    await client.queue_resume(name, tx=tx)
                with raises(NotFoundError):
                    await client.queue_update(name, metadata={}, tx=tx)
            assert await client.queue_list(tx=tx) == []  # the transaction remained usable

    async def test_update_a_queue(self) -> None:
        await self._store_queues(stored_queue("one", metadata={"gone": 1}, paused_at=_PAUSED_AT), stored_queue("other"))
        async with self.driver() as driver, self.transaction(driver) as tx:
            client = AsyncClient(driver)
            [(now,)] = await fetch(driver, tx, "SELECT now()")
            same = await client.queue_update("one", tx=tx)
            replaced = await client.queue_update("one", metadata={"new": ["it's", None]}, tx=tx)
            emptied = await client.queue_update("other", metadata={}, tx=tx)
        assert (same.metadata, same.paused_at, same.updated_at) == ({"gone": 1}, _PAUSED_AT, now)
        assert (replaced.metadata, replaced.paused_at, replaced.updated_at) == (
            {"new": ["it's", None]},
            _PAUSED_AT,
            now,
        )
        assert await self._queues() == [replaced, emptied]

    async def test_queues_of_another_schema(self) -> None:
        await self._store_queues(stored_queue("one"))
        await self.run_sql('ALTER SCHEMA public RENAME TO "Jobs_2"', "CREATE SCHEMA public")
        async with self.driver() as driver, self.transaction(driver) as tx:
            client = AsyncClient(driver, schema="Jobs_2", clock=SetClock())
            await client.queue_pause("one", tx=tx)
            assert (await client.queue_get("one", tx=tx)).paused_at == _NOW
            await client.queue_resume("*", tx=tx)
            updated = await client.queue_update("one", metadata={"a": 1}, tx=tx)
            assert await client.queue_list(tx=tx) == [updated]
            assert (updated.paused_at, updated.metadata) == (None, {"a": 1})

    async def test_queues_without_tx(self) -> None:
        await self._store_queues(stored_queue("one"), stored_queue("two", paused_at=_PAUSED_AT), stored_queue("three"))
        before = await self._queues()
        async with self.driver() as driver:
            client = AsyncClient(driver, clock=SetClock())
            async with self.undone(driver):
                await client.queue_pause("one")
                await client.queue_resume("two")
                await client.queue_update("three", metadata={"a": 1})
                after = await client.queue_list()
                assert await client.queue_get("one") == after[0]
            assert after != before
            # What a bound driver does belongs to the transaction of its handle; others commit at once.
            assert await self._queues() == (before if driver.bound else after)

    async def _store_queues(self, *queues: dict[str, object]) -> None:
        await self.store(*queues, table="river_queue")

    async def _queues(self) -> list[Queue]:
        """Return all committed queues by name."""
        return [Queue(row) for row in await self.read(f"SELECT {QUEUE_COLUMNS} FROM river_queue ORDER BY name")]  # noqa: S608

    async def _times(self) -> dict[str, tuple[object, object]]:
        return {queue.name: (queue.paused_at, queue.updated_at) for queue in await self._queues()}
