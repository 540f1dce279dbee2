"""A job's way through one attempt and the next, read alike by both at every step, whoever inserted and worked it."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.interop.adapter import Adapter
from tests.interop.conftest import WORKING_STACKS, Start
from tests.interop.scene import ask, wait_for
from tests.interop.sides import Sides, unused
from tests.interop.stacks import STACKS

NUMBERS = '{"big": 123456789012345678901234567890, "exact": 0.1000000000000000055511151231257827, "tiny": 5e-324}'
OVERTAKEN = "SELECT setval('river_job_id_seq', 9007199254740993)"  # what no double can be


def spelled(sides: Sides, job_id: int) -> str:
    """Return the metadata as PostgreSQL spells them, with every digit."""
    row = sides.db.execute("SELECT metadata::text FROM river_job WHERE id = %s", [job_id]).fetchone()
    assert row is not None
    return row[0]  # type: ignore[no-any-return]


def test_a_job_is_inserted_and_worked(sides: Sides) -> None:
    sides.start(client_id="a-worker")
    job_id = sides.insert("output", "é☃😀", tags=["abc"], priority=2, metadata={"kept": [1]})
    job = sides.wait(job_id, "completed")
    assert (job["attempt"], job["attempted_by"], job["errors"]) == (1, ["a-worker"], [])
    assert job["metadata"] == {"kept": [1], "output": {"message": "é☃😀"}}
    assert job["created_at"] <= job["attempted_at"] <= job["finalized_at"]
    sides.wait_for_events("job_completed")


@pytest.mark.parametrize("stack", [stack for stack in STACKS if stack not in WORKING_STACKS])
def test_every_other_stack_works_what_go_inserted(
    start: Start, go_program: Path, db: psycopg.Connection, stack: str
) -> None:
    test_a_job_is_inserted_and_worked(Sides(start("go"), start(stack), True, db))


def test_a_held_job_stays_in_its_attempt_and_ends_in_it(sides: Sides) -> None:
    sides.start()
    first, second = unused("gate"), unused("gate")
    held, before = sides.insert("barrier_wait", first), sides.insert("barrier_output", second)
    assert sides.wait(held, "running")["attempt"] == 1
    sides.worker.request("release", {"name": second})
    assert sides.wait(before, "completed")["metadata"] == {"output": {"race": "worker"}}
    assert sides.wait(held, "running")["attempt"] == 1
    sides.worker.request("release", {"name": first})
    assert sides.wait(held, "completed")["attempt"] == 1
    passing = sides.insert("barrier_wait", first)  # it stays open
    assert sides.wait(passing, "completed")["attempt"] == 1


def test_a_job_is_controlled_by_both(sides: Sides) -> None:
    job_id = sides.insert("error", max_attempts=1)
    assert sides.inserter.request("cancel", {"id": job_id})["state"] == "cancelled"
    sides.wait(job_id, "cancelled")
    assert sides.worker.request("retry", {"id": job_id})["state"] == "available"
    sides.wait(job_id, "available")
    sides.start(retry_delay_ms=4000)
    failed = sides.wait(job_id, "discarded")
    assert (failed["attempt"], [error["error"] for error in failed["errors"]]) == (1, ["conformance retryable error"])
    retried = sides.inserter.request("retry", {"id": job_id})
    assert (retried["state"], retried["max_attempts"]) == ("available", 2)
    failed = sides.wait(job_id, "discarded", attempt=2)
    assert [error["attempt"] for error in failed["errors"]] == [1, 2]
    assert failed["attempted_by"] == ["worker", "worker"]
    assert ask(sides.worker, "cancel", {"id": job_id})["state"] == "discarded"
    sides.wait_for_events("job_failed", "job_failed")


#: What somebody else makes of a job while it is worked, and what its client tells of it then.
CHANGED = [
    ("completed", "job_completed"),
    ("discarded", "job_failed"),
    ("cancelled", "job_cancelled"),
    ("retryable", "job_failed"),
    ("scheduled", "job_snoozed"),
]
LONG_AGO = "2001-01-01T00:00:00Z"


@pytest.mark.parametrize(("state", "event"), CHANGED)
def test_a_job_that_runs_no_more_is_left_alone(sides: Sides, state: str, event: str) -> None:
    sides.start()
    finalized_at = LONG_AGO if state in ("completed", "discarded", "cancelled") else None
    for behavior in ("barrier_output", "barrier_error"):
        gate = unused("gate")
        job_id = sides.insert(behavior, gate, metadata={"kept": True})
        sides.wait(job_id, "running")
        sides.set(job_id, state=state, finalized_at=finalized_at, scheduled_at=LONG_AGO)
        sides.worker.request("release", {"name": gate})
        wait_for(lambda behavior=behavior: len(sides.events()) == 1 + (behavior == "barrier_error"))  # type: ignore[misc]
        job = sides.wait(job_id, state)
        assert (job["finalized_at"], job["scheduled_at"]) == (finalized_at, LONG_AGO)
        assert (job["attempt"], job["errors"]) == (1, [])
        output = {"output": {"race": "worker"}} if behavior == "barrier_output" else {}
        assert job["metadata"] == {"kept": True} | output
    sides.wait_for_events(event, event)


def test_a_job_that_is_gone_is_passed_over(sides: Sides) -> None:
    sides.start()
    gate = unused("gate")
    gone, there = sides.insert("barrier_output", gate), sides.insert("barrier_output", gate)
    for job_id in (gone, there):
        sides.wait(job_id, "running")
    sides.db.execute("DELETE FROM river_job WHERE id = %s", [gone])
    sides.worker.request("release", {"name": gate})
    sides.wait(there, "completed")
    sides.stop()
    assert sides.db.execute("SELECT id FROM river_job").fetchall() == [(there,)]


def test_ids_that_no_double_can_be(sides: Sides) -> None:
    sides.db.execute(OVERTAKEN)
    sides.start()
    done, held = sides.insert("output", "x"), sides.insert("cooperative_cancel")
    assert (done, held) == (9007199254740994, 9007199254740995)
    sides.wait(done, "completed")
    sides.wait(held, "running")
    sides.inserter.request("cancel", {"id": held})
    sides.wait(held, "cancelled")
    for adapter in sides.both:
        first = adapter.request("list", {"limit": 1})
        rest = adapter.request("list", {"limit": 5, "after": first["cursor"]})
        assert [job["id"] for page in (first, rest) for job in page["jobs"]] == [done, held]


def test_numbers_keep_their_digits(sides: Sides) -> None:
    jobs = {
        sides.insert("output", "x"): ("completed", {"output"}),
        sides.insert("metadata", "added", 2**53 + 1): ("completed", {"added"}),
        sides.insert("snooze_once", duration_ms=60_000): ("scheduled", {"snoozes"}),
        sides.insert("cancel"): ("cancelled", set()),
    }
    for job_id in jobs:
        sides.db.execute("UPDATE river_job SET metadata = %s WHERE id = %s", [NUMBERS, job_id])
    sides.start()
    for job_id, (state, added) in jobs.items():
        wait_for(lambda job_id=job_id, state=state: sides.column(job_id, "state") == state)  # type: ignore[misc]
        stored = json.loads(spelled(sides, job_id), parse_float=str)
        assert {name: stored.pop(name) for name in added} in ADDED
        assert stored == STORED


ADDED: list[Any] = [{"output": {"message": "x"}}, {"added": 2**53 + 1}, {"snoozes": 1}, {}]
STORED = {
    "big": 123456789012345678901234567890,
    "exact": "0.1000000000000000055511151231257827",
    "tiny": f"0.{'0' * 323}5",
}


def test_the_last_hundred_clients_are_kept(sides: Sides) -> None:
    jobs = {count: sides.insert() for count in (1, 98, 99, 100, 101, 150)}
    for count, job_id in jobs.items():
        sides.set(job_id, attempted_by=[f"client {number}" for number in range(count)])
    sides.start()
    for count, job_id in jobs.items():
        expected = [*[f"client {number}" for number in range(count)], "worker"][-100:]
        assert sides.wait(job_id, "completed")["attempted_by"] == expected


def test_metadata_of_others_are_kept_and_none_are_added(sides: Sides) -> None:
    mine = {"mine": {"river": [1, None]}, "river:log": [{"attempt": 1, "log": "a line"}]}
    ways = {
        "": set(),
        "cancel": set(),
        "error": set(),
        "output": {"output"},
        "output_and_error": {"output"},
        "snooze": {"snoozes"},
    }
    jobs = {behavior: sides.insert(behavior, "x", 60_000, metadata=mine) for behavior in ways}
    sides.start(retry_delay_ms=60_000)
    states = ("completed", "cancelled", "retryable", "completed", "retryable", "scheduled")
    for (behavior, added), state in zip(ways.items(), states, strict=True):
        metadata = sides.wait(jobs[behavior], state)["metadata"]
        assert {name: metadata.pop(name) for name in added}.keys() == added
        assert metadata == mine


def test_steps_go_on_where_the_other_side_left_off(sides: Sides) -> None:
    job_id = sides.insert("resumable_cursor", metadata={"kept": 1})
    workers = [sides.worker, sides.inserter, sides.worker]
    seen = []
    for attempt, (adapter, state) in enumerate(zip(workers, ["retryable", "retryable", "completed"], strict=True), 1):
        sides.worker = adapter
        sides.start(client_id=f"worker {attempt}", retry_delay_ms=60_000)
        seen.append(sides.wait(job_id, state, attempt)["metadata"])
        sides.stop()
        if state == "retryable":
            sides.inserter.request("retry", {"id": job_id})
    first, second, third = seen
    assert first == {
        "kept": 1,
        "first_attempt": 1,
        "river:resumable_step": "first",
        "river:resumable_cursor": {"second": 7},
    }
    assert second.pop("river:resumable_cursor", None) is None
    assert second == {"kept": 1, "first_attempt": 1, "cursor_observed": 7, "river:resumable_step": "second"}
    assert third.pop("river:resumable_cursor", None) is None
    assert third == second
    assert sides.column(job_id, "attempted_by") == ["worker 1", "worker 2", "worker 3"]


def test_a_job_is_never_early(sides: Sides) -> None:
    sides.start(retry_delay_ms=300)
    snoozed, failed = sides.insert("snooze_once", duration_ms=300), sides.insert("error", max_attempts=2)
    for job_id, state in ((snoozed, "completed"), (failed, "discarded")):
        job = sides.wait(job_id, state)
        scheduled_at, attempted_at = (datetime.fromisoformat(job[name]) for name in ("scheduled_at", "attempted_at"))
        assert timedelta(seconds=0.3) <= scheduled_at - datetime.fromisoformat(job["created_at"])
        assert scheduled_at <= attempted_at


def test_a_snooze_gives_the_attempt_back_and_is_counted(sides: Sides) -> None:
    sides.start()
    ways = {1: "completed", 4_900: "available", 60_000: "scheduled"}
    jobs = {sides.insert("snooze_once", duration_ms=milliseconds): state for milliseconds, state in ways.items()}
    counted = sides.insert("snooze", duration_ms=60_000, metadata={"snoozes": 2**53 + 1})
    for job_id, state in {**jobs, counted: "scheduled"}.items():
        wait_for(lambda job_id=job_id: "snoozes" in sides.column(job_id, "metadata"))  # type: ignore[misc]
        job = sides.wait(job_id, state)
        assert (job["attempt"], job["errors"]) == (state == "completed", [])
        assert job["metadata"] == {"snoozes": 2**53 + 2 if job_id == counted else 1}
        if state != "completed":
            assert job["scheduled_at"] > job["attempted_at"]


@pytest.mark.parametrize("metadata", [[1], "text", 5])
def test_metadata_that_are_no_object_are_not_rewritten(sides: Sides, metadata: Any) -> None:
    """Go works such a job on PostgreSQL; we fail it, as Go does with what it cannot decode."""
    job_id = sides.insert()
    sides.set(job_id, metadata=metadata)
    sides.start(retry_delay_ms=60_000)
    if sides.worker is sides.go:
        wait_for(lambda: sides.column(job_id, "state") == "completed")
    else:
        wait_for(lambda: sides.column(job_id, "state") == "retryable")
        (error,) = sides.column(job_id, "errors")
        assert error["error"].startswith("job row couldn't be decoded: metadata must be")
    assert sides.column(job_id, "metadata") == metadata


def test_a_queue_that_is_worked_is_registered(sides: Sides) -> None:
    queue = "SELECT to_jsonb(queue) - 'created_at' - 'updated_at' FROM river_queue AS queue ORDER BY name"
    times = "SELECT created_at, updated_at FROM river_queue WHERE name = 'default'"
    found = []
    for adapter in sides.both:
        sides.db.execute("TRUNCATE river_queue")
        sides.worker = adapter
        sides.start(queues=["default", "another"])
        found.append(sides.db.execute(queue).fetchall())
        created_at, updated_at = sides.db.execute(times).fetchone() or ()
        assert abs(updated_at - created_at) < timedelta(seconds=2)
        sides.stop()
        sides.start()
        again = sides.db.execute(times).fetchone() or ()
        assert again[0] == created_at
        assert again[1] > updated_at
        sides.stop()
    assert found[0] == found[1]
    assert len(found[0]) == 2


def test_gos_leader_brings_back_what_we_put_off(
    start: Start, go: Adapter, db: psycopg.Connection, working_stack: str
) -> None:
    ours = start(working_stack)
    sides = Sides(go, ours, True, db)
    sides.start(fetch_poll_interval_ms=60_000, queues=["failing", "snoozing"], retry_delay_ms=60_000)
    failed = sides.insert("error", queue="failing", max_attempts=2)
    snoozed = sides.insert("snooze_once", queue="snoozing", duration_ms=60_000)
    sides.wait(failed, "retryable")
    sides.wait(snoozed, "scheduled")
    sides.set([failed, snoozed], scheduled_at=LONG_AGO)
    go.request("start", {"client_id": "leader", "queues": ["another"]})
    for job_id, state, attempt in ((failed, "discarded", 2), (snoozed, "completed", 1)):
        assert sides.wait(job_id, state, attempt)["attempted_by"] == ["worker", "worker"]
