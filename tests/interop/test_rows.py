"""A row is the same to the last byte, whoever inserted it."""

from collections.abc import Mapping
from typing import Any

import psycopg

from tests.interop.adapter import Adapter
from tests.interop.scene import insert, job, read_rows

FUTURE = "2031-02-03T04:05:06.123456Z"

JOBS: list[dict[str, Any]] = [
    job(),
    job('é☃😀 <&> \u2028 "\\\n\t\x01'),
    job("tags", tags=["abc", "d-e", "f_g"]),
    job("one tag", tags=["abc"]),
    job("priority", priority=4),
    job("queue", queue="a-queue_1"),
    job("attempts", max_attempts=1),
    job("most attempts", max_attempts=32_767),
    job("metadata", metadata={"b": 1.0, "a": {"z": [None, True, "é<"], "y": 10**30}, "": ""}),
    job("empty metadata", metadata={}),
    job("scheduled", scheduled_at=FUTURE),
    job("scheduled in the past", scheduled_at="2001-02-03T04:05:06Z"),
    job("scheduled elsewhere", scheduled_at="2031-02-03T09:35:06.5+05:30"),
    job("pending", pending=True),
    job("pending and scheduled", pending=True, scheduled_at=FUTURE),
    job("all", tags=["abc"], priority=2, queue="other", max_attempts=7, metadata={"a": 1}, scheduled_at=FUTURE),
]

UNIQUE: list[dict[str, Any]] = [
    job("by args", unique={"by_args": True}),
    job("by queue", queue="q1", unique={"by_queue": True}),
    job("by period", scheduled_at=FUTURE, unique={"by_period_ms": 900_000}),
    job(
        "by state", queue="q2", unique={"by_queue": True, "by_state": ["available", "pending", "running", "scheduled"]}
    ),
    job(
        "by all",
        queue="q3",
        scheduled_at=FUTURE,
        unique={"by_args": True, "by_period_ms": 1000, "by_queue": True, "exclude_kind": True},
    ),
]


# How the jobs are put into calls, of which a client may make different statements.
WAYS: dict[str, list[list[dict[str, Any]]]] = {
    "in one batch": [JOBS + UNIQUE],
    "one by one": [[job] for job in JOBS + UNIQUE],
    "alike": [[job("all", tags=["abc"], priority=2, queue="other", metadata={"a": 1})] * 3, [job()] * 3],
}


def rows_of(adapter: Adapter, db: psycopg.Connection, method: str, *params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Let an adapter insert, and take the rows out of the table."""
    for each in params:
        adapter.request(method, each)
    rows = read_rows(db)
    db.execute("TRUNCATE river_job")
    return rows


def test_inserted_rows_are_equal(ours: Adapter, go: Adapter, db: psycopg.Connection) -> None:
    for way, batches in WAYS.items():
        for method in ("insert", "insert_fast"):
            params = [{"jobs": batch} for batch in batches]
            theirs = rows_of(go, db, method, *params)
            assert len(theirs) == sum(map(len, batches))
            nothing = (theirs[-1]["attempted_by"], theirs[-1]["errors"], theirs[-1]["tags"])
            assert nothing == (None, None, "{}")
            assert rows_of(ours, db, method, *params) == theirs, (way, method)


def test_rows_inserted_in_a_transaction_are_equal(ours: Adapter, go: Adapter, db: psycopg.Connection) -> None:
    for way, batches in WAYS.items():
        for method in ("insert", "insert_fast"):
            found = []
            for adapter in (go, ours):
                adapter.request("tx_begin", {"tx": "one"})
                for batch in batches:
                    adapter.request(method, {"jobs": batch, "tx": "one"})
                assert read_rows(db) == []
                adapter.request("tx_end", {"tx": "one", "commit": True})
                found.append(read_rows(db))
                db.execute("TRUNCATE river_job")
            assert found[0] == found[1], (way, method)


ARGS = [
    "{}",
    '{"b":1,"a":2,"b":3}',
    '{"n":[1,1.0,1.50,1e2,1E+2,1e-7,-0,-0.0,0.1,123456789012345678901234567890,5e-324,1.7976931348623157e308]}',
    '{"s":["\\u00e9","é","\\ud83d\\ude00","\\/","<>&","\\u003c","\\u2028","\u2028","\\b\\f\\n\\r\\t\\"\\\\"]}',
    '{"deep":{"z":{"y":{"x":[[[{}]],[]]}},"a":null}}',
    '{"":0," ":1,"a.b":2,"é":3,"@x":4,"a<b":5,"\\u0061":6}',
]
VALUES = [  # decoded by each side into its own types, floats into floats
    "{}",
    '{"n":[1,1.0,1.50,1e2,1E+2,1e-7,1e20,1e21,1e22,123456.789e3,-0.0,0.1,5e-324,1.7976931348623157e308]}',
    '{"s":["é","😀","<>&","\u2028","\\u0001","\\u007f","\\b\\f\\n\\r\\t\\"\\\\"],"t":[true,false,null]}',
    '{"deep":{"z":{"y":{"x":[[[{}]],[]]}},"a":null}}',
]


def test_args_are_stored_alike(ours: Adapter, go: Adapter, db: psycopg.Connection) -> None:
    for args, typed in [*((text, False) for text in ARGS), *((text, True) for text in VALUES)]:
        params = {"kind": "interop.args", "args": args, "typed": typed}
        theirs = rows_of(go, db, "insert_args", params)
        assert rows_of(ours, db, "insert_args", params) == theirs, params


def test_times_are_those_of_the_insert(ours_either_way: Adapter, go: Adapter, db: psycopg.Connection) -> None:
    for adapter in (go, ours_either_way):
        before = db.execute("SELECT clock_timestamp()").fetchone()
        insert(adapter, job(), job(scheduled_at=FUTURE))
        row = db.execute(
            "SELECT min(created_at) >= %s, max(created_at) <= clock_timestamp(), count(DISTINCT created_at)"
            " FROM river_job",
            before,
        ).fetchone()
        assert row == (True, True, 1)
        db.execute("TRUNCATE river_job")
