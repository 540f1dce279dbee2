"""River's tables in another schema, made and used by both sides."""

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.interop import adapter as codes
from tests.interop.adapter import Adapter
from tests.interop.conftest import Start
from tests.interop.scene import Listener, ask, insert, job, read_rows, refused, start_worker, wait_for, worked

ALL_VERSIONS = list(range(1, 9))
LONGEST = "s" * 46


def make_schema(url: str, name: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))


@pytest.fixture(params=["go migrates", "python migrates"])
def migrator(request: pytest.FixtureRequest, fresh_database_url: str, start_on: Start, go_program: Path) -> Adapter:
    return start_on("go" if request.param == "go migrates" else "psycopg", fresh_database_url)


@pytest.fixture
def fresh_db(fresh_database_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(fresh_database_url, autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize("schema", ["jobs", "MixedCase_1", "_x", LONGEST])
def test_both_use_a_schema(
    migrator: Adapter, start_on: Start, fresh_database_url: str, fresh_db: psycopg.Connection, schema: str
) -> None:
    make_schema(fresh_database_url, schema)
    assert migrator.request("migrate", {"schema": schema}) == {"versions": ALL_VERSIONS}
    go, ours = start_on("go", fresh_database_url), start_on("session-psycopg", fresh_database_url)
    unique = job("unique", unique={"by_args": True})

    with Listener(fresh_database_url, [schema, "public"]) as listener:
        theirs = insert(go, unique, schema=schema)[0]["job"]
        result = insert(ours, unique, schema=schema)[0]
        assert (result["job"], result["unique_skipped_as_duplicate"]) == (theirs, True)
        assert ours.request("insert_fast", {"jobs": [job("fast", queue="q2")], "schema": schema}) == {"count": 1}
        heard = [(f"{schema}.river_insert", f'{{"queue": "{queue}"}}') for queue in ("default", "default", "q2")]
        assert listener.heard() == heard
    assert read_rows(fresh_db) == []  # the schema of the search_path has tables, too

    start_worker(go, schema=schema, queues=["default", "q2", "q3"])
    ours.request("tx_begin", {"tx": "one"})
    insert(ours, job("in tx", queue="q3"), tx="one", schema=schema)  # another queue: the first two are in cool-down
    ours.request("tx_end", {"tx": "one", "commit": True})
    messages = {json.loads(row["args"])["message"] for row in worked(go, 3)}
    assert messages == {"unique", "fast", "in tx"}


def test_both_look_after_jobs_and_queues_of_a_schema(
    fresh_database_url: str, start_on: Start, go_program: Path
) -> None:
    schema, tx = "MixedCase_1", {"schema": "MixedCase_1", "tx": "one"}
    make_schema(fresh_database_url, schema)
    go, ours = start_on("go", fresh_database_url), start_on("session-psycopg", fresh_database_url)
    go.request("migrate", {"schema": schema})
    start_worker(go, schema=schema)
    insert(ours, {"behavior": "cooperative_cancel"}, schema=schema)
    (job_id,) = (row["id"] for row in worked(go, 1))

    with Listener(fresh_database_url, [schema, "public"]) as listener:
        for method in ("list", "count", "queue_list"):
            theirs, mine = (adapter.request(method, {"schema": schema}) for adapter in (go, ours))
            assert mine == theirs
            assert any(mine.values())
        for method in ("get", "cancel", "retry", "delete"):
            assert ask(ours, method, {"id": job_id}) == codes.NOT_FOUND  # where the search_path leads
        ours.request("tx_begin", {"tx": "one"})
        assert ours.request("cancel", {"id": job_id, **tx})["state"] == "running"
        ours.request("queue", {"action": "pause", "name": "default", **tx})
        ours.request("tx_end", {"tx": "one", "commit": True})
        payloads = [f'{{"action" : "cancel", "job_id" : {job_id}, "queue" : "default"}}']
        payloads.append('{"action":"pause","queue":"default"}')
        assert listener.heard() == [(f"{schema}.river_control", payload) for payload in payloads]
    wait_for(lambda: go.request("stats")["events"] == ["queue_paused", "job_cancelled"])
    assert ours.request("retry", {"id": job_id, "schema": schema})["state"] == "available"
    assert ours.request("delete", {"id": job_id, "schema": schema})["state"] == "available"
    assert ask(go, "get", {"id": job_id, "schema": schema}) == codes.NOT_FOUND


def test_both_refuse_a_schema_that_is_too_long_or_no_name(start: Start, go_program: Path) -> None:
    for name in ("go", "psycopg"):
        adapter = start(name)
        for schema in ("s" * 47, "1x", "a-b", 'a"b', "ä"):
            assert refused(adapter, "insert", {"jobs": [job()], "schema": schema}) == codes.REJECTED


@pytest.mark.parametrize("stack", ["psycopg", "sqlalchemy-psycopg2", "async-engine-asyncpg"])
def test_the_search_path_finds_the_tables(
    migrator: Adapter, start_on: Start, fresh_database_url: str, stack: str
) -> None:
    schema = "found"
    make_schema(fresh_database_url, schema)
    migrator.request("migrate", {"schema": schema})
    mark = "&" if "?" in fresh_database_url else "?"
    url = f"{fresh_database_url}{mark}options=-c%20search_path%3D{schema}"
    go, ours = start_on("go", url), start_on(stack, url)
    start_worker(go)
    with Listener(fresh_database_url, [schema, "public"]) as listener:
        insert(ours, job("found"))
        assert (f"{schema}.river_insert", '{"queue": "default"}') in listener.heard()
    assert [json.loads(row["args"])["message"] for row in worked(go, 1)] == ["found"]
