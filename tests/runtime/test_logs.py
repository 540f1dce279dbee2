"""What is logged in jobs, and kept with them."""

import asyncio
import json
import logging
from datetime import timedelta

import pytest

from riverqueue import DictArgs, EventKind, InsertOpts, JobFieldsFilter, JobLogs, job_fields
from riverqueue.errors import ConfigurationError

log = logging.getLogger("app")


@pytest.fixture(autouse=True)
def let_info_through(caplog):
    caplog.set_level(logging.INFO)


async def test_each_attempt_has_its_own_log(scene, register):
    @register
    async def work(job):
        log.info("attempt %d", job.attempt)
        await asyncio.get_running_loop().create_task(child())
        if job.attempt == 1:
            raise ValueError("no")

    async def child():
        log.warning("in a task \0 of its own: ü")

    async with scene.working(plugins=[JobLogs()], fetch_poll_interval=timedelta(milliseconds=100)) as (_, events):
        await scene.insert(metadata={"mine": 1})
        await events.get()
        event = await events.get()
    assert event.job.metadata["mine"] == 1
    assert event.job.metadata["river:log"] == [
        {"attempt": n, "log": f"INFO app: attempt {n}\nWARNING app: in a task  of its own: ü\n"} for n in (1, 2)
    ]


async def test_plain_functions_log_too(scene, register):
    register(lambda job: log.info("in a thread"))
    event = await scene.work_one(plugins=[JobLogs()])
    assert event.job.metadata["river:log"] == [{"attempt": 1, "log": "INFO app: in a thread\n"}]


async def test_jobs_at_once_do_not_share_a_log(scene, register):
    both = asyncio.Barrier(2)

    @register
    async def work(job):
        await both.wait()
        log.info("job %d", job.id)

    async with scene.working(plugins=[JobLogs()]) as (client, events):
        for _ in range(2):
            await client.insert(DictArgs("job", {}))
        jobs = [(await events.get()).job for _ in range(2)]
    for job in jobs:
        assert job.metadata["river:log"] == [{"attempt": 1, "log": f"INFO app: job {job.id}\n"}]


async def test_nothing_is_kept_of_nothing(scene, register):
    register(lambda job: None)
    event = await scene.work_one(plugins=[JobLogs()])
    assert "river:log" not in event.job.metadata


async def test_level_and_format_can_be_chosen(scene, register):
    @register
    async def work(job):
        log.info("not kept")
        log.error("kept")

    plugin = JobLogs(level=logging.ERROR, formatter=logging.Formatter("<%(message)s>"))
    event = await scene.work_one(plugins=[plugin])
    assert event.job.metadata["river:log"][0]["log"] == "<kept>\n"


async def test_what_is_too_long_is_cut(scene, register):
    @register
    async def work(job):
        log.info("ü" * 100)

    plugin = JobLogs(max_size_bytes=20, formatter=logging.Formatter("%(message)s"))
    event = await scene.work_one(plugins=[plugin])
    assert event.job.metadata["river:log"][0]["log"] == "ü" * 10


async def test_the_oldest_are_dropped(scene, register):
    @register
    async def work(job):
        log.info("x" * 100)

    before = [{"attempt": 1, "log": "a" * 100}, {"attempt": 2, "log": "b" * 100}]
    event = await scene.work_one(
        opts=InsertOpts(metadata={"river:log": before}), plugins=[JobLogs(max_total_bytes=300)]
    )
    assert [entry["log"][0] for entry in event.job.metadata["river:log"]] == ["b", "I"]


@pytest.mark.parametrize("sizes", [{"max_size_bytes": 0}, {"max_total_bytes": -1}])
def test_sizes_are_checked(sizes):
    with pytest.raises(ConfigurationError, match="positive"):
        JobLogs(**sizes)


async def test_records_have_the_fields_of_their_job(scene, register, caplog):
    found = {}

    @register
    def work(job):
        found.update(job_fields())
        record = logging.LogRecord("app", logging.INFO, "", 0, "", (), None)
        assert JobFieldsFilter().filter(record)
        assert {name: getattr(record, name) for name in found} == found

    event = await scene.work_one()
    assert found == {"job_id": event.job.id, "kind": "job", "queue": "default", "attempt": 1}
    assert job_fields() == {}
    record = logging.LogRecord("app", logging.INFO, "", 0, "", (), None)
    assert JobFieldsFilter().filter(record)
    assert not hasattr(record, "job_id")


async def test_failures_are_logged_with_their_job(scene, register, caplog):
    @register
    async def work(job):
        raise ValueError("no good \ud800")

    event = await scene.work_one()
    assert event.kind is EventKind.JOB_FAILED
    (record,) = [record for record in caplog.records if record.name == "riverqueue.worker"]
    assert record.getMessage() == (
        f"job {event.job.id} of kind job failed in attempt 1 of 25, it is tried again: no good ?"
    )
    assert (record.job_id, record.kind, record.queue, record.attempt) == (event.job.id, "job", "default", 1)
    json.dumps(record.getMessage()).encode()
