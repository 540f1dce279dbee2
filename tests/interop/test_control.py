"""A working Go client obeys us at once; it looks for jobs by itself only once a minute."""

import re
from typing import Any

import psycopg
import pytest

from tests.interop import adapter as codes
from tests.interop.adapter import Adapter
from tests.interop.scene import (
    Listener,
    ask,
    insert,
    insert_one,
    put_jobs,
    read_by_both,
    received,
    start_worker,
    undated,
    wait_for,
    wait_for_state,
    waits_for_lock,
    worked,
)

RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d*[1-9])?(Z|[+-]\d\d:\d\d)")
OVERTAKEN = "SELECT setval('river_job_id_seq', 9007199254740993)"  # what no double can be


def begun(ours: Adapter, db: psycopg.Connection, behavior: str, message: str = "", **opts: Any) -> int:
    """Insert a job by us, and wait until Go works it."""
    row = insert(ours, {"behavior": behavior, "duration_ms": 60_000, "message": message, "opts": opts})[0]["job"]
    wait_for_state(db, row["id"], "running")
    return row["id"]  # type: ignore[no-any-return]


def test_a_running_job_is_cancelled(ours: Adapter, go: Adapter, db: psycopg.Connection) -> None:
    db.execute(OVERTAKEN)
    behaviors = ["cooperative_cancel", "sleep"]
    start_worker(go, queues=behaviors)  # each is notified by its first job, whatever the cool-down
    for behavior in behaviors:
        job_id = begun(ours, db, behavior, queue=behavior)
        row = ours.request("cancel", {"id": job_id})
        assert (row["id"], row["state"], row["finalized_at"]) == (job_id, "running", None)
        assert RFC_3339.fullmatch(row["metadata"]["cancel_attempted_at"])
        wait_for_state(db, job_id, "cancelled")
        final = read_by_both(go, ours, job_id)["job"]
        assert final["metadata"]["cancel_attempted_at"] == row["metadata"]["cancel_attempted_at"]
        assert [error["error"] for error in final["errors"]] == ["JobCancelError: job cancelled remotely"]
        assert ask(ours, "cancel", {"id": job_id}) == final
    wait_for(lambda: go.request("stats")["events"] == ["job_cancelled", "job_cancelled"])


def test_a_cancellation_is_heard_when_it_is_committed(
    ours_either_way: Adapter, go: Adapter, db: psycopg.Connection, listener: Listener
) -> None:
    ours = ours_either_way
    start_worker(go)
    job_id = begun(ours, db, "cooperative_cancel")
    listener.heard()
    for commit in (False, True):
        ours.request("tx_begin", {"tx": "one"})
        row = ours.request("cancel", {"id": job_id, "tx": "one"})
        assert "cancel_attempted_at" in row["metadata"]
        assert "cancel_attempted_at" not in go.request("get", {"id": job_id})["job"]["metadata"]
        assert listener.heard() == []
        ours.request("tx_end", {"tx": "one", "commit": commit})
        assert len(listener.heard()) == commit
    wait_for_state(db, job_id, "cancelled")


def test_a_job_is_cancelled_between_its_claim_and_its_start(
    ours_either_way: Adapter, go: Adapter, db: psycopg.Connection
) -> None:
    start_worker(go, claim_barrier="claimed")
    job_id = begun(ours_either_way, db, "cooperative_cancel")
    assert ours_either_way.request("cancel", {"id": job_id})["state"] == "running"
    go.request("release", {"name": "claimed"})
    wait_for_state(db, job_id, "cancelled")


def test_a_client_that_only_polls_notices(ours_either_way: Adapter, go: Adapter, db: psycopg.Connection) -> None:
    start_worker(go, fetch_poll_interval_ms=100, poll_only=True)
    job_id = begun(ours_either_way, db, "cooperative_cancel")
    ours_either_way.request("cancel", {"id": job_id})
    wait_for_state(db, job_id, "cancelled")


def test_go_cancels_and_we_see_it(ours_either_way: Adapter, go: Adapter, db: psycopg.Connection) -> None:
    start_worker(go)
    job_id = begun(ours_either_way, db, "cooperative_cancel")
    waiting = insert_one(ours_either_way, queue="nobody")["id"]
    assert ours_either_way.request("get", {"id": job_id})["job"]["state"] == "running"
    for cancelled in (job_id, waiting):
        go.request("cancel", {"id": cancelled})
    for cancelled in (job_id, waiting):
        assert ours_either_way.request("wait", {"id": cancelled})["job"]["state"] == "cancelled"
        read_by_both(go, ours_either_way, cancelled)
    listed = ours_either_way.request("list", {"states": ["cancelled"], "order_by": "finalized_at"})
    assert sorted(row["id"] for row in listed["jobs"]) == [job_id, waiting]
    go.request("retry", {"id": waiting})
    assert read_by_both(go, ours_either_way, waiting)["job"]["state"] == "available"


def test_go_works_what_we_retried(ours_either_way: Adapter, go: Adapter, db: psycopg.Connection) -> None:
    ours = ours_either_way
    start_worker(go)
    row = insert(ours, {"behavior": "error", "opts": {"max_attempts": 1}})[0]["job"]
    wait_for_state(db, row["id"], "discarded")
    retried = ours.request("retry", {"id": row["id"]})
    assert (retried["state"], retried["attempt"], retried["max_attempts"]) == ("available", 1, 2)
    insert_one(go)  # a retry alone wakes nobody, in no language
    assert [each["attempt"] for each in sorted(worked(go, 3), key=lambda each: each["id"])] == [1, 2, 1]
    wait_for_state(db, row["id"], "discarded")
    final = read_by_both(go, ours, row["id"])["job"]
    assert (final["attempt"], [error["attempt"] for error in final["errors"]]) == (2, [1, 2])
    assert final["attempted_by"] == ["go-worker", "go-worker"]


def test_a_running_job_is_not_retried_or_deleted(ours_either_way: Adapter, go: Adapter, db: psycopg.Connection) -> None:
    start_worker(go)
    job_id = begun(ours_either_way, db, "barrier_wait", "on")
    for adapter in (go, ours_either_way):
        assert adapter.request("retry", {"id": job_id})["state"] == "running"
        assert ask(adapter, "delete", {"id": job_id}) == codes.REJECTED
        assert adapter.request("delete_many", {"ids": [job_id]}) == {"jobs": []}
    go.request("release", {"name": "on"})
    assert ours_either_way.request("wait", {"id": job_id})["job"]["attempt"] == 1


DISCARDED = {"state": "discarded", "finalized_at": "2001-01-01T00:00:00Z", "attempt": 25}
RACES: list[tuple[Any, ...]] = [
    ("cancel", "cancel", {}),
    ("retry", "retry", DISCARDED),
    ("retry", "cancel", DISCARDED),
    ("delete", "cancel", {}),
    ("delete", "retry", DISCARDED),
    ("delete", "update", {}),
    ("cancel", "delete", {}),
    ("cancel", "update", {}),
    ("update", "cancel", {}),
    ("update", "update", {}),
]


def asked(method: str, who: str, **scope: str) -> dict[str, Any]:
    return {"id": 1, **scope} | ({"output": f'"by the {who}"'} if method == "update" else {})


def race(db: psycopg.Connection, pair: tuple[Adapter, Adapter], methods: list[str], commit: bool, tx: str) -> list[Any]:
    """Return the answers of both, of whom the second had to wait, and the row in the end."""
    first, second = pair
    first.request("tx_begin", {"tx": "open"})
    answers = [first.request(methods[0], asked(methods[0], "first", tx="open"))]
    if tx:
        second.request("tx_begin", {"tx": tx})
    second.send(methods[1], asked(methods[1], "second", tx=tx))
    wait_for(lambda: waits_for_lock(db, second))
    first.request("tx_end", {"tx": "open", "commit": commit})
    answers.append(received(second))
    if tx:
        second.request("tx_end", {"tx": tx, "commit": True})
    return [*answers, ask(first, "get", {"id": 1})]


@pytest.mark.parametrize("tx", ["", "mine"], ids=["alone", "in a transaction"])
def test_the_second_of_two_waits_and_sees_what_the_first_did(
    ours_either_way: Adapter, go: Adapter, db: psycopg.Connection, tx: str
) -> None:
    for *methods, state in RACES:
        for commit in (True, False):
            outcomes = []
            for pair in ((go, ours_either_way), (ours_either_way, go)):
                put_jobs(db, [{"id": 1, **state}])
                outcomes.append(race(db, pair, methods, commit, tx))
                if commit and methods in (["cancel", "cancel"], ["retry", "retry"]):
                    assert outcomes[-1][1] == outcomes[-1][0], methods  # the winner's row, as it is
            assert undated(outcomes[0]) == undated(outcomes[1]), (methods, commit)


def test_our_retry_waits_for_a_cancel_and_undoes_it(
    ours_either_way: Adapter, go: Adapter, db: psycopg.Connection
) -> None:
    """Go's leaves the job cancelled: it asks whether to retry of the row as it was before it waited."""
    for commit in (True, False):
        put_jobs(db, [{"id": 1, "scheduled_at": "2001-01-01T00:00:00Z"}])
        *_, retried, final = race(db, (go, ours_either_way), ["cancel", "retry"], commit, "")
        assert retried == final["job"]
        assert (retried["state"], retried["metadata"]) == ("available", {})
        assert (undated(retried["scheduled_at"]) == "now") == commit  # without the cancel, nothing was to be done
