from collections.abc import AsyncIterator

import httpx
import pytest

from examples.fastapi_app.app import create_app
from tests.examples.support import jobs, rows
from tests.support.server import sqlalchemy_url


@pytest.fixture(params=["psycopg", "asyncpg"])
async def http(database_url: str, request: pytest.FixtureRequest) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(sqlalchemy_url(database_url, request.param))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client,
    ):
        yield client


async def test_a_request_leaves_a_row_and_its_job(http: httpx.AsyncClient, database_url: str) -> None:
    answer = await http.post("/people", json={"email": "ada@example.org"})

    assert answer.status_code == 201
    person_id, job_id = answer.json()["person_id"], answer.json()["job_id"]
    assert rows(database_url, "SELECT id, email FROM person") == [(person_id, "ada@example.org")]
    assert rows(database_url, "SELECT id FROM river_job") == [(job_id,)]
    assert jobs(database_url) == [("send_welcome", {"person_id": person_id})]


async def test_a_refused_request_leaves_neither(http: httpx.AsyncClient, database_url: str) -> None:
    await http.post("/people", json={"email": "ada@example.org"})
    answer = await http.post("/people", json={"email": "ada@example.org"})

    assert answer.status_code == 409
    assert rows(database_url, "SELECT email FROM person") == [("ada@example.org",)]
    assert len(jobs(database_url)) == 1
