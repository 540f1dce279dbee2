# Generated from async_listening.py by tools/generate_sync.py; do not edit.
"""Listening: what is notified is heard, on a connection that is nobody else's."""

from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import SkipTest

from riverqueue import ConfigurationError, TransactionOptions, UnavailableError
from riverqueue.driver import Driver, Listener
from riverqueue.sql import mark
from riverqueue.testing.conformance.concurrency import finished, start
from riverqueue.testing.conformance.expect import Undo, raises
from riverqueue.testing.conformance.harness import Harness, fetch

_CHANNEL = "public.river_insert"

#: Channels of schemas that somebody may have.
_CHANNELS = [_CHANNEL, "My Schema.river_insert", 'a "quoted" one.river_insert', "größe.river_insert"]

#: PostgreSQL refuses payloads of 8,000 bytes and more.
_PAYLOADS = ["", '{"queue": "default"}', "é ☃ 😀 \\ '\"", "x" * 7_900, "é" * 3_950]


class Listening(Harness):
    """A driver that can hear notifications hears all of them, and says so when it no longer does."""

    def test_what_is_notified_is_heard(self) -> None:
        with self.listener() as listener:
            for channel in _CHANNELS:
                listener.listen(channel)
            expected = [(channel, payload) for channel in _CHANNELS for payload in _PAYLOADS]
            for channel, payload in expected:
                self.notify(channel, payload)
            assert heard(listener, len(expected)) == expected

    def test_notifications_are_heard_in_their_order(self) -> None:
        with self.listener() as listener:
            listener.listen(_CHANNEL)
            numbers = "generate_series(@first::int, @first::int + 99) AS number"
            for first in (0, 100, 200):
                self.read(f"SELECT pg_notify('{_CHANNEL}', number::text)::text FROM {numbers}", first=first)  # noqa: S608
            assert heard(listener, 300) == [(_CHANNEL, str(number)) for number in range(300)]

    def test_nothing_else_is_heard(self) -> None:
        with self.listener() as listener:
            listener.listen(_CHANNEL)
            for channel in ("other.river_insert", _CHANNEL.upper(), "river_insert", "public", _CHANNEL):
                self.notify(channel, "one")
            assert heard(listener, 1) == [(_CHANNEL, "one")]
            assert listener.wait(0) == []

    def test_a_wait_ends_without_notifications(self) -> None:
        with self.listener() as listener:
            for seconds in (0, 0.01):
                assert list(listener.wait(seconds)) == []
            listener.listen(_CHANNEL)
            for seconds in (0, 0.01):
                assert list(listener.wait(seconds)) == []

    def test_a_wait_ends_with_a_notification(self) -> None:
        with self.listener() as listener:
            listener.listen(_CHANNEL)
            waiting = start(lambda: listener.wait(600))
            self.notify(_CHANNEL, "one")
            told: Sequence[tuple[str, str]] = finished(waiting)
            assert list(told) == [(_CHANNEL, "one")]

    def test_statements_run_between_waits(self) -> None:
        with self.driver() as driver, self.opened(driver) as listener:
            listener.listen(_CHANNEL)
            for number in range(3):
                assert [tuple(row) for row in listener.fetch("SELECT 1", ())] == [(1,)]
                rendered = mark("SELECT @text::text, @number::int + 1", driver.style)
                params = rendered.bind({"text": "50 % é", "number": number})
                assert [tuple(row) for row in listener.fetch(rendered.sql, params)] == [("50 % é", number + 1)]
                assert list(listener.fetch("UPDATE river_job SET kind = 'none' WHERE false", ())) == []
                self.notify(_CHANNEL, str(number))
                assert heard(listener, 1) == [(_CHANNEL, str(number))]

    def test_what_arrives_during_a_statement_is_heard_later(self) -> None:
        with self.listener() as listener:
            listener.listen(_CHANNEL)
            expected = []
            for number in range(5):
                self.notify(_CHANNEL, f"another's {number}")
                listener.fetch("SELECT 1", ())
                listener.fetch(f"SELECT pg_notify('{_CHANNEL}', 'its own {number}')::text", ())
                expected += [(_CHANNEL, f"another's {number}"), (_CHANNEL, f"its own {number}")]
            assert heard(listener, len(expected)) == expected

    def test_a_statement_that_fails_ends_nothing(self) -> None:
        with self.listener() as listener:
            listener.listen(_CHANNEL)
            with raises(state="22012"):
                listener.fetch("SELECT 1 / 0", ())
            self.notify(_CHANNEL, "one")
            assert heard(listener, 1) == [(_CHANNEL, "one")]

    def test_its_statements_commit_by_themselves(self) -> None:
        with self.listener() as listener:
            listener.listen(_CHANNEL)
            listener.fetch("CREATE TABLE made (id int)", ())
            assert [tuple(row) for row in self.read("SELECT count(*)::int FROM made")] == [(0,)]
            state = "SELECT state FROM pg_stat_activity WHERE pid = @pid::int"
            self._until(f"SELECT ({state}) = 'idle'", pid=pid(listener))

    def test_a_wait_tells_that_the_connection_is_lost(self) -> None:
        with self.listener() as listener:
            listener.listen(_CHANNEL)
            process = pid(listener)
            waiting = start(lambda: listener.wait(600))
            self._end(process)
            with raises() as caught:
                finished(waiting)
            assert not isinstance(caught.value, TimeoutError), "it still waits"
            with raises():
                listener.wait(600)

    def test_a_statement_tells_that_the_connection_is_lost(self) -> None:
        with self.listener() as listener:
            listener.listen(_CHANNEL)
            self._end(pid(listener))
            with raises():
                listener.fetch("SELECT 1", ())
            with raises():
                listener.wait(600)

    def test_its_connection_is_not_one_of_the_pool(self) -> None:
        with self.scarce(0.05) as driver:
            with driver.begin(TransactionOptions()), self.opened(driver) as listener:
                listener.fetch("SELECT 1", ())
            with self.opened(driver) as listener, driver.begin(TransactionOptions()):
                listener.fetch("SELECT 1", ())

    def test_a_bound_driver_opens_another_connection(self) -> None:
        with self.driver() as driver:
            if not driver.bound:
                raise SkipTest("the driver is not bound")
            with self.opened(driver) as listener, self.transaction(driver) as tx:
                [(process,)] = fetch(driver, tx, "SELECT pg_backend_pid()")
                assert pid(listener) != process

    def test_its_connection_is_closed_with_the_block(self) -> None:
        with self.driver() as driver:
            with self.opened(driver) as listener:
                listener.listen(_CHANNEL)
                processes = [pid(listener)]
            with raises(Undo):
                with self.opened(driver) as listener:
                    processes.append(pid(listener))
                    raise Undo
            self._until_gone(*processes)

    def test_no_connection_can_be_had(self) -> None:
        with self.unreachable() as driver:
            with raises(UnavailableError):
                with self.opened(driver):
                    pass

    # --- What the tests use ---

    @contextmanager
    def opened(self, driver: Driver[Any, Any]) -> Generator[Listener]:
        """Open a listener of a driver, if it has them; one that is bound may refuse."""
        listens: Any = driver
        if not hasattr(driver, "listener"):
            raise SkipTest("the driver has no listener")
        with ExitStack() as stack:
            try:
                listener = stack.enter_context(listens.listener())
            except ConfigurationError as error:
                if not driver.bound:
                    raise
                raise SkipTest(str(error)) from error
            yield listener

    @contextmanager
    def listener(self) -> Generator[Listener]:
        """Open a listener of a driver of its own."""
        with self.driver() as driver, self.opened(driver) as listener:
            yield listener

    def notify(self, channel: str, payload: str) -> None:
        """Notify, in a transaction of its own."""
        self.read("SELECT pg_notify(@channel::text, @payload::text)::text", channel=channel, payload=payload)

    def _end(self, process: int) -> None:
        self.read("SELECT pg_terminate_backend(@pid::int)", pid=process)
        self._until_gone(process)

    def _until_gone(self, *processes: int) -> None:
        gone = "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = ANY(@pids::bigint[])"
        self._until(gone, pids=list(processes))


def heard(listener: Listener, count: int) -> list[tuple[str, str]]:
    """Wait for so many notifications, and return them with what came with them."""
    found: list[tuple[str, str]] = []
    while len(found) < count:
        some = listener.wait(30)
        assert some, f"heard {len(found)} of {count}"
        found += [(channel, payload) for channel, payload in some]
    return found


def pid(listener: Listener) -> int:
    """Return the process id of a listener's backend."""
    return int((listener.fetch("SELECT pg_backend_pid()", ()))[0][0])
