"""What Go's workers leave in a row we read as Go does, and what we write into one Go reads as we do."""

import json
from typing import Any

import psycopg

from tests.interop import adapter as codes
from tests.interop.adapter import Adapter
from tests.interop.scene import ask, insert, put_jobs, read_by_both, refused, start_worker, wait_for_state

LARGE = {"id": 12345678901234567890123, "list": [10**40]}  # beyond what a double has
WORK: dict[str, dict[str, Any]] = {
    "": {},
    "output": {"metadata": LARGE, "tags": ["abc", "d-e"]},
    "error": {"max_attempts": 3, "metadata": LARGE},
    "cancel": {"metadata": LARGE},
    "snooze_once": {"metadata": LARGE},
    "resumable_cursor": {},
    "panic": {"max_attempts": 1},
}
ENDS = {"error": "discarded", "panic": "discarded", "cancel": "cancelled"}


def test_what_gos_workers_left(ours: Adapter, go: Adapter, db: psycopg.Connection) -> None:
    start_worker(go, fetch_poll_interval_ms=20, retry_delay_ms=1)
    jobs = [{"behavior": behavior, "message": 'é <&> "', "opts": opts} for behavior, opts in WORK.items()]
    ids = {result["job"]["args"]["behavior"]: result["job"]["id"] for result in insert(ours, *jobs)}
    for behavior, job_id in ids.items():
        wait_for_state(db, job_id, ENDS.get(behavior, "completed"))

    seen = {behavior: read_by_both(go, ours, job_id) for behavior, job_id in ids.items()}
    rows = {behavior: each["job"] for behavior, each in seen.items()}
    assert {behavior: each["output"] for behavior, each in seen.items() if each["output"]} == {
        "output": {"message": 'é <&> "'}
    }
    assert {behavior: [error["attempt"] for error in row["errors"]] for behavior, row in rows.items()} == {
        "": [],
        "output": [],
        "error": [1, 2, 3],
        "cancel": [1],
        "snooze_once": [],
        "resumable_cursor": [1, 2],
        "panic": [1],
    }
    assert "main.(*runtime).work\n\t" in rows["panic"]["errors"][0]["trace"]
    assert rows["error"]["attempted_by"] == ["go-worker"] * 3
    assert rows["snooze_once"]["metadata"] == LARGE | {"snoozes": 1}
    assert rows["output"]["metadata"] == LARGE | {"output": {"message": 'é <&> "'}}
    assert rows["resumable_cursor"]["metadata"]["cursor_observed"] == 7
    stored = db.execute("SELECT metadata->>'id', metadata->'list'->>0 FROM river_job WHERE metadata ? 'id'").fetchall()
    assert stored == [("12345678901234567890123", str(10**40))] * 4


OUTPUTS: list[Any] = [
    {"b": 1, "a": {"z": [None, True, "é☃😀 <&> \u2028"], "": {}}},
    [1, 1.5, -0.25, 10**40],
    'text "\\\b\f\n\r\t\x01\x7f',
    0,
    False,
    None,
    "",
    [],
    {},
]


def test_an_output_is_read_by_the_other(ours_either_way: Adapter, go: Adapter, db: psycopg.Connection) -> None:
    ours = ours_either_way
    put_jobs(db, [{"id": 1, "state": "completed", "finalized_at": "2001-01-01T00:00:00Z", "metadata": LARGE}])
    for output in OUTPUTS:
        for writer in (ours, go):
            row = writer.request("update", {"id": 1, "output": json.dumps(output, ensure_ascii=False)})
            assert row["metadata"] == LARGE | {"output": output}
            assert read_by_both(go, ours, 1) == {"job": row, "output": output}
        ours.request("update", {"id": 1, "output": '"other"', "metadata": LARGE})
    ours.request("update", {"id": 1, "metadata": {"added": {"n": 10**40}, "id": None}})
    merged = LARGE | {"output": "other", "added": {"n": 10**40}, "id": None}
    assert read_by_both(go, ours, 1)["job"]["metadata"] == merged


def test_what_we_write_while_go_works_stays(ours_either_way: Adapter, go: Adapter, db: psycopg.Connection) -> None:
    ours = ours_either_way
    start_worker(go)
    behaviors = ("barrier_wait", "barrier_output")
    results = insert(ours, *({"behavior": behavior, "message": "on"} for behavior in behaviors))
    silent, speaking = (result["job"]["id"] for result in results)
    for job_id in (silent, speaking):
        wait_for_state(db, job_id, "running")
        ours.request("update", {"id": job_id, "output": '{"by":"us"}', "metadata": {"progress": 0.5}})
        assert read_by_both(go, ours, job_id)["output"] == {"by": "us"}
    go.request("release", {"name": "on"})
    for job_id, output in ((silent, {"by": "us"}), (speaking, {"race": "worker"})):
        final = ours.request("wait", {"id": job_id})
        assert final["job"]["metadata"] == {"progress": 0.5, "output": output}
        assert read_by_both(go, ours, job_id) == final


def test_we_wait_for_a_job_that_go_works(ours_either_way: Adapter, go: Adapter, db: psycopg.Connection) -> None:
    ours = ours_either_way
    start_worker(go)
    job_id = insert(ours, {"behavior": "barrier_output", "message": "on"})[0]["job"]["id"]
    wait_for_state(db, job_id, "running")
    assert refused(ours, "wait", {"id": job_id, "timeout_ms": 50}) == codes.REJECTED
    ours.send("wait", {"id": job_id})
    go.request("release", {"name": "on"})
    final = ours.receive()
    assert (final["job"]["state"], final["output"]) == ("completed", {"race": "worker"})
    assert read_by_both(go, ours, job_id) == final
    assert ask(ours, "wait", {"id": job_id + 1}) == codes.NOT_FOUND
