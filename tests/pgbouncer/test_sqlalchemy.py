"""River's tables and models through PgBouncer: migrations, and the ORM beside the client."""

import pytest
import riverqueue_migrations
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from riverqueue import AsyncClient, Client, InsertOpts, JobState
from riverqueue.testing.conformance.concurrency import together
from riverqueue.testing.conformance.sample import SORT
from riverqueue_sqlalchemy import AsyncDriver, Driver
from riverqueue_sqlalchemy.models import RiverJob
from tests.pgbouncer.stacks import async_engine, engine, in_the_way
from tests.support.pgbouncer import PgBouncer, database_of

OPTS = InsertOpts(pending=True, tags=["one", "two"])


@pytest.fixture
def empty_pooled_url(empty_database_url: str, pgbouncer: PgBouncer) -> str:
    """The libpq URL through PgBouncer of a database without River's tables."""
    return pgbouncer.url_for(database_of(empty_database_url))


def _query(job_id: int):
    return select(RiverJob).where(RiverJob.id == job_id, RiverJob.state == JobState.PENDING)


@pytest.mark.parametrize("library", ["psycopg", "psycopg2"])
def test_models(pooled_url: str, library: str) -> None:
    with engine(pooled_url, library) as made:
        client = Client(Driver(made))
        with Session(made) as session, session.begin():
            job_id = client.insert(SORT, OPTS, tx=session).job.id
            assert session.scalars(_query(job_id)).one().args == SORT.args
        with in_the_way(pooled_url), Session(made) as session:
            job = session.scalars(_query(job_id)).one()
            assert (job.args, job.tags, job.state) == (SORT.args, OPTS.tags, JobState.PENDING)


@pytest.mark.parametrize("library", ["psycopg", "asyncpg"])
async def test_models_async(pooled_url: str, library: str) -> None:
    async with async_engine(pooled_url, library) as made:
        client = AsyncClient(AsyncDriver(made))
        async with AsyncSession(made) as session, session.begin():
            job_id = (await client.insert(SORT, OPTS, tx=session)).job.id
            assert (await session.scalars(_query(job_id))).one().args == SORT.args
        with in_the_way(pooled_url):
            async with AsyncSession(made) as session:
                job = (await session.scalars(_query(job_id))).one()
                assert (job.args, job.tags, job.state) == (SORT.args, OPTS.tags, JobState.PENDING)


@pytest.mark.parametrize("library", ["psycopg", "psycopg2"])
def test_migrations(empty_pooled_url: str, library: str) -> None:
    def upgrade() -> int:
        with engine(empty_pooled_url, library) as made:
            return len(riverqueue_migrations.upgrade(made))

    assert sorted(together(*[upgrade] * 3)) == [0, 0, 8]  # one migrates, the others wait
    with engine(empty_pooled_url, library) as made:
        assert len(riverqueue_migrations.downgrade(made, 0)) == 8
        assert riverqueue_migrations.current(made) == 0


@pytest.mark.parametrize("library", ["psycopg", "asyncpg"])
async def test_migrations_async(empty_pooled_url: str, library: str) -> None:
    async with async_engine(empty_pooled_url, library) as made:
        assert len(await riverqueue_migrations.upgrade(made)) == 8
        assert await riverqueue_migrations.upgrade(made) == []
        assert len(await riverqueue_migrations.downgrade(made, 0)) == 8
