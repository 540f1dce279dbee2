"""Listening: what is notified is heard, on a connection that is nobody else's."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from unittest import SkipTest

from riverqueue import ConfigurationError, TransactionOptions, UnavailableError
from riverqueue.driver import AsyncDriver, AsyncListener
from riverqueue.sql import mark
from riverqueue.testing.conformance.async_harness import AsyncHarness, fetch
from riverqueue.testing.conformance.concurrency import finished_async, start_async
from riverqueue.testing.conformance.expect import Undo, raises

_CHANNEL = "public.river_insert"

#: Channels of schemas that somebody may have.
_CHANNELS = [_CHANNEL, "My Schema.river_insert", 'a "quoted" one.river_insert', "größe.river_insert"]

#: PostgreSQL refuses payloads of 8,000 bytes and more.
_PAYLOADS = ["", '{"queue": "default"}', "é ☃ 😀 \\ '\"", "x" * 7_900, "é" * 3_950]


class Listening(AsyncHarness):
    """A driver that can hear notifications hears all of them, and says so when it no longer does."""

    async def test_what_is_notified_is_heard(self) -> None:
        async with self.listener() as listener:
            for channel in _CHANNELS:
                await listener.listen(channel)
            expected = [(channel, payload) for channel in _CHANNELS for payload in _PAYLOADS]
            for channel, payload in expected:
                await self.notify(channel, payload)
            assert await heard(listener, len(expected)) == expected

    async def test_notifications_are_heard_in_their_order(self) -> None:
        async with self.listener() as listener:
            await listener.listen(_CHANNEL)
            numbers = "generate_series(@first::int, @first::int + 99) AS number"
            for first in (0, 100, 200):
                await self.read(f"SELECT pg_notify('{_CHANNEL}', number::text)::text FROM {numbers}", first=first)  # noqa: S608
            assert await heard(listener, 300) == [(_CHANNEL, str(number)) for number in range(300)]

    async def test_nothing_else_is_heard(self) -> None:
        async with self.listener() as listener:
            await listener.listen(_CHANNEL)
            for channel in ("other.river_insert", _CHANNEL.upper(), "river_insert", "public", _CHANNEL):
                await self.notify(channel, "one")
            assert await heard(listener, 1) == [(_CHANNEL, "one")]
            assert await listener.wait(0) == []

    async def test_a_wait_ends_without_notifications(self) -> None:
        async with self.listener() as listener:
            for seconds in (0, 0.01):
                assert list(await listener.wait(seconds)) == []
            await listener.listen(_CHANNEL)
            for seconds in (0, 0.01):
                assert list(await listener.wait(seconds)) == []

    async def test_a_wait_ends_with_a_notification(self) -> None:
        async with self.listener() as listener:
            await listener.listen(_CHANNEL)
            waiting = start_async(lambda: listener.wait(600))
            await self.notify(_CHANNEL, "one")
            told: Sequence[tuple[str, str]] = await finished_async(waiting)
            assert list(told) == [(_CHANNEL, "one")]

    async def test_statements_run_between_waits(self) -> None:
        async with self.driver() as driver, self.opened(driver) as listener:
            await listener.listen(_CHANNEL)
            for number in range(3):
                assert [tuple(row) for row in await listener.fetch("SELECT 1", ())] == [(1,)]
                rendered = mark("SELECT @text::text, @number::int + 1", driver.style)
                params = rendered.bind({"text": "50 % é", "number": number})
                assert [tuple(row) for row in await listener.fetch(rendered.sql, params)] == [("50 % é", number + 1)]
                assert list(await listener.fetch("UPDATE river_job SET kind = 'none' WHERE false", ())) == []
                await self.notify(_CHANNEL, str(number))
                assert await heard(listener, 1) == [(_CHANNEL, str(number))]

    async def test_what_arrives_during_a_statement_is_heard_later(self) -> None:
        async with self.listener() as listener:
            await listener.listen(_CHANNEL)
            expected = []
            for number in range(5):
                await self.notify(_CHANNEL, f"another's {number}")
                await listener.fetch("SELECT 1", ())
                await listener.fetch(f"SELECT pg_notify('{_CHANNEL}', 'its own {number}')::text", ())
                expected += [(_CHANNEL, f"another's {number}"), (_CHANNEL, f"its own {number}")]
            assert await heard(listener, len(expected)) == expected

    async def test_a_statement_that_fails_ends_nothing(self) -> None:
        async with self.listener() as listener:
            await listener.listen(_CHANNEL)
            with raises(state="22012"):
                await listener.fetch("SELECT 1 / 0", ())
            await self.notify(_CHANNEL, "one")
            assert await heard(listener, 1) == [(_CHANNEL, "one")]

    async def test_its_statements_commit_by_themselves(self) -> None:
        async with self.listener() as listener:
            await listener.listen(_CHANNEL)
            await listener.fetch("CREATE TABLE made (id int)", ())
            assert [tuple(row) for row in await self.read("SELECT count(*)::int FROM made")] == [(0,)]
            state = "SELECT state FROM pg_stat_activity WHERE pid = @pid::int"
            await self._until(f"SELECT ({state}) = 'idle'", pid=await pid(listener))

    async def test_a_wait_tells_that_the_connection_is_lost(self) -> None:
        async with self.listener() as listener:
            await listener.listen(_CHANNEL)
            process = await pid(listener)
            waiting = start_async(lambda: listener.wait(600))
            await self._end(process)
            with raises() as caught:
                await finished_async(waiting)
            assert not isinstance(caught.value, TimeoutError), "it still waits"
            with raises():
                await listener.wait(600)

    async def test_a_statement_tells_that_the_connection_is_lost(self) -> None:
        async with self.listener() as listener:
            await listener.listen(_CHANNEL)
            await self._end(await pid(listener))
            with raises():
                await listener.fetch("SELECT 1", ())
            with raises():
                await listener.wait(600)

    async def test_its_connection_is_not_one_of_the_pool(self) -> None:
        async with self.scarce(0.05) as driver:
            async with driver.begin(TransactionOptions()), self.opened(driver) as listener:
                await listener.fetch("SELECT 1", ())
            async with self.opened(driver) as listener, driver.begin(TransactionOptions()):
                await listener.fetch("SELECT 1", ())

    async def test_a_bound_driver_opens_another_connection(self) -> None:
        async with self.driver() as driver:
            if not driver.bound:
                raise SkipTest("the driver is not bound")
            async with self.opened(driver) as listener, self.transaction(driver) as tx:
                [(process,)] = await fetch(driver, tx, "SELECT pg_backend_pid()")
                assert await pid(listener) != process

    async def test_its_connection_is_closed_with_the_block(self) -> None:
        async with self.driver() as driver:
            async with self.opened(driver) as listener:
                await listener.listen(_CHANNEL)
                processes = [await pid(listener)]
            with raises(Undo):
                async with self.opened(driver) as listener:
                    processes.append(await pid(listener))
                    raise Undo
            await self._until_gone(*processes)

    async def test_no_connection_can_be_had(self) -> None:
        async with self.unreachable() as driver:
            with raises(UnavailableError):
                async with self.opened(driver):
                    pass

    # --- What the tests use ---

    @asynccontextmanager
    async def opened(self, driver: AsyncDriver[Any, Any]) -> AsyncGenerator[AsyncListener]:
        """Open a listener of a driver, if it has them; one that is bound may refuse."""
        listens: Any = driver
        if not hasattr(driver, "listener"):
            raise SkipTest("the driver has no listener")
        async with AsyncExitStack() as stack:
            try:
                listener = await stack.enter_async_context(listens.listener())
            except ConfigurationError as error:
                if not driver.bound:
                    raise
                raise SkipTest(str(error)) from error
            yield listener

    @asynccontextmanager
    async def listener(self) -> AsyncGenerator[AsyncListener]:
        """Open a listener of a driver of its own."""
        async with self.driver() as driver, self.opened(driver) as listener:
            yield listener

    async def notify(self, channel: str, payload: str) -> None:
        """Notify, in a transaction of its own."""
        await self.read("SELECT pg_notify(@channel::text, @payload::text)::text", channel=channel, payload=payload)

    async def _end(self, process: int) -> None:
        await self.read("SELECT pg_terminate_backend(@pid::int)", pid=process)
        await self._until_gone(process)

    async def _until_gone(self, *processes: int) -> None:
        gone = "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = ANY(@pids::bigint[])"
        await self._until(gone, pids=list(processes))


async def heard(listener: AsyncListener, count: int) -> list[tuple[str, str]]:
    """Wait for so many notifications, and return them with what came with them."""
    found: list[tuple[str, str]] = []
    while len(found) < count:
        some = await listener.wait(30)
        assert some, f"heard {len(found)} of {count}"
        found += [(channel, payload) for channel, payload in some]
    return found


async def pid(listener: AsyncListener) -> int:
    """Return the process id of a listener's backend."""
    return int((await listener.fetch("SELECT pg_backend_pid()", ()))[0][0])
