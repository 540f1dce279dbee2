"""Every line marked ``# refused`` must be an error, and no other; never run."""

from typing import Any

import psycopg
import sqlalchemy
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session

import riverqueue_psycopg
import riverqueue_sqlalchemy
from riverqueue import AsyncClient, Client, InsertOpts, Job, JobSnooze, QueueConfig, Worker, Workers
from riverqueue_sqlalchemy import models


class Args:
    kind = "own"

    def to_json(self) -> str:
        return "{}"


class NoKind:
    pass


workers = Workers()


@workers.work(Args)  # refused
async def another_class(job: Job[NoKind]) -> None: ...


@workers.work(Args)  # refused
async def no_transaction_was_asked_for(job: Job[Args], tx: Session) -> None: ...


@workers.work(Args, transaction=True)  # refused
async def no_place_for_the_transaction(job: Job[Args]) -> None: ...


@workers.work("kind")  # refused
def what_it_returns_would_be_lost(job: Job[dict[str, Any]]) -> int:
    return 1


@workers.work("kind", timeout=5)  # refused
def no_timedelta(job: Job[dict[str, Any]]) -> None: ...


@workers.work("kind", executor="fiber")  # refused
def no_executor(job: Job[dict[str, Any]]) -> None: ...


@workers.work("kind", patience=1)  # refused
def no_such_option(job: Job[dict[str, Any]]) -> None: ...


class WrongWorker(Worker[Args]):
    def work(self, job: Job[NoKind]) -> None: ...  # refused


workers.add(another_class)  # refused
JobSnooze(5)  # refused
QueueConfig(max_workers=1, executor="fiber")  # refused


def refused(
    connection: "psycopg.Connection[tuple[int]]",
    async_connection: "psycopg.AsyncConnection[tuple[int]]",
    engine: sqlalchemy.Engine,
    async_engine: AsyncEngine,
    session: Session,
    async_session: AsyncSession,
) -> None:
    by_psycopg = Client(riverqueue_psycopg.Driver("postgresql://"))
    by_psycopg.insert(Args(), tx=session)  # refused
    by_psycopg.insert(Args(), tx=async_connection)  # refused
    by_psycopg.insert(Args(), tx="a name")  # refused
    by_psycopg.insert_tx(session, Args())  # refused
    by_psycopg.insert(NoKind(), tx=connection)  # refused
    by_psycopg.insert("sort", tx=connection)  # refused
    by_psycopg.insert(Args(), InsertOpts(priority="high"), tx=connection)  # refused
    by_psycopg.insert(Args(), priority=1)  # refused
    by_psycopg.transaction(isolation_level="CHAOS")  # refused

    by_sqlalchemy = Client(riverqueue_sqlalchemy.Driver(engine))
    by_sqlalchemy.insert(Args(), tx=connection)  # refused
    by_sqlalchemy.insert(Args(), tx=engine)  # refused
    by_sqlalchemy.insert(Args(), tx=async_session)  # refused

    Client(riverqueue_sqlalchemy.AsyncDriver(async_engine))  # refused
    AsyncClient(riverqueue_sqlalchemy.Driver(engine))  # refused
    Client(engine)  # refused
    riverqueue_psycopg.Driver(engine)  # refused
    riverqueue_sqlalchemy.Driver(connection)  # refused
    riverqueue_sqlalchemy.Driver(async_engine)  # refused


async def refused_async(engine: AsyncEngine, session: Session, connection: sqlalchemy.Connection) -> None:
    client = AsyncClient(riverqueue_sqlalchemy.AsyncDriver(engine))
    await client.insert(Args(), tx=session)  # refused
    await client.insert(Args(), tx=connection)  # refused


def refused_models(session: Session, engine: sqlalchemy.Engine) -> None:
    job = session.get_one(models.RiverJob, 1)
    print(job.status)  # refused
    print(job.metadata)  # refused
    print(job.finalized_at.year)  # refused
    print(job.errors[0])  # refused
    job.state = "done"  # refused
    print(models.RiverJob.status)  # refused
    models.classes(engine)  # refused
    models.classes(NoKind)  # refused
    models.tables(engine)  # refused
    models.tables(models.metadata, "jobs")  # refused
