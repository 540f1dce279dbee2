"""Clients at work while things fail, and what must be true of their jobs afterwards."""

import asyncio
import gc
import multiprocessing
import threading
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine

import riverqueue_psycopg
import riverqueue_sqlalchemy
from riverqueue import AsyncClient, Client, DictArgs, Job, Workers
from tests.support.server import sqlalchemy_url

STACKS = ["psycopg", "asyncpg", "psycopg2"]

#: As the server knows the sessions of clients under test.
NAME = "river_faulty"

#: How many jobs a client works at once, which is fewer than there are.
AT_ONCE = 5

_JOURNAL = """
CREATE TABLE effect (token uuid PRIMARY KEY, job_id bigint NOT NULL, attempt int NOT NULL);
CREATE TABLE step (job_id bigint NOT NULL, attempt int NOT NULL, state text NOT NULL);
CREATE TABLE put_back (job_id bigint NOT NULL, attempt int NOT NULL);
CREATE INDEX ON effect (job_id);
CREATE INDEX ON step (job_id);
CREATE INDEX ON put_back (job_id);
CREATE FUNCTION note_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO step VALUES (NEW.id, NEW.attempt, NEW.state);
    RETURN NULL;
END $$;
CREATE TRIGGER note_step AFTER UPDATE ON river_job
FOR EACH ROW WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION note_step();
"""

_RECORD = "INSERT INTO effect VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"

# As River's rescuer would, but at once, and without an error for the attempt.
_PUT_BACK = """
WITH back AS (
    UPDATE river_job SET state = 'available' WHERE state = 'running' RETURNING id, attempt
) INSERT INTO put_back SELECT id, attempt FROM back RETURNING job_id, attempt
"""

_WRONG = """
SELECT 'not completed: ' || state, id FROM river_job WHERE state <> 'completed'
UNION ALL SELECT 'failed', id FROM river_job WHERE errors IS NOT NULL
UNION ALL SELECT 'completed ' || count(*) || ' times', job_id FROM step WHERE state = 'completed'
    GROUP BY job_id HAVING count(*) > 1
UNION ALL SELECT 'two effects of attempt ' || attempt, job_id FROM effect GROUP BY job_id, attempt HAVING count(*) > 1
UNION ALL SELECT 'no effect of the last attempt', id FROM river_job
    WHERE NOT EXISTS (SELECT FROM effect WHERE job_id = id AND effect.attempt = river_job.attempt)
UNION ALL SELECT 'attempts ' || attempt, id FROM river_job
    WHERE attempt <> 1 + (SELECT count(*) FROM put_back WHERE job_id = id)
UNION ALL SELECT 'claims', id FROM river_job
    WHERE attempt <> (SELECT count(*) FROM step WHERE job_id = id AND state = 'running')
"""

_LOST = "SELECT job_id, attempt FROM put_back NATURAL JOIN effect"


class Scene:
    """A database in which every effect of a job, and every change of its state, is noted.

    Parameters:
        url: Its libpq URL, past whatever fails.
        db: A connection of the test's own.
    """

    def __init__(self, url: str, db: psycopg.AsyncConnection[Any]) -> None:
        self.url = url
        self.db = db
        self.inserted = 0

    async def insert(self, count: int) -> None:
        """Insert jobs, each in a transaction of its own."""
        client = AsyncClient(riverqueue_psycopg.AsyncDriver(self.db))
        for _ in range(count):
            await client.insert(DictArgs("job", {}))
        self.inserted += count

    async def connect_again(self) -> None:
        """Open the test's own connection anew: its server was restarted."""
        await self.db.close()
        self.db = await psycopg.AsyncConnection.connect(self.url, autocommit=True)

    async def put_back(self) -> int:
        """Make all running jobs available: their client is gone. Return how many there were."""
        return len(await (await self.db.execute(_PUT_BACK)).fetchall())

    async def until(self, sql: str, *params: Any) -> None:
        """Ask until the answer is true."""
        async with asyncio.timeout(40):
            while not (await (await self.db.execute(sql, params)).fetchall())[0][0]:
                await self.db.execute("SELECT pg_sleep(0.01)")

    async def until_claimed(self) -> None:
        """Wait until a client has fetched all jobs, which it can only if it goes on."""
        await self.until("SELECT count(*) = 0 FROM river_job WHERE state = 'available'")

    async def until_completed(self) -> None:
        """Wait until all jobs are completed."""
        await self.until("SELECT count(*) = 0 FROM river_job WHERE state <> 'completed'")

    async def check(self) -> None:
        """Find nothing that was lost, or done twice."""
        [(count,)] = await (await self.db.execute("SELECT count(*) FROM river_job")).fetchall()
        assert count == self.inserted
        assert await (await self.db.execute(_WRONG)).fetchall() == []

    async def check_none_was_worked_in_vain(self) -> None:
        """Find no attempt that had its effect, and was put back all the same: its ending was not stored."""
        assert await (await self.db.execute(_LOST)).fetchall() == []

    async def work_the_rest(self, stack: str) -> None:
        """Put back what was fetched by clients that did not get to know it, and have another work it."""
        await self.put_back()
        await self.check_none_was_worked_in_vain()
        async with working(stack, self.url, recording(stack, self.url)):
            await self.until_completed()
        await self.check()

    @asynccontextmanager
    async def nothing_left(self) -> AsyncGenerator[None]:
        """See that the block leaves no task, no thread, no process, and no session of `NAME`."""
        tasks, threads = asyncio.all_tasks(), set(threading.enumerate())
        yield
        if more := asyncio.all_tasks() - tasks:
            _, pending = await asyncio.wait(more, timeout=10)
            assert not pending
        # Those of the loop itself end with it.
        for thread in [each for each in threading.enumerate() if not each.name.startswith("asyncio_")]:
            if thread not in threads:
                await asyncio.to_thread(thread.join, 10)
                assert not thread.is_alive(), thread
        assert multiprocessing.active_children() == []
        gc.collect()  # to which psycopg leaves a connection whose opening was cancelled
        try:
            await self.until("SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = %s", NAME)
        except TimeoutError:
            left = await self.db.execute("SELECT * FROM pg_stat_activity WHERE application_name = %s", [NAME])
            raise AssertionError(await left.fetchall()) from None


@asynccontextmanager
async def opened(url: str) -> AsyncGenerator[Scene]:
    """Open the scene in a database that has River's tables."""
    scene = Scene(url, await psycopg.AsyncConnection.connect(url, autocommit=True))
    try:
        await scene.db.execute(_JOURNAL)
        yield scene
    finally:
        await scene.db.close()


def recording(stack: str, url: str, then: Callable[[Job[Any]], None] = lambda job: None) -> Workers:
    """Make a worker for kind ``job`` that notes its effect, however often it has to try.

    Parameters:
        stack: Whose client it is for.
        url: Where the journal is, past whatever fails.
        then: Called when that is done, in a thread.
    """
    workers = Workers()
    if stack == "psycopg2":

        @workers.work("job")
        def work(job: Job[Any]) -> None:
            asyncio.run(_record(url, job))
            then(job)

    else:

        @workers.work("job")
        async def work_async(job: Job[Any]) -> None:
            await _record(url, job)
            await asyncio.to_thread(then, job)

    return workers


async def _record(url: str, job: Job[Any]) -> None:
    effect = (uuid.uuid4(), job.id, job.attempt)
    while True:
        try:
            async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
                await connection.execute(_RECORD, effect)
                return
        except psycopg.OperationalError:  # the server is not there just now
            await asyncio.sleep(0.01)


@asynccontextmanager
async def driver_of(stack: str, url: str, **pool: Any) -> AsyncGenerator[Any]:
    """Open the driver of a stack."""
    if stack == "psycopg":
        async with riverqueue_psycopg.AsyncDriver(make_conninfo(url, application_name=NAME)) as driver:
            yield driver
    elif stack == "asyncpg":
        named = {"server_settings": {"application_name": NAME}}
        engine = create_async_engine(sqlalchemy_url(url, stack), connect_args=named, **pool)
        yield riverqueue_sqlalchemy.AsyncDriver(engine)
        await engine.dispose()
    else:
        sync_engine = create_engine(sqlalchemy_url(url, stack), connect_args={"application_name": NAME}, **pool)
        yield riverqueue_sqlalchemy.Driver(sync_engine)
        sync_engine.dispose()


def client_of(driver: Any, workers: Workers, **options: Any) -> Any:
    """Make a client that works queue ``default``."""
    settings: dict[str, Any] = {
        "queues": {"default": AT_ONCE},
        "fetch_cooldown": timedelta(milliseconds=1),
        "fetch_poll_interval": timedelta(milliseconds=100),
    }
    client = Client if isinstance(driver, riverqueue_sqlalchemy.Driver) else AsyncClient
    return client(driver, workers=workers, **(settings | options))


async def start(client: Any) -> None:
    """Have a client of either colour begin to work."""
    await (client.start() if isinstance(client, AsyncClient) else asyncio.to_thread(client.start))


async def stop(client: Any) -> None:
    """Have a client of either colour stop."""
    await (client.stop() if isinstance(client, AsyncClient) else asyncio.to_thread(client.stop))


@asynccontextmanager
async def working(stack: str, url: str, workers: Workers, **options: Any) -> AsyncGenerator[Any]:
    """Run a client on a driver of its own while the block runs."""
    async with driver_of(stack, url) as driver:
        client = client_of(driver, workers, **options)
        await start(client)
        try:
            yield client
        finally:
            await stop(client)
