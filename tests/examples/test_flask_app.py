from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from examples.flask_app.app import create_app, db
from tests.examples.support import jobs, rows
from tests.support.server import sqlalchemy_url


@pytest.fixture(params=["psycopg", "psycopg2"])
def http(database_url: str, request: pytest.FixtureRequest) -> Iterator[FlaskClient]:
    app = create_app(sqlalchemy_url(database_url, request.param))
    with app.app_context():
        engine = db.engine
    yield app.test_client()
    engine.dispose()


def test_a_request_leaves_a_row_and_its_job(http: FlaskClient, database_url: str) -> None:
    answer = http.post("/orders", json={"article": "tea", "quantity": 2})

    assert answer.status_code == 201
    order_id, job_id = answer.get_json()["order_id"], answer.get_json()["job_id"]
    assert rows(database_url, "SELECT id, article, quantity FROM purchase") == [(order_id, "tea", 2)]
    assert rows(database_url, "SELECT id FROM river_job") == [(job_id,)]
    assert jobs(database_url) == [("send_parcel", {"order_id": order_id})]


def test_a_refused_request_leaves_neither(http: FlaskClient, database_url: str) -> None:
    answer = http.post("/orders", json={"article": "tea", "quantity": 0})

    assert answer.status_code == 422
    assert rows(database_url, "SELECT * FROM purchase") == []
    assert jobs(database_url) == []
