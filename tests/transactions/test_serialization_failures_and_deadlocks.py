import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import pytest

from riverqueue import DictArgs, InsertManyParams
from riverqueue.async_database import ATTEMPTS
from riverqueue.testing.conformance.expect import raises
from riverqueue.testing.conformance.sample import SORT, UNIQUE, numbered
from tests.transactions.conftest import Database
from tests.transactions.stacks import NAMES, Stack, opened


class Failures:
    """Has the first writes of jobs fail, and counts them: what a sequence gives is not rolled back."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def first(self, times: int, state: str = "40001") -> None:
        """Begin anew: so many fail."""
        await self._database.run(
            "ALTER SEQUENCE tries RESTART",
            f"""CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF nextval('tries') <= {times} THEN RAISE EXCEPTION 'again' USING ERRCODE = '{state}'; END IF;
            RETURN coalesce(NEW, OLD); END $$""",
        )

    async def tries(self) -> int:
        """Return how many writes there were."""
        return int((await self._database.rows("SELECT last_value FROM tries"))[0][0])


@pytest.fixture
async def failures(database: Database) -> AsyncGenerator[Failures]:
    failures = Failures(database)
    await database.run("CREATE SEQUENCE tries")
    await failures.first(0)
    await database.run(
        "CREATE TRIGGER fail BEFORE INSERT OR UPDATE OR DELETE ON river_job FOR EACH ROW EXECUTE FUNCTION fail()"
    )
    yield failures
    await database.run("DROP FUNCTION fail CASCADE", "DROP SEQUENCE tries")  # which is less work than a new database


async def test_in_rivers_own_transactions_they_are_retried(stack: Stack, failures: Failures) -> None:
    job = (await stack.client.insert(SORT)).job
    methods: list[Callable[[], Awaitable[Any]]] = [
        lambda: stack.client.insert(SORT),
        lambda: stack.client.insert_many([SORT]),
        lambda: stack.client.insert_many_fast([SORT]),
        lambda: stack.client.job_cancel(job.id),
        lambda: stack.client.job_retry(job.id),
        lambda: stack.client.job_update(job.id, output=1),
        lambda: stack.client.job_delete(job.id),
    ]
    for method in methods:
        await failures.first(ATTEMPTS - 1, "40001")
        await method()
        assert await failures.tries() == ATTEMPTS


async def test_five_times_at_most(stack: Stack, failures: Failures, database: Database) -> None:
    for state in ("40001", "40P01"):
        await failures.first(99, state)
        with raises(state=state):
            await stack.client.insert(SORT)
        assert await failures.tries() == ATTEMPTS == 5
    assert await database.kinds() == []


async def test_nothing_else_is_retried(stack: Stack, failures: Failures) -> None:
    for state in ("23514", "57014", "55P03", "25006"):
        await failures.first(99, state)
        with raises(state=state):
            await stack.client.insert(SORT)
        assert await failures.tries() == 1


async def test_with_hooks_or_middleware_there_is_one_attempt(stack: Stack, failures: Failures) -> None:
    class Hook:
        def insert_begin(self, params: Any) -> None:
            pass

    class Middleware:
        def insert_many(self, jobs: Any, inner: Any) -> Any:
            return inner()

    class AsyncMiddleware:
        async def insert_many(self, jobs: Any, inner: Any) -> Any:
            return await inner()

    await failures.first(99)
    middleware = AsyncMiddleware() if stack.asynchronous else Middleware()
    for options in ({"hooks": [Hook()]}, {"middleware": [middleware]}):
        before = await failures.tries()
        with raises(state="40001"):
            await stack.client_of(stack.driver, **options).insert(SORT)
    assert (before, await failures.tries()) == (1, 2)


async def test_in_your_transaction_they_never_are(stack: Stack, failures: Failures) -> None:
    await failures.first(99)
    with raises(state="40001"):
        async with stack.transaction() as tx:
            await stack.client.insert(SORT, tx=tx)
    with raises(state="40001"):
        async with stack.client.transaction() as tx:
            await stack.client.insert(SORT, tx=tx)
    async with stack.undone() as tx:
        with raises(state="40001"):
            await stack.client.insert(SORT, tx=tx, savepoint=True)
    assert await failures.tries() == 3


async def test_nor_on_a_bound_driver(stack: Stack, failures: Failures) -> None:
    await failures.first(99)
    for insert in ("insert", "insert_many_fast"):
        with raises(state="40001"):
            async with stack.transaction() as tx:
                await getattr(stack.bound(tx), insert)(SORT if insert == "insert" else [SORT])
    assert await failures.tries() == 2


async def test_you_begin_yours_again_and_no_job_is_inserted_twice(stack: Stack, database: Database) -> None:
    """Two count each other's jobs and insert one if there is none: at SERIALIZABLE one of them fails."""
    both_counted = asyncio.Barrier(2)
    attempts = 0

    async def insert_once(waiting: bool) -> None:
        nonlocal attempts
        attempts += 1
        async with stack.transaction(isolation_level="SERIALIZABLE") as tx:
            total = (await stack.client.job_count(tx=tx)).total
            if waiting:
                await both_counted.wait()
            if not total:
                await stack.client.insert(SORT, tx=tx)

    results = await asyncio.gather(insert_once(True), insert_once(True), return_exceptions=True)
    [error] = [result for result in results if result is not None]
    with raises(state="40001"):
        raise error
    await insert_once(False)
    assert await database.kinds() == ["sort"]
    assert attempts == 3


async def test_it_may_come_with_the_commit(stack: Stack, database: Database) -> None:
    with raises(state="40001"):
        async with stack.transaction(isolation_level="SERIALIZABLE") as late:
            async with stack.transaction(isolation_level="SERIALIZABLE") as early:
                for tx in (early, late):
                    assert (await stack.client.job_count(tx=tx)).total == 0
                await stack.client.insert(DictArgs("early", {}), tx=early)
                await stack.client.insert(DictArgs("late", {}), tx=late)
    assert await database.kinds() == ["early"]


@pytest.mark.parametrize("name", NAMES)
async def test_a_real_one_in_rivers_own_is_not_noticed(name: str, database_url: str, database: Database) -> None:
    async with opened(name, database_url, default_transaction_isolation="serializable") as stack:
        async with stack.transaction() as tx:
            first = await stack.client.insert(SORT, UNIQUE, tx=tx)
            waiting = asyncio.create_task(stack.client.insert(SORT, UNIQUE))
            await database.until_blocked()
        second = await waiting
    assert (second.unique_skipped_as_duplicated, second.job) == (True, first.job)


async def _unique_by_key(stack: Stack) -> list[InsertManyParams]:
    """Return three unique jobs in the order in which batches insert them."""
    jobs = [numbered(number) for number in range(3)]
    async with stack.undone() as tx:
        keys = [(await stack.client.insert(job, UNIQUE, tx=tx)).job.unique_key for job in jobs]
    return [InsertManyParams(jobs[index], UNIQUE) for index in sorted(range(3), key=lambda index: keys[index])]


async def _lock_table(stack: Stack) -> None:
    async with stack.transaction() as tx:
        await stack.sql(tx, "LOCK TABLE river_job IN SHARE MODE")


@pytest.mark.parametrize("name", NAMES)
async def test_a_real_deadlock_that_river_loses_is_not_noticed(
    name: str, database_url: str, database: Database
) -> None:
    """River has the first key and comes to wait for the third; you have the third and wait for the first."""
    async with opened(name, database_url, deadlock_timeout="10ms") as stack:
        first, second, third = await _unique_by_key(stack)
        async with stack.transaction() as yours:
            await stack.sql(yours, "SET LOCAL deadlock_timeout = '1min'")
            await stack.client.insert(third.args, third.insert_opts, tx=yours)
            async with stack.undone() as others:
                await stack.client.insert(second.args, second.insert_opts, tx=others)
                rivers = asyncio.create_task(stack.client.insert_many([first, second, third]))
                await database.until_blocked(1)
                mine = asyncio.create_task(stack.client.insert(first.args, first.insert_opts, tx=yours))
                await database.until_blocked(2)
                # Whoever begins a statement now has to wait for you: River's next attempt cannot be quicker.
                locked = asyncio.create_task(_lock_table(stack))
                await database.until_blocked(3)
            await mine
        results = await rivers
        await locked
    assert [result.unique_skipped_as_duplicated for result in results] == [True, False, True]


@pytest.mark.parametrize("name", NAMES)
async def test_a_deadlock_that_you_lose_is_yours(name: str, database_url: str, database: Database) -> None:
    async with opened(name, database_url, deadlock_timeout="1min") as stack:
        first, second, _ = await _unique_by_key(stack)
        with raises(state="40P01"):
            async with stack.transaction() as yours:
                await stack.sql(yours, "SET LOCAL deadlock_timeout = '10ms'")
                await stack.client.insert(second.args, second.insert_opts, tx=yours)
                rivers = asyncio.create_task(stack.client.insert_many([first, second]))
                await database.until_blocked()
                await stack.client.insert(first.args, first.insert_opts, tx=yours)
        results = await rivers
    assert [result.unique_skipped_as_duplicated for result in results] == [False, False]
