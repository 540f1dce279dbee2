"""What cannot be asked of jobs and queues is refused before any SQL; the caller's transaction stays usable."""

import re
from datetime import timedelta

import psycopg
import pytest

from riverqueue import (
    AsyncClient,
    Client,
    DictArgs,
    InvalidParamsError,
    JobDeleteManyParams,
    JobListParams,
    JobRunningError,
    NotFoundError,
    RiverError,
    TransactionError,
    Where,
)
from riverqueue_psycopg import AsyncDriver


def shown(value):
    return re.sub(r" at 0x\w+", "", repr(value))


BY_ID = [Client.job_get, Client.job_cancel, Client.job_retry, Client.job_delete, Client.job_update]
BY_NAME = [Client.queue_get, Client.queue_pause, Client.queue_resume, Client.queue_update]


@pytest.fixture
def client(driver):
    return Client(driver)


@pytest.fixture
def unsent(connection):
    """A transaction in which nothing was sent, and which a statement still finds usable."""
    yield connection
    assert connection.info.transaction_status.name == "IDLE"
    assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.fixture
def usable(connection):
    """A transaction that is usable in the end."""
    connection.execute("SELECT 1")
    yield connection
    assert connection.execute("SELECT 2").fetchone() == (2,)


def name(method):
    return method.__name__


@pytest.mark.parametrize("job_id", ["1", None, 1.0, True, 2**63, -(2**63), b"1", [1]], ids=shown)
@pytest.mark.parametrize("method", BY_ID, ids=name)
def test_ids_that_are_none(client, unsent, method, job_id):
    with pytest.raises(InvalidParamsError, match=r"job\.id"):
        method(client, job_id, tx=unsent)
    with pytest.raises(InvalidParamsError):
        client.wait(job_id)


@pytest.mark.parametrize("job_id", [0, -1, 404, 2**63 - 1])
@pytest.mark.parametrize("method", BY_ID, ids=name)
def test_unknown_ids(client, usable, method, job_id):
    with pytest.raises(NotFoundError, match=str(job_id)) as caught:
        method(client, job_id, tx=usable)
    assert isinstance(caught.value, LookupError)


@pytest.mark.parametrize("method", [Client.job_delete, Client.job_retry], ids=name)
def test_running_jobs(client, connection, method):
    job = client.insert(DictArgs("sort", {}), tx=connection).job
    connection.execute("UPDATE river_job SET state = 'running', attempted_at = now()")
    with pytest.raises(JobRunningError, match=f"job {job.id} is running.*job_cancel") as caught:
        method(client, job.id, tx=connection)
    assert caught.value.job == client.job_get(job.id, tx=connection)
    assert client.job_delete_many(JobDeleteManyParams(ids=[job.id]), tx=connection) == []


@pytest.mark.parametrize("method", BY_NAME, ids=name)
def test_unknown_queues(client, usable, method):
    for queue in ("nowhere", "", "No such Queue!", "x" * 1000):
        with pytest.raises(NotFoundError, match="is not found"):
            method(client, queue, tx=usable)


@pytest.mark.parametrize("method", BY_NAME, ids=name)
@pytest.mark.parametrize("queue", [None, 1, b"default", ["default"], "a\0b", "\ud800"], ids=shown)
def test_names_that_are_none(client, unsent, method, queue):
    with pytest.raises(InvalidParamsError, match="queue"):
        method(client, queue, tx=unsent)


@pytest.mark.parametrize(
    "metadata", [[1], "{}", 5, {"a": object()}, {"a": float("nan")}, {"a": "\0"}, {1.5: 1}], ids=shown
)
def test_metadata_that_is_no_object(client, unsent, metadata):
    for update in (client.job_update, client.queue_update):
        key = 1 if update == client.job_update else "default"
        with pytest.raises(InvalidParamsError, match="metadata"):
            update(key, metadata=metadata, tx=unsent)


@pytest.mark.parametrize("output", [object(), float("inf"), "\0", {"a": {1}}], ids=shown)
def test_outputs_that_are_no_json(client, unsent, output):
    with pytest.raises(InvalidParamsError, match="output"):
        client.job_update(1, output=output, tx=unsent)


def test_outputs_that_are_too_large(client, connection):
    job = client.insert(DictArgs("sort", {}), tx=connection).job
    most = "x" * (32 * 1024**2 - 2)  # and two quotes
    assert client.job_update(job.id, output=most, tx=connection).output == most
    with pytest.raises(InvalidParamsError, match="33554433 bytes.*32 MiB"):
        client.job_update(job.id, output=most + "x", tx=connection)
    with pytest.raises(InvalidParamsError, match="32 MiB"):
        client.job_update(job.id, output="é" * (16 * 1024**2), metadata={"a": 1}, tx=connection)


def test_metadata_of_a_queue_that_no_notification_holds(client, usable):
    usable.execute("INSERT INTO river_queue (name) VALUES ('default')")
    with pytest.raises(InvalidParamsError, match="8000 bytes"):
        client.queue_update("default", metadata={"a": "x" * 7933}, tx=usable)
    assert client.queue_update("default", metadata={"a": "x" * 7932}, tx=usable).metadata == {"a": "x" * 7932}


@pytest.mark.parametrize("params", [{}, {"first": 5}, "all", JobDeleteManyParams(unsafe_all=True)], ids=shown)
def test_lists_of_something_else(client, unsent, params):
    for listing in (client.job_list, client.job_list_all):
        with pytest.raises(InvalidParamsError, match="JobListParams"):
            listing(params, tx=unsent)


@pytest.mark.parametrize("params", [None, {}, JobListParams()], ids=shown)
def test_deletions_of_something_else(client, unsent, params):
    with pytest.raises(InvalidParamsError, match="JobDeleteManyParams"):
        client.job_delete_many(params, tx=unsent)


@pytest.mark.parametrize("first", [0, -1, 10_001, "5", None, True])
def test_numbers_of_queues(client, unsent, first):
    with pytest.raises(InvalidParamsError, match="first"):
        client.queue_list(first=first, tx=unsent)


@pytest.mark.parametrize("queues", ["default", [1], 5, ["a\0"]], ids=shown)
def test_counts(client, unsent, queues):
    with pytest.raises(InvalidParamsError, match="queues"):
        client.job_count(queues=queues, tx=unsent)


@pytest.mark.parametrize("timeout", [-1, timedelta(-1), "5", True, float("nan")], ids=shown)
def test_timeouts(client, timeout):
    with pytest.raises(InvalidParamsError, match="timeout"):
        client.wait(1, timeout=timeout)


def test_a_condition_that_is_no_sql_is_the_databases_error(client, connection):
    with pytest.raises(psycopg.errors.UndefinedColumn) as caught:
        client.job_list(JobListParams(where=[Where("no_such_column = 1")]), tx=connection)
    assert caught.value.sqlstate == "42703"
    assert "while River ran JobList" in caught.value.__notes__


def test_wrong_transactions_are_refused(client, driver):
    for call in (
        lambda: client.job_get(1, tx=driver),
        lambda: client.job_list(tx="tx"),
        lambda: client.job_delete_many(JobDeleteManyParams(unsafe_all=True), tx=5),
        lambda: client.queue_pause("default", tx=client),
        lambda: next(client.job_list_all(tx=driver)),
    ):
        with pytest.raises(TransactionError):
            call()


async def test_the_async_client_refuses_alike(database_url):
    async with AsyncDriver(database_url) as driver:
        client = AsyncClient(driver)
        for call in (
            client.job_get("1"),
            client.job_cancel(404),
            client.job_list("all"),
            client.job_delete_many(None),
            client.queue_pause("nowhere"),
            client.queue_update("default", metadata=[1]),
            client.wait(404, timeout=5),
            client.wait(1, timeout=-1),
        ):
            with pytest.raises(RiverError):
                await call
        with pytest.raises(InvalidParamsError):
            client.job_list_all("all")
