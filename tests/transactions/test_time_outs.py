import pytest

from riverqueue import DictArgs, TransactionError
from riverqueue.testing.conformance.expect import Undo, raises
from riverqueue.testing.conformance.sample import SORT, UNIQUE
from tests.transactions.conftest import Database
from tests.transactions.methods import READS, ROWS, WRITES
from tests.transactions.stacks import NAMES, Stack, opened, settle

SHOW = """
SELECT name, setting FROM pg_settings WHERE name LIKE '%timeout' ORDER BY 1
"""

both = pytest.mark.parametrize(("setting", "state"), [("statement_timeout", "57014"), ("lock_timeout", "55P03")])


async def test_river_sets_none(stack: Stack, database: Database) -> None:
    await database.run(*ROWS)
    before = await database.rows(SHOW)
    async with stack.client.transaction() as tx:
        for method in {**READS, **WRITES}.values():
            await method(stack.client, tx)
        assert await stack.sql(tx, SHOW) == before


@both
async def test_they_end_a_wait_and_your_transaction_is_lost(stack: Stack, setting: str, state: str) -> None:
    async with stack.transaction() as others:
        job = (await stack.client.insert(SORT, UNIQUE, tx=others)).job
        async with stack.idle() as tx:
            await stack.client.insert(DictArgs("lost", {}), tx=tx)
            await stack.sql(tx, f"SET LOCAL {setting} = '100ms'")
            with raises(state=state) as caught:
                await stack.client.insert(SORT, UNIQUE, tx=tx)
            assert caught.value.__notes__ == ["while River ran JobInsertManyUnique"]
            with raises(state="25P02"):
                await stack.sql(tx, "SELECT 1")
            await settle(tx.rollback)
    assert (await stack.client.job_list()).jobs == [job]


@both
async def test_a_savepoint_keeps_it_usable(stack: Stack, setting: str, state: str) -> None:
    async with stack.transaction() as others, stack.transaction() as tx:
        job = (await stack.client.insert(SORT, UNIQUE, tx=others)).job
        await stack.sql(tx, f"SET LOCAL {setting} = '100ms'")
        with raises(state=state):
            await stack.client.insert(SORT, UNIQUE, tx=tx, savepoint=True)
        await stack.sql(tx, f"SET LOCAL {setting} = 0")
        await stack.client.insert(DictArgs("kept", {}), tx=tx)
    assert [each.kind for each in (await stack.client.job_list()).jobs] == [job.kind, "kept"]


async def test_set_local_ends_with_the_transaction(stack: Stack) -> None:
    async with stack.idle() as tx:
        before = await stack.sql(tx, "SHOW lock_timeout")
        await stack.sql(tx, "SET LOCAL lock_timeout = '1s'")
        await stack.client.insert(SORT, tx=tx)
        assert await stack.sql(tx, "SHOW lock_timeout") == [("1s",)]
        await settle(tx.commit)
        assert await stack.sql(tx, "SHOW lock_timeout") == before


@pytest.mark.parametrize("name", NAMES)
async def test_those_of_the_session_end_rivers_own_which_is_not_tried_again(
    name: str, database_url: str, database: Database
) -> None:
    async with opened(name, database_url) as patient, opened(name, database_url, lock_timeout="10ms") as stack:
        async with patient.transaction() as others:
            await patient.client.insert(SORT, UNIQUE, tx=others)
            with raises(state="55P03"):
                await stack.client.insert(SORT, UNIQUE)
    # An attempt that fails has used up an id: this is the third.
    await database.run("INSERT INTO river_job (args, kind, max_attempts) VALUES ('{}', 'next', 25)")
    assert await database.rows("SELECT id FROM river_job WHERE kind = 'next'") == [(3,)]


async def test_idle_in_transaction_ends_the_session_and_all_is_rolled_back(stack: Stack, database: Database) -> None:
    with raises(Undo):
        async with stack.transaction() as tx:
            await stack.client.insert(SORT, tx=tx)
            [(pid,)] = await stack.sql(tx, "SELECT pg_backend_pid()")
            await stack.sql(tx, "SET LOCAL idle_in_transaction_session_timeout = 1")
            await database.until(f"SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = {pid})")
            errors = []
            for _ in range(3):  # asyncpg may take two to notice
                with raises() as caught:
                    await stack.client.insert(SORT, tx=tx)
                errors.append(caught.value)
            raise Undo
    assert errors[0].__notes__ == ["while River ran JobInsert"]
    with pytest.raises(TransactionError, match="closed|lost"):
        raise errors[2]
    assert await database.kinds() == []
    await stack.client.insert(SORT)
