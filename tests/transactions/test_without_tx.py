from typing import Any

import pytest
from sqlalchemy import event

from riverqueue import DictArgs, InvalidJobError, JobListParams, Where
from riverqueue.faces.inserts import STREAM_JOBS
from riverqueue.operations import insert as operations
from riverqueue.testing.conformance.expect import raises
from riverqueue.testing.conformance.sample import SORT
from tests.transactions.conftest import Database
from tests.transactions.methods import ALLOW, READS, REFUSE, REFUSED, ROWS, WRITES
from tests.transactions.stacks import NAMES, SQLALCHEMY, SYNC_SQLALCHEMY, Stack, opened

ALL = """
SELECT to_jsonb(job)::text FROM river_job AS job UNION ALL
SELECT to_jsonb(queue)::text FROM river_queue AS queue ORDER BY 1
"""


async def test_each_method_commits_by_itself(stack: Stack, database: Database) -> None:
    await database.run(*ROWS)
    async with stack.undone() as tx:  # one that has nothing to do with it
        await stack.sql(tx, "SELECT 1")
        for method in READS.values():
            await method(stack.client, None)
        for name, method in WRITES.items():
            before = await database.rows(ALL)
            await method(stack.client, None)
            assert await database.rows(ALL) != before, name


@pytest.mark.parametrize("stack", SYNC_SQLALCHEMY, indirect=True)
async def test_that_is_one_statement(stack: Stack) -> None:
    statements: list[str] = []
    await stack.client.insert(SORT)  # the first time the server is asked what it can do
    event.listen(stack.engine, "before_cursor_execute", lambda _1, _2, statement, *_: statements.append(statement))
    await stack.client.insert(SORT)
    await stack.client.insert_many([SORT, SORT])
    await stack.client.job_cancel(1)
    assert [statement.split()[0] for statement in statements] == ["INSERT", "INSERT", "WITH"]


async def test_an_insert_with_middleware_is_a_transaction(stack: Stack, database: Database) -> None:
    class Middleware:
        def insert_many(self, jobs: Any, inner: Any) -> Any:
            inner()
            raise ZeroDivisionError

    class AsyncMiddleware:
        async def insert_many(self, jobs: Any, inner: Any) -> Any:
            await inner()
            raise ZeroDivisionError

    client = stack.client_of(stack.driver, middleware=[AsyncMiddleware() if stack.asynchronous else Middleware()])
    with pytest.raises(ZeroDivisionError):
        await client.insert(SORT)
    assert await database.kinds() == []


async def test_insert_many_fast_is_a_transaction(stack: Stack, database: Database) -> None:
    with pytest.raises(InvalidJobError):
        await stack.client.insert_many_fast([*[SORT] * 2 * STREAM_JOBS, DictArgs("no kind", {})])
    assert await database.kinds() == []


async def test_a_batch_in_several_statements_is_a_transaction(
    stack: Stack, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "CHUNK_BYTES", 1)
    await database.run(REFUSE)
    with raises(state="23514"):
        await stack.client.insert_many([SORT, REFUSED])
    await database.run(ALLOW)
    assert await database.kinds() == []
    assert len(await stack.client.insert_many([SORT, SORT])) == 2


@pytest.mark.parametrize("name", NAMES)
async def test_it_runs_at_the_level_that_is_the_sessions_default(name: str, database_url: str) -> None:
    level = Where("current_setting('transaction_isolation') = 'serializable'")
    async with opened(name, database_url, default_transaction_isolation="serializable") as stack:
        job = (await stack.client.insert(SORT)).job
        assert (await stack.client.job_list(JobListParams(where=[level]))).jobs == [job]


@pytest.mark.parametrize("stack", SQLALCHEMY, indirect=True)
async def test_whatever_level_the_engine_has(stack: Stack) -> None:
    level = Where("current_setting('transaction_isolation') = 'read committed'")
    engine = stack.engine.execution_options(isolation_level="SERIALIZABLE")
    client = stack.client_of(type(stack.driver)(engine))
    job = (await client.insert(SORT)).job
    assert (await client.job_list(JobListParams(where=[level]))).jobs == [job]
