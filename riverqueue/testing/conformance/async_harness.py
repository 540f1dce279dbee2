"""What a conformance suite must know of a driver, and the few things all its tests use."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any
from unittest import SkipTest

from riverqueue.driver import AsyncDriver, Row, TransactionOptions
from riverqueue.sql import mark
from riverqueue.testing.conformance.expect import Undo, raises


class AsyncHarness:
    """Says how a driver is opened and used; override what differs.

    Attributes:
        isolation_levels: Whether ``begin`` can do what its options ask.
        date_styles: Whether datetimes arrive whatever the session's ``DateStyle`` is. A library that
            reads them as text may not manage.
    """

    isolation_levels = True
    date_styles = True

    def driver(self) -> AbstractAsyncContextManager[AsyncDriver[Any, Any]]:
        """Open a driver on connections of its own, closed with the block."""
        raise NotImplementedError("say how to open a driver")

    def transaction(self, driver: AsyncDriver[Any, Any]) -> AbstractAsyncContextManager[Any]:
        """Open a transaction as a user of the library would, ended as ``Driver.begin`` ends one."""
        return driver.begin(TransactionOptions())

    @asynccontextmanager
    async def refused(self, driver: AsyncDriver[Any, Any]) -> AsyncGenerator[list[Any]]:
        """Give what the library has that is no open transaction: closed, autocommitting, a pool."""
        yield [driver]

    def unreachable(self) -> AbstractAsyncContextManager[AsyncDriver[Any, Any]]:
        """Open a driver on a database that is not there."""
        raise SkipTest("no unreachable driver is given")

    def scarce(self, seconds: float) -> AbstractAsyncContextManager[AsyncDriver[Any, Any]]:
        """Open a driver on a pool of one connection, which is waited for no longer than that."""
        raise SkipTest(f"no driver on a pool of one connection is given, to wait {seconds} s for")

    def listen(self, channel: str) -> AbstractAsyncContextManager[Callable[[], Awaitable[str]]]:
        """Listen to a channel; give a function that waits for the next payload."""
        raise SkipTest(f"no listener is given for {channel}")

    @asynccontextmanager
    async def undone(self, driver: AsyncDriver[Any, Any]) -> AsyncGenerator[Any]:
        """Open a transaction that is rolled back in the end."""
        with raises(Undo):
            async with self.transaction(driver) as tx:
                yield tx
                raise Undo

    async def skip_if_bound(self, reason: str) -> None:
        """Skip the test if the driver is made from the caller's own connection or session."""
        async with self.driver() as driver:
            if driver.bound:
                raise SkipTest(reason)

    async def read(self, sql: str, **params: Any) -> Sequence[Row]:
        """Run one statement on connections of its own and commit; return its rows."""
        async with self.driver() as driver, driver.begin(TransactionOptions()) as tx:
            return await fetch(driver, tx, sql, **params)

    async def store(self, *rows: Mapping[str, Any], table: str = "river_job") -> None:
        """Store rows as other clients would have left them, and commit; `sample.stored` makes them."""
        every = f"SELECT * FROM jsonb_populate_recordset(NULL::{table}, @rows::text::jsonb)"  # noqa: S608
        await self.read(f"INSERT INTO {table} {every}", rows=json.dumps(rows, default=str))

    async def kinds(self) -> list[str]:
        """Return the kinds of all committed jobs, in order of their ids."""
        return [kind for (kind,) in await self.read("SELECT kind FROM river_job ORDER BY id")]

    async def run_sql(self, *statements: str) -> None:
        """Run statements without rows on connections of its own and commit."""
        async with self.driver() as driver, driver.begin(TransactionOptions()) as tx:
            for sql in statements:
                await fetch(driver, tx, sql)

    async def until_blocked(self) -> None:
        """Wait until some session waits for a lock of another's."""
        await self._until(
            "SELECT count(*) > 0 FROM pg_stat_activity"
            " WHERE datname = current_database() AND pg_blocking_pids(pid) <> '{}'"
        )

    async def end_sessions(self) -> int:
        """Have the server end all sessions, as it does when it is shut down; return how many there were."""
        others = "datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        ended = await self.read(f"SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")  # noqa: S608
        pids = [pid for pid, _ in ended]
        await self._until("SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = ANY(@pids::bigint[])", pids=pids)
        return len(pids)

    async def _until(self, sql: str, **params: Any) -> None:
        """Ask until the answer is true."""
        async with self.driver() as driver:
            for _ in range(2000):
                async with driver.begin(TransactionOptions()) as tx:
                    if (await fetch(driver, tx, sql, **params))[0][0]:
                        return
                    await fetch(driver, tx, "SELECT pg_sleep(0.005)::text")
        raise AssertionError(f"it never became true: {sql}")


async def fetch(driver: AsyncDriver[Any, Any], tx: Any, sql: str, **params: Any) -> Sequence[Row]:
    """Run one statement in a transaction, its parameters marked as in River's own SQL: ``@name::type``."""
    rendered = mark(sql, driver.style)
    return await (await driver.unwrap(tx)).fetch(rendered.sql, rendered.bind(params))
