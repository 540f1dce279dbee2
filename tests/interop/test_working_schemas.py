"""A client works in another schema than its connections', and hears of its jobs there."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.interop.conftest import Start
from tests.interop.scene import insert, job, wait_for
from tests.interop.sides import Sides, started

SCHEMA = "Other_1"
MINUTE = 60_000


@pytest.fixture
def schema(sides: Sides) -> Iterator[str]:
    """Another schema with River's tables."""
    sides.db.execute(f'CREATE SCHEMA "{SCHEMA}"')
    sides.inserter.request("migrate", {"schema": SCHEMA})
    yield SCHEMA
    sides.worker.request("stop")
    sides.db.execute(f'DROP SCHEMA "{SCHEMA}" CASCADE')


def test_the_schema_that_is_given(sides: Sides, schema: str) -> None:
    sides.start(schema=schema, fetch_poll_interval_ms=MINUTE)
    here = sides.insert()
    there = insert(sides.inserter, job(), schema=schema)[0]["job"]
    sides.wait_for_events("job_completed")
    both = ({"id": here}, {"id": there["id"], "schema": schema})
    states = [sides.worker.request("get", where)["job"]["state"] for where in both]
    assert states == ["available", "completed"]


def test_the_schema_of_the_search_path(
    fresh_database_url: str, start_on: Start, go_program: Path, working_stack: str
) -> None:
    mark = "&" if "?" in fresh_database_url else "?"
    url = f"{fresh_database_url}{mark}options=-c%20search_path%3D%22{SCHEMA}%22"
    with psycopg.connect(fresh_database_url, autocommit=True) as db:
        db.execute(f'CREATE SCHEMA "{SCHEMA}"')
    go, ours = start_on("go", url), start_on(working_stack, url)
    go.request("migrate", {"schema": SCHEMA})
    for inserter, worker in ((go, ours), (ours, go)):
        started(worker, fetch_poll_interval_ms=MINUTE)
        insert(inserter, job())
        wait_for(lambda worker=worker: worker.request("stats")["events"] == ["job_completed"])  # type: ignore[misc]
        worker.request("stop")
