"""A client that looks for jobs once a minute hears of everything from the other side; and what it says itself."""

from collections import Counter
from typing import Any

import psycopg

from tests.interop.adapter import Adapter
from tests.interop.conftest import Start
from tests.interop.scene import Listener, insert, wait_for, wait_for_state
from tests.interop.sides import Sides, started, unused

MINUTE = 60_000


def start_hearing(sides: Sides, *names: str) -> list[str]:
    """Start the client that works on queues of its own, and return them."""
    queues = [unused(name) for name in names]
    sides.start(fetch_poll_interval_ms=MINUTE, queues=queues)
    return queues


def control(sides: Sides, action: str, name: str, **params: Any) -> None:
    sides.inserter.request("queue", {"action": action, "name": name, **params})


def test_an_insert_wakes(sides: Sides) -> None:
    first, second = start_hearing(sides, "one", "two")
    for queue in (first, second):
        assert sides.wait(sides.insert(queue=queue), "completed")["queue"] == queue


def test_an_insert_wakes_when_it_is_committed(sides: Sides) -> None:
    dropped, kept = start_hearing(sides, "dropped", "kept")
    for queue, commit in ((dropped, False), (kept, True)):
        sides.inserter.request("tx_begin", {"tx": "one"})
        insert(sides.inserter, {"behavior": "", "opts": {"queue": queue}}, tx="one")
        sides.inserter.request("tx_end", {"tx": "one", "commit": commit})
    sides.wait_for_events("job_completed")


def test_a_paused_queue_is_not_worked_until_it_is_resumed(sides: Sides) -> None:
    paused, other = start_hearing(sides, "paused", "other")
    control(sides, "pause", paused)
    sides.wait_for_events("queue_paused")
    waiting = sides.insert(queue=paused)
    sides.wait(sides.insert(queue=other), "completed")
    assert sides.column(waiting, "state") == "available"
    control(sides, "resume", paused)
    assert sides.wait(waiting, "completed")["attempt"] == 1
    sides.wait_for_events("queue_paused", "job_completed", "queue_resumed", "job_completed")


def test_a_queue_that_is_paused_already_is_not_worked(sides: Sides) -> None:
    (queue,) = start_hearing(sides, "paused")
    control(sides, "pause", queue)
    sides.wait_for_events("queue_paused")
    sides.stop()
    waiting = sides.insert(queue=queue)
    other = unused("other")
    sides.start(fetch_poll_interval_ms=MINUTE, queues=[queue, other])
    sides.wait(sides.insert(queue=other), "completed")
    assert sides.column(waiting, "state") == "available"
    control(sides, "resume", queue)
    sides.wait(waiting, "completed")
    assert "queue_paused" not in sides.events()


def test_a_pause_takes_hold_when_the_fetch_is_over(sides: Sides) -> None:
    fetching, other, gate = unused("fetching"), unused("other"), unused("gate")
    sides.start(claim_barrier=gate, queues=[fetching, other])
    held = sides.insert(queue=fetching)
    sides.wait(held, "running")
    for action, queue in (("pause", fetching), ("pause", other), ("resume", other)):
        control(sides, action, queue)
    sides.wait_for_events("queue_paused", "queue_resumed")  # of the other queue
    sides.worker.request("release", {"name": gate})
    sides.wait(held, "completed")
    wait_for(lambda: Counter(sides.events()) == {"queue_paused": 2, "queue_resumed": 1, "job_completed": 1})


def test_only_changes_are_events(sides: Sides) -> None:
    first, second, unchanged = start_hearing(sides, "one", "two", "three")
    for action, name in [
        ("resume", unchanged),
        ("pause", first),
        ("pause", first),
        ("resume", first),
        ("resume", first),
        ("pause", "*"),
        ("pause", second),
        ("resume", "*"),
        ("resume", "*"),
    ]:
        control(sides, action, name)
    sides.wait(sides.insert(queue=first), "completed")
    wait_for(lambda: "job_completed" in sides.events())
    assert Counter(sides.events()) == {"queue_paused": 4, "queue_resumed": 4, "job_completed": 1}


def test_a_pause_is_heard_when_it_is_committed(sides: Sides) -> None:
    (queue,) = start_hearing(sides, "queue")
    for action, commit in (("pause", False), ("pause", True), ("resume", False), ("resume", True)):
        sides.inserter.request("tx_begin", {"tx": "one"})
        control(sides, action, queue, tx="one")
        sides.inserter.request("tx_end", {"tx": "one", "commit": commit})
    sides.wait_for_events("queue_paused", "queue_resumed")


def test_new_metadata_of_a_queue_disturb_nobody(sides: Sides) -> None:
    (queue,) = start_hearing(sides, "queue")
    row = sides.inserter.request("queue_get", {"name": queue})
    for metadata in ({"a": [1, None]}, {"a": [1, None]}, {}):
        control(sides, "update", queue, metadata=metadata)
        assert [adapter.request("queue_get", {"name": queue})["metadata"] for adapter in sides.both] == [metadata] * 2
    assert row["metadata"] == {}
    assert sides.wait(sides.insert(queue=queue), "completed")["attempt"] == 1
    sides.wait_for_events("job_completed")


# --- What a client that works says ---


def one_attempt_each(adapter: Adapter, db: psycopg.Connection) -> None:
    """Start, work jobs of all outcomes, and stop."""
    ways = {"": "completed", "error": "retryable", "cancel": "cancelled", "snooze": "scheduled", "output": "completed"}
    started(adapter, queues=["quiet", "quieter"], retry_delay_ms=MINUTE)
    for behavior, state in ways.items():
        query = "INSERT INTO river_job (args, kind, queue, max_attempts) VALUES (%s, 'conformance_echo', 'quiet', 25)"
        args = f'{{"behavior": "{behavior}", "duration_ms": {MINUTE}, "message": ""}}'
        job_id = db.execute(query + " RETURNING id", [args]).fetchone()
        assert job_id is not None
        wait_for_state(db, job_id[0], state)
    wait_for(lambda: len(adapter.request("stats")["events"]) == len(ways))
    adapter.request("stop")


def nothing_to_do(adapter: Adapter, _: psycopg.Connection) -> None:
    started(adapter)
    adapter.request("stop")


def cancelled_jobs(adapter: Adapter, db: psycopg.Connection) -> None:
    started(adapter)
    job_id = insert(adapter, {"behavior": "sleep", "duration_ms": MINUTE})[0]["job"]["id"]
    wait_for_state(db, job_id, "running")
    adapter.request("stop", {"cancel": True})


def paused(adapter: Adapter, _: psycopg.Connection) -> None:
    started(adapter, queues=["paused"])
    for action in ("pause", "pause", "resume", "resume"):
        adapter.request("queue", {"action": action, "name": "paused"})
    adapter.request("stop")


SCRIPTS = {nothing_to_do: 0, one_attempt_each: 0, cancelled_jobs: 1, paused: 4}


def test_a_client_at_work_says_what_gos_says(
    start: Start, go: Adapter, listener: Listener, db: psycopg.Connection, working_stack: str
) -> None:
    ours = start(working_stack)
    for script, count in SCRIPTS.items():
        heard = []
        for adapter in (go, ours):
            script(adapter, db)
            heard.append(listener.heard())
            db.execute("TRUNCATE river_job, river_queue")
        assert heard[1] == heard[0], script.__name__
        assert len(heard[0]) == count, script.__name__
