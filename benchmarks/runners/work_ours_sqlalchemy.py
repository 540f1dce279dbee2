"""Ours at work on SQLAlchemy's asyncpg, with its defaults; a session inserts.

The observer's connection is psycopg's, which an application would not have.
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import shift
import stopwatch
from river_table import observer
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from work_ours import Ours

import riverqueue_sqlalchemy


class OursOnSqlalchemy(Ours):
    """A client on an engine."""

    def __init__(self, plan: shift.Plan, engine: AsyncEngine, observing: psycopg.AsyncConnection) -> None:
        super().__init__(plan, riverqueue_sqlalchemy.AsyncDriver(engine), observing)
        self._engine = engine

    async def insert(self) -> float:
        async with AsyncSession(self._engine) as session:
            await self._client.insert(stopwatch.BenchArgs(1), tx=session)
            sent = time.perf_counter()
            await session.commit()
        return sent


@asynccontextmanager
async def opened(plan: shift.Plan) -> AsyncIterator[OursOnSqlalchemy]:
    engine = create_async_engine(plan.database_url.replace("postgresql:", "postgresql+asyncpg:", 1))
    async with observer(plan.database_url) as observing:
        yield OursOnSqlalchemy(plan, engine, observing)
    await engine.dispose()


if __name__ == "__main__":
    shift.main(opened)
