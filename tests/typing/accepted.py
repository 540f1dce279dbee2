"""Type-checks as it stands; never run."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, assert_type

import psycopg
import sqlalchemy
from psycopg_pool import ConnectionPool
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, foreign, relationship, scoped_session, sessionmaker

import riverqueue_psycopg
import riverqueue_sqlalchemy
from riverqueue import (
    AsyncClient,
    AttemptError,
    Client,
    Event,
    EventKind,
    InsertManyParams,
    InsertOpts,
    InsertResult,
    Job,
    JobLogs,
    JobRow,
    JobState,
    QueueConfig,
    TransactionalWorker,
    TransactionOptions,
    UniqueOpts,
    Worker,
    Workers,
)
from riverqueue_sqlalchemy import models
from riverqueue_sqlalchemy.models import RiverJob

workers = Workers()


@dataclass
class SortArgs:
    kind: ClassVar[str] = "sort"
    strings: list[str]


@workers.work(
    SortArgs, timeout=timedelta(seconds=1), next_retry=lambda job: job.scheduled_at if job.args.strings else None
)
async def sort(job: Job[SortArgs]) -> None:
    assert_type(job.args, SortArgs)
    assert_type(job.args.strings, list[str])
    assert_type(job.attempt, int)
    assert_type(job.row, JobRow)


@workers.work("thumbnail", executor="thread")
def thumbnail(job: Job[dict[str, Any]]) -> None:
    assert_type(job.args, dict[str, Any])


@workers.work(SortArgs, transaction=True, kind_aliases=["charge"])
async def charge(job: Job[SortArgs], tx: AsyncSession) -> None:
    await tx.commit()


@workers.work("plain", transaction=TransactionOptions(isolation_level="SERIALIZABLE"))
def plain(job: Job[dict[str, Any]], tx: "psycopg.Connection[tuple[int]]") -> None:
    tx.execute("SELECT 1")


class SortWorker(Worker[SortArgs]):
    async def work(self, job: Job[SortArgs]) -> None:
        assert_type(job.args, SortArgs)

    def timeout(self, job: Job[SortArgs]) -> timedelta | None:
        return timedelta(seconds=len(job.args.strings))


class ChargeWorker(TransactionalWorker[SortArgs, Session]):
    def work(self, job: Job[SortArgs], tx: Session) -> None:
        tx.flush()


assert_type(workers.add(SortWorker()), SortWorker)
workers.add(ChargeWorker())


async def works(engine: AsyncEngine) -> None:
    client = AsyncClient(
        riverqueue_sqlalchemy.AsyncDriver(engine),
        workers=workers,
        queues={"default": 10, "images": QueueConfig(max_workers=2, executor="process")},
        plugins=[JobLogs()],
    )
    with client.subscribe(EventKind.JOB_COMPLETED) as events:
        async with client:
            event = await events.get()
            assert_type(event, Event | None)
    handle = await client.start()
    await handle.stop_and_cancel()


class OwnJson:
    kind = "own"

    def to_json(self) -> str:
        return "{}"


def psycopg_(pool: ConnectionPool, tx: "psycopg.Connection[tuple[int]]") -> None:
    client = Client(riverqueue_psycopg.Driver(pool))
    result = client.insert(SortArgs(["b"]), InsertOpts(priority=2, unique_opts=UniqueOpts(by_args=True)), tx=tx)
    assert_type(result, InsertResult)
    assert_type(result.job, JobRow)
    assert_type(result.job.state, JobState)
    assert_type(result.unique_skipped_as_duplicated, bool)
    assert_type(
        client.insert_many([SortArgs([]), InsertManyParams(OwnJson()), lambda: SortArgs([])]), list[InsertResult]
    )
    assert_type(client.insert_many_fast([OwnJson()], tx=tx), int)
    with client.transaction(isolation_level="SERIALIZABLE") as own:
        client.insert_tx(own, OwnJson())
        own.execute("SELECT 1")


def sqlalchemy_(engine: sqlalchemy.Engine, session: Session, scoped: scoped_session[Session]) -> None:
    client = Client(riverqueue_sqlalchemy.Driver(engine))
    client.insert(OwnJson(), tx=session)
    client.insert(OwnJson(), tx=scoped)
    with engine.begin() as connection:
        client.insert(OwnJson(), tx=connection)
    with client.transaction() as tx:
        assert_type(tx, sqlalchemy.Connection)
        client.insert(OwnJson(), tx=tx)
    orm = Client(riverqueue_sqlalchemy.Driver(sessionmaker(engine)))
    with orm.transaction() as own:
        assert_type(own, Session)
        own.add(object())


async def sqlalchemy_async(engine: AsyncEngine, session: AsyncSession) -> None:
    client = AsyncClient(riverqueue_sqlalchemy.AsyncDriver(engine))
    assert_type(await client.insert(SortArgs([]), tx=session), InsertResult)
    async with client.transaction() as tx:
        assert_type(tx, AsyncConnection)
    orm = AsyncClient(riverqueue_sqlalchemy.AsyncDriver(async_sessionmaker(engine)))
    async with orm.transaction() as own:
        assert_type(own, AsyncSession)


async def psycopg_async(tx: "psycopg.AsyncConnection[tuple[int]]") -> None:
    client = AsyncClient(riverqueue_psycopg.AsyncDriver("postgresql://"))
    assert_type(await client.insert_many([OwnJson()], tx=tx), list[InsertResult])


class Base(DeclarativeBase):
    pass


class OwnRiverJob(models.JobModel, Base):
    __table__ = models.tables(Base.metadata).job
    retries: Mapped[list[RiverJob]] = relationship(
        RiverJob, primaryjoin=lambda: foreign(RiverJob.args["retries"].as_integer()) == OwnRiverJob.id, viewonly=True
    )


def models_(session: Session, connection: sqlalchemy.Connection) -> None:
    running = sqlalchemy.select(RiverJob).where(RiverJob.state == JobState.RUNNING, RiverJob.args.contains({"a": 1}))
    job = session.scalars(running.where(RiverJob.args["a"].as_integer() > 1).order_by(RiverJob.id.desc())).one()
    assert_type(job, RiverJob)
    assert_type(job.id, int)
    assert_type(job.args, dict[str, Any])
    assert_type(job.errors, list[AttemptError] | None)
    assert_type(job.finalized_at, datetime | None)
    assert_type(job.metadata_, dict[str, Any])
    assert_type(job.state, JobState)
    assert_type(job.unique_key, bytes | None)
    assert_type(job.unique_states, list[JobState] | None)
    state, count = session.execute(sqlalchemy.select(RiverJob.state, sqlalchemy.func.count()).limit(1)).one()
    assert_type(state, JobState)
    assert_type(count, int)
    assert_type(session.get(models.RiverQueue, "default"), models.RiverQueue | None)
    river = models.classes(Base, schema="jobs")
    assert_type(session.get_one(river.job, 1), models.JobModel)
    assert_type(session.get_one(river.queue, "default").paused_at, datetime | None)
    own = session.get_one(OwnRiverJob, 1)
    assert_type(own.state, JobState)
    assert_type(own.retries, list[RiverJob])
    connection.execute(sqlalchemy.select(models.job.c.id, models.tables(sqlalchemy.MetaData(), schema="jobs").queue))
