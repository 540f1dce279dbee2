from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine, event, exc

import riverqueue_sqlalchemy
from riverqueue import (
    Client,
    DictArgs,
    InsertManyParams,
    InsertOpts,
    InvalidJobError,
    InvalidParamsError,
    JobListParams,
    JobRunningError,
    NotFoundError,
    RiverError,
    SchemaError,
    TransactionError,
)
from riverqueue.testing.conformance.expect import raises
from riverqueue.testing.conformance.sample import SORT, UNIQUE
from tests.support.server import sqlalchemy_url
from tests.transactions.conftest import Database
from tests.transactions.methods import REFUSE, REFUSED
from tests.transactions.stacks import PSYCOPG, Stack, settle

RUNNING = "INSERT INTO river_job (id, args, kind, max_attempts, state) VALUES (1000, '{}', 'running', 25, 'running')"


async def test_after_an_error_of_rivers_own_your_transaction_is_intact(stack: Stack, database: Database) -> None:
    await database.run(RUNNING)
    client = stack.client
    elsewhere = stack.client_of(stack.driver, schema="nowhere")
    errors: list[tuple[type[RiverError], Callable[[Any], Awaitable[Any]]]] = [
        (InvalidJobError, lambda tx: client.insert(SORT, InsertOpts(priority=5), tx=tx)),
        (InvalidParamsError, lambda tx: client.job_get("1", tx=tx)),
        (InvalidParamsError, lambda tx: client.job_list(JobListParams(first=0), tx=tx)),
        (NotFoundError, lambda tx: client.job_get(404, tx=tx)),
        (NotFoundError, lambda tx: client.job_cancel(404, tx=tx)),
        (NotFoundError, lambda tx: client.queue_pause("nowhere", tx=tx)),
        (JobRunningError, lambda tx: client.job_delete(1000, tx=tx)),
        (JobRunningError, lambda tx: client.job_retry(1000, tx=tx)),
        (SchemaError, lambda tx: elsewhere.insert(SORT, tx=tx)),
    ]
    async with stack.transaction() as tx:
        for error, method in errors:
            with pytest.raises(error):
                await method(tx)
            await client.insert(DictArgs("after", {}), tx=tx)
    assert await database.kinds() == ["after"] * len(errors) + ["running"]


async def test_an_error_of_the_database_is_your_librarys_with_a_note(stack: Stack) -> None:
    with raises(state="23505") as caught:
        async with stack.transaction() as tx:
            await stack.client.insert(SORT, UNIQUE, tx=tx)
            await stack.client.insert_many_fast([InsertManyParams(SORT, UNIQUE)], tx=tx)
    expected = psycopg.errors.UniqueViolation if stack.name in PSYCOPG else exc.IntegrityError
    assert type(caught.value) is expected
    assert caught.value.__notes__ == ["while River ran Copy river_job"]


async def test_after_it_the_transaction_is_lost_until_you_roll_it_back(stack: Stack, database: Database) -> None:
    async with stack.idle() as tx:
        await stack.client.insert(SORT, tx=tx)
        await _fail(stack, tx)
        with raises(state="25P02"):
            await stack.sql(tx, "SELECT 1")
        # psycopg says so before anything is sent, SQLAlchemy does not know.
        with raises(TransactionError) if stack.name in PSYCOPG else raises(state="25P02"):
            await stack.client.job_list(tx=tx)
        await settle(tx.rollback)
        await stack.client.insert(DictArgs("again", {}), tx=tx)
        await settle(tx.commit)
    assert await database.kinds() == ["again"]


async def test_to_commit_it_all_the_same_is_a_rollback_without_a_word(stack: Stack, database: Database) -> None:
    async with stack.transaction() as tx:
        await stack.client.insert(SORT, tx=tx)
        await _fail(stack, tx)
    assert await database.kinds() == []


async def _fail(stack: Stack, tx: Any) -> None:
    await stack.sql(tx, REFUSE)
    with raises(state="23514"):
        await stack.client.insert(REFUSED, tx=tx)


@pytest.mark.parametrize("library", ["psycopg", "psycopg2"])
def test_messages_hold_your_args_only_where_something_watches_the_engine(library: str, database_url: str) -> None:
    def message(*, watched: bool, **settings: Any) -> str:
        engine = create_engine(sqlalchemy_url(database_url, library), **settings)
        if watched:
            event.listen(engine, "before_cursor_execute", lambda *_: None)
        with raises(state="23514") as caught, engine.begin() as tx:
            tx.exec_driver_sql(REFUSE)
            Client(riverqueue_sqlalchemy.Driver(engine)).insert(REFUSED, tx=tx)
        engine.dispose()
        return str(caught.value)

    assert "[parameters: " not in message(watched=False)
    assert "[parameters: " in message(watched=True)
    assert "[parameters: " not in message(watched=True, hide_parameters=True)
    assert "DETAIL:  Failing row contains (" in message(watched=False)  # PostgreSQL's own words
