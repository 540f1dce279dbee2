"""Go works what we insert, over every stack, and got exactly what was inserted."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from statistics import median

import psycopg

from tests.interop.adapter import Adapter
from tests.interop.scene import insert, insert_one, job, read_rows, spell_time, start_worker, wait_for, worked

BATCH = 250

ARGS = {
    "kind": "interop.args",
    "args": '{"text":"é☃😀 <&> \\u2028 \\"\\\\\\n","float":1.5,"big":12345678901234567890123,"none":null,'
    '"list":[1,[],{}],"nested":{"b":1,"a":{"c":[true,false]}},"":"empty name"}',
}


def test_every_kind_of_insert(ours: Adapter, go: Adapter, db: psycopg.Connection) -> None:
    soon = spell_time(datetime.now(UTC) - timedelta(seconds=1))  # due: Go's leader makes it available
    later = spell_time(datetime.now(UTC) + timedelta(days=1))
    expected = {
        "plain": insert_one(ours, "plain"),
        "tagged": insert_one(ours, "tagged", tags=["first", "sec-ond", "3rd_tag"], metadata={"a": {"b": [1]}}),
        "options": insert_one(ours, "options", priority=4, queue="other", max_attempts=3),
        "scheduled": insert_one(ours, "scheduled", scheduled_at=soon),
        "unique": insert_one(ours, "unique", unique={"by_args": True}),
    }
    duplicate = insert(ours, job("unique", unique={"by_args": True}))[0]
    assert duplicate == {"job": expected["unique"], "unique_skipped_as_duplicate": True}
    insert_one(ours, "later", scheduled_at=later)
    insert_one(ours, "pending", pending=True)
    for result in insert(ours, *[job(f"batch {number}") for number in range(BATCH)]):
        expected[result["job"]["args"]["message"]] = result["job"]
    _insert_in_transactions(ours, expected)
    fast = [job(f"fast {number}", tags=["fast"], priority=2) for number in range(BATCH)]
    assert ours.request("insert_fast", {"jobs": fast}) == {"count": BATCH}
    args = ours.request("insert_args", ARGS)["job"]

    start_worker(go, queues=["default", "other"], record_kinds=[ARGS["kind"]])
    got = {row["id"]: row for row in worked(go, len(expected) + BATCH + 3)}

    for row in [*expected.values(), args]:
        received = got.pop(row["id"])
        assert json.loads(received["args"]) == row["args"]
        assert (received["kind"], received["queue"]) == (row["kind"], row["queue"])
        assert (received["tags"], received["priority"]) == (row["tags"], row["priority"])
        assert received["attempt"] == 1
    assert args["args"] == json.loads(ARGS["args"])
    fast_messages = [f"fast {number}" for number in range(BATCH)] + ["fast in tx 0", "fast in tx 1"]
    assert sorted(json.loads(row["args"])["message"] for row in got.values()) == sorted(fast_messages)
    assert all(row["tags"] == ["fast"] for row in got.values())

    _wait_until_completed(db, len(expected) + BATCH + 3)
    left = db.execute("SELECT args->>'message', state::text FROM river_job WHERE state <> 'completed' ORDER BY id")
    assert left.fetchall() == [("later", "scheduled"), ("pending", "pending")]


def _insert_in_transactions(ours: Adapter, expected: dict[str, dict[str, object]]) -> None:
    for name, commit in (("kept", True), ("dropped", False)):
        ours.request("tx_begin", {"tx": name})
        results = insert(ours, job(f"{name} 1"), job(f"{name} 2"), tx=name)
        results += insert(ours, job(f"{name} 3", unique={"by_args": True}), tx=name)
        fast = [job(f"fast in tx {number}", tags=["fast"]) for number in range(2)]
        assert ours.request("insert_fast", {"jobs": fast, "tx": name}) == {"count": 2}
        ours.request("tx_end", {"tx": name, "commit": commit})
        if commit:
            expected |= {result["job"]["args"]["message"]: result["job"] for result in results}


def _wait_until_completed(db: psycopg.Connection, count: int) -> None:
    query = "SELECT count(*) FROM river_job WHERE state = 'completed'"
    wait_for(lambda: db.execute(query).fetchone() == (count,))


def test_a_job_waits_for_its_time_and_for_its_commit(
    ours_either_way: Adapter, go: Adapter, db: psycopg.Connection
) -> None:
    ours = ours_either_way
    start_worker(go, fetch_poll_interval_ms=20)
    ours.request("tx_begin", {"tx": "open"})
    uncommitted = insert(ours, job("uncommitted"), tx="open")[0]["job"]
    due = datetime.now(UTC) + timedelta(seconds=1)
    scheduled = insert_one(ours, "scheduled", scheduled_at=spell_time(due))
    assert scheduled["state"] == "scheduled"
    insert_one(ours, "at once")
    assert [json.loads(row["args"])["message"] for row in worked(go, 1)] == ["at once"]
    before_commit = datetime.now(UTC)
    ours.request("tx_end", {"tx": "open", "commit": True})

    received = {row["id"]: datetime.fromisoformat(row["received_at"]) for row in worked(go, 3)}
    assert received[uncommitted["id"]] >= before_commit
    assert received[scheduled["id"]] >= due
    assert {row["state"] for row in read_rows(db)} <= {"completed", "running"}


def test_go_wakes_at_once(ours: Adapter, go: Adapter, record_testsuite_property: Callable[[str, object], None]) -> None:
    queues = [f"queue{number}" for number in range(25)]  # a client notifies each at most every 100 ms
    start_worker(go, queues=queues)
    for queue in queues:
        insert_one(ours, queue, queue=queue)

    rows = {row["id"]: row for row in go.request("list", {"limit": 100})["jobs"]}
    latencies = []
    for received in worked(go, len(queues)):
        committed = datetime.fromisoformat(rows[received["id"]]["created_at"])
        latencies.append((datetime.fromisoformat(received["received_at"]) - committed).total_seconds() * 1000)
    text = f"{median(latencies):.1f} ms (median), {max(latencies):.1f} ms (most)"
    record_testsuite_property(f"{ours.application_name}: from our insert to Go's worker", text)
    print(f"{ours.application_name}: from our insert to Go's worker {text}")
    assert max(latencies) < 5_000  # Go itself would have looked after 60 s
