"""Workers that are given a transaction: their writes and the job's completion are one."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, sessionmaker

import riverqueue_psycopg
import riverqueue_sqlalchemy
from riverqueue import (
    AsyncClient,
    Client,
    DictArgs,
    EventKind,
    Job,
    JobCancel,
    JobSnooze,
    JobState,
    TransactionalWorker,
    TransactionOptions,
    Workers,
    metadata_set,
    record_output,
)
from riverqueue.errors import ConfigurationError
from tests.support.until import until


@pytest.fixture
def effects(db) -> Callable[[], list[int]]:
    db.execute("CREATE TABLE effect (id bigserial PRIMARY KEY, job_id bigint UNIQUE)")
    return lambda: [row[0] for row in db.execute("SELECT job_id FROM effect ORDER BY id")]


@pytest.fixture
def transactional(workers):
    return workers.work("job", transaction=True)


def state_of(db, job_id):
    return JobState(db.execute("SELECT state FROM river_job WHERE id = %s", [job_id]).fetchone()[0])


async def test_writes_and_completion_commit_together(scene, transactional, effects, db):
    @transactional
    async def work(job, tx):
        await tx.execute("INSERT INTO effect (job_id) VALUES (%s)", [job.id])
        metadata_set("note", "kept")
        record_output({"charged": True})
        assert (effects(), state_of(db, job.id)) == ([], JobState.RUNNING)

    event = await scene.work_one()
    assert (event.kind, event.job.state, effects()) == (EventKind.JOB_COMPLETED, JobState.COMPLETED, [event.job.id])
    assert (event.job.metadata["note"], event.job.output) == ("kept", {"charged": True})


@pytest.mark.parametrize(
    ("raised", "kind", "state"),
    [
        (ValueError("no"), EventKind.JOB_FAILED, JobState.AVAILABLE),
        (JobCancel("no"), EventKind.JOB_CANCELLED, JobState.CANCELLED),
        (JobSnooze(timedelta(hours=1)), EventKind.JOB_SNOOZED, JobState.SCHEDULED),
        (SystemExit(1), EventKind.JOB_FAILED, JobState.AVAILABLE),
    ],
    ids=lambda value: getattr(type(value), "__name__", None),
)
async def test_what_raises_writes_nothing(scene, transactional, effects, raised, kind, state):
    @transactional
    async def work(job, tx):
        await tx.execute("INSERT INTO effect (job_id) VALUES (%s)", [job.id])
        raise raised

    event = await scene.work_one()
    assert (event.kind, event.job.state, effects()) == (kind, state, [])


async def test_a_commit_that_fails_fails_the_job(scene, transactional, effects, db):
    db.execute("ALTER TABLE effect ADD FOREIGN KEY (job_id) REFERENCES effect (id) DEFERRABLE INITIALLY DEFERRED")

    @transactional
    async def work(job, tx):
        await tx.execute("INSERT INTO effect (job_id) VALUES (999)")

    event = await scene.work_one()
    assert (event.kind, event.job.state, effects()) == (EventKind.JOB_FAILED, JobState.AVAILABLE, [])
    assert "foreign key" in event.job.errors[0].error


async def test_a_timeout_writes_nothing(scene, transactional, effects):
    @transactional
    async def work(job, tx):
        await tx.execute("INSERT INTO effect (job_id) VALUES (%s)", [job.id])
        await asyncio.Event().wait()

    event = await scene.work_one(job_timeout=timedelta(milliseconds=100))
    assert (event.kind, effects()) == (EventKind.JOB_FAILED, [])


@pytest.mark.parametrize(
    "taken",
    [
        "UPDATE river_job SET state = 'available'",
        "UPDATE river_job SET attempt = attempt + 1",
        "UPDATE river_job SET state = 'cancelled', finalized_at = now()",
    ],
    ids=["rescued", "fetched again", "cancelled"],
)
async def test_a_job_that_was_taken_away_is_rolled_back(scene, transactional, effects, db, taken):
    @transactional
    async def work(job, tx):
        await tx.execute("INSERT INTO effect (job_id) VALUES (%s)", [job.id])
        db.execute(taken)

    async with scene.working() as (client, _):
        job = await scene.insert()
        handle = await client.start()
        await until(lambda: handle.counts().ended)
    after = db.execute("SELECT state, attempt, errors FROM river_job").fetchone()
    assert (effects(), after[2]) == ([], None), job
    assert after[:2] != ("completed", 1)


async def test_the_transaction_begins_as_asked(scene, workers, effects):
    found = []

    @workers.work("job", transaction=TransactionOptions(isolation_level="SERIALIZABLE"))
    async def work(job, tx):
        found.append((await (await tx.execute("SHOW transaction_isolation")).fetchone())[0])

    event = await scene.work_one()
    assert (event.kind, found) == (EventKind.JOB_COMPLETED, ["serializable"])


@dataclass
class ChargeArgs:
    kind: ClassVar[str] = "charge"
    amount: int


class Effect(sa.orm.DeclarativeBase):
    pass


class Row(Effect):
    __tablename__ = "effect"
    id: sa.orm.Mapped[int] = sa.orm.mapped_column(sa.BigInteger, sa.Sequence("effect_id_seq"), primary_key=True)
    job_id: sa.orm.Mapped[int] = sa.orm.mapped_column(sa.BigInteger)


@pytest.mark.parametrize("library", ["psycopg", "asyncpg"])
async def test_a_session_of_the_orm(database_url, effects, library):
    class ChargeWorker(TransactionalWorker[ChargeArgs, AsyncSession]):
        async def work(self, job: Job[ChargeArgs], tx: AsyncSession) -> None:
            tx.add(Row(job_id=job.id))
            if job.args.amount < 0:
                await tx.flush()
                raise JobCancel("negative")

    workers = Workers()
    workers.add(ChargeWorker())
    engine = create_async_engine(sa.make_url(database_url).set(drivername=f"postgresql+{library}"))
    client = AsyncClient(
        riverqueue_sqlalchemy.AsyncDriver(async_sessionmaker(engine)), workers=workers, queues={"default": 4}
    )
    events = client.subscribe()
    async with asyncio.timeout(20), client:
        good = (await client.insert(ChargeArgs(1))).job
        assert (await events.get()).kind is EventKind.JOB_COMPLETED
        await client.insert(ChargeArgs(-1))
        assert (await events.get()).kind is EventKind.JOB_CANCELLED
    await engine.dispose()
    assert effects() == [good.id]


@pytest.mark.parametrize("library", ["psycopg", "psycopg2"])
def test_a_session_in_a_thread(database_url, effects, library):
    workers = Workers()

    @workers.work(ChargeArgs, transaction=True)
    def charge(job: Job[ChargeArgs], tx: Session) -> None:
        tx.add(Row(job_id=job.id))
        if job.args.amount < 0:
            tx.flush()
            raise JobCancel("negative")

    engine = sa.create_engine(sa.make_url(database_url).set(drivername=f"postgresql+{library}"))
    client = Client(riverqueue_sqlalchemy.Driver(sessionmaker(engine)), workers=workers, queues={"default": 4})
    events = client.subscribe()
    with client:
        good = client.insert(ChargeArgs(1)).job
        assert events.get(20).kind is EventKind.JOB_COMPLETED
        client.insert(ChargeArgs(-1))
        assert events.get(20).kind is EventKind.JOB_CANCELLED
    engine.dispose()
    assert effects() == [good.id]


def test_a_connection_in_a_thread(database_url, effects):
    workers = Workers()

    @workers.work("job", transaction=True)
    def work(job: Job[dict], tx: psycopg.Connection) -> None:
        tx.execute("INSERT INTO effect (job_id) VALUES (%s)", [job.id])

    with riverqueue_psycopg.Driver(database_url) as driver:
        client = Client(driver, workers=workers, queues={"default": 4})
        events = client.subscribe()
        with client:
            job = client.insert(DictArgs("job", {})).job
            assert events.get(20).kind is EventKind.JOB_COMPLETED
    assert effects() == [job.id]


def test_the_function_must_fit_the_client(database_url):
    plain, coroutine = Workers(), Workers()

    @plain.work("job", transaction=True)
    def work(job, tx):
        pass

    @coroutine.work("job", transaction=True)
    async def work_async(job, tx):
        pass

    with pytest.raises(ConfigurationError, match="must be an async def"):
        AsyncClient(riverqueue_psycopg.AsyncDriver(database_url), workers=plain)
    with pytest.raises(ConfigurationError, match="must be a plain def"):
        Client(riverqueue_psycopg.Driver(database_url), workers=coroutine)
    with pytest.raises(ConfigurationError, match="must take job and tx"):
        Workers().work("job", transaction=True)(lambda job: None)
    with pytest.raises(ConfigurationError, match="cannot be given a transaction"):
        Workers().work("job", transaction=True, executor="process")(work)
    with pytest.raises(ConfigurationError, match="must be True, False or TransactionOptions"):
        Workers().work("job", transaction="yes")
