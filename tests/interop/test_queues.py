"""A working Go client stops, goes on and learns of metadata when we say so; it looks by itself once a minute."""

import json
from typing import Any

import psycopg

from tests.interop.adapter import Adapter
from tests.interop.scene import Listener, ask, insert_one, start_worker, wait_for, wait_for_state

QUEUES = ["first", "second"]


def control(adapter: Adapter, action: str, name: str, **params: Any) -> None:
    adapter.request("queue", {"action": action, "name": name, **params})


def told(go: Adapter) -> list[str]:
    """What Go's client told its subscribers so far, in order."""
    return go.request("stats")["events"]  # type: ignore[no-any-return]


def wait_until_told(go: Adapter, *events: str) -> None:
    wait_for(lambda: told(go) == list(events))


def read_alike(go: Adapter, ours: Adapter, name: str) -> dict[str, Any]:
    """Return a queue, of which both must have the same idea."""
    theirs, mine = (adapter.request("queue_get", {"name": name}) for adapter in (go, ours))
    assert mine == theirs
    return mine  # type: ignore[no-any-return]


def test_we_pause_and_resume_a_queue(ours: Adapter, go: Adapter, db: psycopg.Connection) -> None:
    start_worker(go, queues=QUEUES)
    for _ in range(2):
        control(ours, "pause", "first")  # again: nothing is told
    wait_until_told(go, "queue_paused")
    assert read_alike(go, ours, "first")["paused_at"]
    held = insert_one(ours, queue="first")["id"]
    other = insert_one(ours, queue="second")["id"]  # is heard of after the one that is held
    wait_for_state(db, other, "completed")
    wait_until_told(go, "queue_paused", "job_completed")
    assert ask(ours, "get", {"id": held})["job"]["state"] == "available"
    control(ours, "resume", "first")
    wait_for_state(db, held, "completed")
    wait_until_told(go, "queue_paused", "job_completed", "queue_resumed", "job_completed")
    assert read_alike(go, ours, "first")["paused_at"] is None


def test_we_pause_and_resume_all_queues(ours_either_way: Adapter, go: Adapter, db: psycopg.Connection) -> None:
    start_worker(go, queues=QUEUES)
    control(ours_either_way, "pause", "*")
    wait_until_told(go, "queue_paused", "queue_paused")
    held = [insert_one(ours_either_way, queue=queue)["id"] for queue in QUEUES]
    control(ours_either_way, "resume", "*")
    for job_id in held:
        wait_for_state(db, job_id, "completed")
    wait_for(lambda: len(told(go)) == 6)
    events = told(go)
    assert sorted(events[2:]) == ["job_completed", "job_completed", "queue_resumed", "queue_resumed"]
    assert events[2] == "queue_resumed"  # nothing was worked before


def test_a_pause_is_heard_when_it_is_committed(
    ours_either_way: Adapter, go: Adapter, db: psycopg.Connection, listener: Listener
) -> None:
    ours = ours_either_way
    start_worker(go, queues=QUEUES)
    listener.heard()
    for commit in (False, True):
        ours.request("tx_begin", {"tx": "one"})
        control(ours, "pause", "first", tx="one")
        assert ours.request("queue_get", {"name": "first", "tx": "one"})["paused_at"]
        assert read_alike(go, ours, "first")["paused_at"] is None
        assert listener.heard() == []
        ours.request("tx_end", {"tx": "one", "commit": commit})
        assert bool(read_alike(go, ours, "first")["paused_at"]) == commit
    wait_until_told(go, "queue_paused")


def test_go_pauses_and_we_see_it(ours_either_way: Adapter, go: Adapter) -> None:
    start_worker(go, queues=QUEUES)
    before = read_alike(go, ours_either_way, "first")
    control(go, "pause", "first")
    paused = read_alike(go, ours_either_way, "first")
    assert paused["paused_at"] == paused["updated_at"] > before["updated_at"]
    control(ours_either_way, "pause", "first")
    assert read_alike(go, ours_either_way, "first") == paused
    control(go, "update", "second", metadata={"by": "Go", "n": 10**40})
    theirs, mine = (adapter.request("queue_list") for adapter in (go, ours_either_way))
    assert mine == theirs
    assert [queue["name"] for queue in mine["queues"]] == QUEUES
    assert mine["queues"][1]["metadata"] == {"by": "Go", "n": 10**40}
    assert ours_either_way.request("queue_list", {"limit": 1})["queues"] == [paused]


METADATA = {"text": 'é☃😀 <&> "\\', "n": [1, 1.5, 10**40], "nested": {"b": {}, "a": [None, True]}}


def test_gos_producers_hear_of_metadata(ours_either_way: Adapter, go: Adapter) -> None:
    ours = ours_either_way
    start_worker(go, queues=QUEUES)
    control(ours, "update", "first", metadata=METADATA)
    control(ours, "update", "second", metadata={"last": True})

    def heard() -> dict[str, Any]:
        return {each["queue"]: json.loads(each["metadata"]) for each in go.request("worked")["queue_metadata"]}

    wait_for(lambda: heard() == {"first": METADATA, "second": {"last": True}})
    assert read_alike(go, ours, "first")["metadata"] == METADATA
