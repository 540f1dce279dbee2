"""What the server says it was sent."""

import psycopg
import pytest

from riverqueue import Client, JobDeleteManyParams, JobListParams
from riverqueue_psycopg import Driver
from tests.support.server import connect

ROWS = "INSERT INTO river_job (args, kind, max_attempts) SELECT '{}', 'kind', 25 FROM generate_series(1, 10000)"


@pytest.fixture
def connection(database_url: str):
    with connect(database_url) as connection:
        connection.execute(ROWS)
        yield connection


@pytest.mark.parametrize(
    "asking",
    [
        lambda client: client.job_delete_many(JobDeleteManyParams(kinds=["kind"], first=10_000)),
        lambda client: client.job_list(JobListParams(kinds=["kind"], first=10_000)).jobs,
    ],
    ids=["job_delete_many", "job_list"],
)
def test_ten_thousand_jobs_take_one_statement(connection: psycopg.Connection, asking) -> None:
    client = Client(Driver(connection))
    client.job_list()  # the server is known from here on
    logged: list[str] = []
    connection.add_notice_handler(lambda notice: logged.append(notice.message_primary or ""))
    connection.execute(
        "SELECT set_config('client_min_messages', 'log', false), set_config('log_statement', 'all', false)"
    )
    assert len(asking(client)) == 10_000
    connection.execute("RESET log_statement")
    *sent, _ = [text for text in logged if "statement:" in text or "execute" in text]
    assert len(sent) == 1
    assert "river_job" in sent[0]
