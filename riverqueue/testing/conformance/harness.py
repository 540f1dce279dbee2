# Generated from async_harness.py by tools/generate_sync.py; do not edit.
"""What a conformance suite must know of a driver, and the few things all its tests use."""

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest import SkipTest

from riverqueue.driver import Driver, Row, TransactionOptions
from riverqueue.sql import mark
from riverqueue.testing.conformance.expect import Undo, raises


class Harness:
    """Says how a driver is opened and used; override what differs.

    Attributes:
        isolation_levels: Whether ``begin`` can do what its options ask.
        date_styles: Whether datetimes arrive whatever the session's ``DateStyle`` is. A library that
            reads them as text may not manage.
    """

    isolation_levels = True
    date_styles = True

    def driver(self) -> AbstractContextManager[Driver[Any, Any]]:
        """Open a driver on connections of its own, closed with the block."""
        raise NotImplementedError("say how to open a driver")

    def transaction(self, driver: Driver[Any, Any]) -> AbstractContextManager[Any]:
        """Open a transaction as a user of the library would, ended as ``Driver.begin`` ends one."""
        return driver.begin(TransactionOptions())

    @contextmanager
    def refused(self, driver: Driver[Any, Any]) -> Generator[list[Any]]:
        """Give what the library has that is no open transaction: closed, autocommitting, a pool."""
        yield [driver]

    def unreachable(self) -> AbstractContextManager[Driver[Any, Any]]:
        """Open a driver on a database that is not there."""
        raise SkipTest("no unreachable driver is given")

    def scarce(self, seconds: float) -> AbstractContextManager[Driver[Any, Any]]:
        """Open a driver on a pool of one connection, which is waited for no longer than that."""
        raise SkipTest(f"no driver on a pool of one connection is given, to wait {seconds} s for")

    def listen(self, channel: str) -> AbstractContextManager[Callable[[], str]]:
        """Listen to a channel; give a function that waits for the next payload."""
        raise SkipTest(f"no listener is given for {channel}")

    @contextmanager
    def undone(self, driver: Driver[Any, Any]) -> Generator[Any]:
        """Open a transaction that is rolled back in the end."""
        with raises(Undo):
            with self.transaction(driver) as tx:
                yield tx
                raise Undo

    def skip_if_bound(self, reason: str) -> None:
        """Skip the test if the driver is made from the caller's own connection or session."""
        with self.driver() as driver:
            if driver.bound:
                raise SkipTest(reason)

    def read(self, sql: str, **params: Any) -> Sequence[Row]:
        """Run one statement on connections of its own and commit; return its rows."""
        with self.driver() as driver, driver.begin(TransactionOptions()) as tx:
            return fetch(driver, tx, sql, **params)

    def store(self, *rows: Mapping[str, Any], table: str = "river_job") -> None:
        """Store rows as other clients would have left them, and commit; `sample.stored` makes them."""
        every = f"SELECT * FROM jsonb_populate_recordset(NULL::{table}, @rows::text::jsonb)"  # noqa: S608
        self.read(f"INSERT INTO {table} {every}", rows=json.dumps(rows, default=str))

    def kinds(self) -> list[str]:
        """Return the kinds of all committed jobs, in order of their ids."""
        return [kind for (kind,) in self.read("SELECT kind FROM river_job ORDER BY id")]

    def run_sql(self, *statements: str) -> None:
        """Run statements without rows on connections of its own and commit."""
        with self.driver() as driver, driver.begin(TransactionOptions()) as tx:
            for sql in statements:
                fetch(driver, tx, sql)

    def until_blocked(self) -> None:
        """Wait until some session waits for a lock of another's."""
        self._until(
            "SELECT count(*) > 0 FROM pg_stat_activity"
            " WHERE datname = current_database() AND pg_blocking_pids(pid) <> '{}'"
        )

    def end_sessions(self) -> int:
        """Have the server end all sessions, as it does when it is shut down; return how many there were."""
        others = "datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        ended = self.read(f"SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")  # noqa: S608
        pids = [pid for pid, _ in ended]
        self._until("SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = ANY(@pids::bigint[])", pids=pids)
        return len(pids)

    def _until(self, sql: str, **params: Any) -> None:
        """Ask until the answer is true."""
        with self.driver() as driver:
            for _ in range(2000):
                with driver.begin(TransactionOptions()) as tx:
                    if (fetch(driver, tx, sql, **params))[0][0]:
                        return
                    fetch(driver, tx, "SELECT pg_sleep(0.005)::text")
        raise AssertionError(f"it never became true: {sql}")


def fetch(driver: Driver[Any, Any], tx: Any, sql: str, **params: Any) -> Sequence[Row]:
    """Run one statement in a transaction, its parameters marked as in River's own SQL: ``@name::type``."""
    rendered = mark(sql, driver.style)
    return (driver.unwrap(tx)).fetch(rendered.sql, rendered.bind(params))
