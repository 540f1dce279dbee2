"""A job completed in its worker's own transaction."""

import psycopg
import pytest

from riverqueue import EventKind, JobState, client_from_context, metadata_set


@pytest.fixture
def counted(db):
    db.execute("CREATE TABLE counted (job_id bigint)")
    return lambda: db.execute("SELECT count(*) FROM counted").fetchone()[0]


async def write(connection, job):
    await connection.execute("INSERT INTO counted VALUES (%s)", [job.id])


async def test_completed_with_its_writes(scene, register, counted):
    @register
    async def work(job):
        client = client_from_context()
        metadata_set("note", 1)
        async with client.transaction() as tx:
            await write(tx, job)
            done = await client.job_complete(job, tx=tx)
            assert (done.state, done.metadata) == (JobState.COMPLETED, {"note": 1})
            assert (await client.job_get(job.id)).state is JobState.RUNNING

    event = await scene.work_one()
    assert (event.kind, event.job.metadata, counted()) == (EventKind.JOB_COMPLETED, {"note": 1}, 1)


async def test_neither_if_the_transaction_rolls_back(scene, register, counted):
    @register
    async def work(job):
        client = client_from_context()
        async with client.transaction() as tx:
            await write(tx, job)
            await client.job_complete(job, tx=tx)
            raise ValueError("no")

    event = await scene.work_one()
    assert (event.kind, event.job.state, counted()) == (EventKind.JOB_FAILED, JobState.AVAILABLE, 0)


async def test_what_fails_after_the_commit_has_been_completed(scene, register, counted):
    @register
    async def work(job):
        client = client_from_context()
        async with client.transaction() as tx:
            await client.job_complete(job, tx=tx)
        raise ValueError("too late")

    event = await scene.work_one()
    assert (event.kind, event.job.state, event.job.errors) == (EventKind.JOB_COMPLETED, JobState.COMPLETED, [])


async def test_only_running_jobs(scene):
    job = await scene.insert()
    async with scene.client.transaction() as tx:
        with pytest.raises(ValueError, match="only a running job"):
            await scene.client.job_complete(job, tx=tx)
        assert tx.info.transaction_status is psycopg.pq.TransactionStatus.INTRANS
