from collections.abc import AsyncGenerator
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine

from riverqueue import ConfigurationError, SchemaError
from riverqueue.testing.conformance.sample import SORT
from tests.support.server import sqlalchemy_url
from tests.transactions.conftest import Database
from tests.transactions.stacks import SESSIONS, Stack, settle

pytestmark = pytest.mark.parametrize("stack", SESSIONS, indirect=True)


@pytest.fixture
async def other(stack: Stack, server_url: str) -> AsyncGenerator[Any]:
    """An engine of another database, without River's tables."""
    create = create_async_engine if stack.asynchronous else create_engine
    engine: Any = create(sqlalchemy_url(server_url, stack.engine.dialect.driver))
    yield engine
    await settle(engine.dispose)


async def test_say_which_one_has_rivers_tables(stack: Stack, other: Any, database: Database) -> None:
    river = stack.engine.sync_engine if stack.asynchronous else stack.engine
    sessions = type(stack.source)(other)
    client = stack.client_of(type(stack.driver)(sessions, bind_arguments={"bind": river}))
    for end in ("rollback", "commit"):
        session = sessions()
        await settle(session.execute, text("SELECT 1"))
        await client.insert(SORT, tx=session)
        await settle(getattr(session, end))
        await settle(session.close)
    await client.insert(SORT)
    async with client.transaction() as session:
        await client.insert(SORT, tx=session)
    assert await database.kinds() == ["sort"] * 3


async def test_otherwise_it_is_the_sessions_own(stack: Stack, other: Any) -> None:
    sessions = type(stack.source)(other)
    client = stack.client_of(type(stack.driver)(sessions))
    with pytest.raises(SchemaError):
        await client.insert(SORT)


async def test_if_it_has_none_that_is_said(stack: Stack) -> None:
    client = stack.client_of(type(stack.driver)(type(stack.source)()))
    with pytest.raises(ConfigurationError, match="bind_arguments"):
        await client.insert(SORT)
