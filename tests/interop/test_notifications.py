"""Others on the database hear from our inserts exactly what they hear from Go's: so many, so spelt, no more."""

import time
from collections.abc import Callable

import psycopg

from tests.interop.adapter import Adapter
from tests.interop.scene import Listener, insert, job, refused

Heard = list[tuple[str, str]]

INSERT = "public.river_insert"
FUTURE = "2031-02-03T04:05:06Z"
COOLDOWN = 0.1  # seconds in which a client notifies a queue at most once


def announced(*queues: str) -> Heard:
    return [(INSERT, f'{{"queue": "{queue}"}}') for queue in queues]


def one_job(adapter: Adapter) -> None:
    insert(adapter, job(queue="one"))


def default_queue(adapter: Adapter) -> None:
    insert(adapter, job())


def odd_queue_names(adapter: Adapter) -> None:
    insert(adapter, job(queue="a-b"), job(queue="a_b"), job(queue="a|b"), job(queue="0"))


def several_queues(adapter: Adapter) -> None:
    insert(adapter, job(queue="z"), job(queue="y"), job(queue="z"), job(queue="x", scheduled_at=FUTURE), job(queue="w"))


def a_large_batch(adapter: Adapter) -> None:
    insert(adapter, *[job(queue=f"batch{number % 3}") for number in range(3000)])


def fast(adapter: Adapter) -> None:
    adapter.request("insert_fast", {"jobs": [job(queue="fast1"), job(queue="fast2"), job(queue="fast1")]})


def not_available(adapter: Adapter) -> None:
    insert(adapter, job(queue="later", scheduled_at=FUTURE), job(queue="later", pending=True))
    insert(adapter, job(queue="later", scheduled_at="2001-01-01T00:00:00Z"))
    adapter.request("insert_fast", {"jobs": [job(queue="later", scheduled_at=FUTURE)]})


def duplicate(adapter: Adapter) -> None:
    insert(adapter, job("same", unique={"by_args": True}, queue="first"))
    insert(adapter, job("same", unique={"by_args": True}, queue="second"))


def committed(adapter: Adapter) -> None:
    adapter.request("tx_begin", {"tx": "one"})
    insert(adapter, job(queue="tx1"), tx="one")
    insert(adapter, job(queue="tx2"), job(queue="tx1"), tx="one")
    adapter.request("insert_fast", {"jobs": [job(queue="tx3")], "tx": "one"})
    adapter.request("tx_end", {"tx": "one", "commit": True})


def rolled_back(adapter: Adapter) -> None:
    adapter.request("tx_begin", {"tx": "one"})
    insert(adapter, job(queue="dropped"), tx="one")
    adapter.request("insert_fast", {"jobs": [job(queue="dropped2")], "tx": "one"})
    adapter.request("tx_end", {"tx": "one", "commit": False})


def refusals(adapter: Adapter) -> None:
    refused(adapter, "insert", {"jobs": []})
    refused(adapter, "insert", {"jobs": [job(queue="bad"), job(priority=9)]})
    refused(adapter, "insert_fast", {"jobs": [job(queue="bad"), job(tags=["?"])]})


SCRIPTS: dict[Callable[[Adapter], None], Heard] = {
    one_job: announced("one"),
    default_queue: announced("default"),
    odd_queue_names: announced("a-b", "a_b", "a|b", "0"),
    several_queues: announced("z", "y", "w"),
    a_large_batch: announced("batch0", "batch1", "batch2"),
    fast: announced("fast1", "fast2"),
    not_available: [],
    duplicate: announced("first", "second"),
    committed: announced("tx1", "tx2", "tx3"),
    rolled_back: [],
    refusals: [],
}


def test_the_same_script_is_heard_alike(ours: Adapter, go: Adapter, listener: Listener, db: psycopg.Connection) -> None:
    for adapter in (go, ours):
        for script, expected in SCRIPTS.items():  # on queues of their own, so the cool-down does not matter
            script(adapter)
            assert listener.heard() == expected, (adapter.application_name, script.__name__)
        db.execute("TRUNCATE river_job")


def test_nothing_is_heard_before_the_commit(ours_either_way: Adapter, listener: Listener) -> None:
    ours_either_way.request("tx_begin", {"tx": "one"})
    insert(ours_either_way, job(queue="tx"), tx="one")
    assert listener.heard() == []
    ours_either_way.request("tx_end", {"tx": "one", "commit": True})
    assert listener.heard() == announced("tx")


def within_cooldown(script: Callable[[str], None]) -> str:
    """Run a script on a new queue until it takes less than the cool-down, and return the queue's name."""
    for attempt in range(50):
        queue = f"quick{attempt}"
        before = time.monotonic()
        script(queue)
        if time.monotonic() - before < COOLDOWN:
            return queue
    raise AssertionError("the machine is too slow to see the cool-down")


def test_a_queue_is_announced_once_in_the_cooldown(ours_either_way: Adapter, go: Adapter, listener: Listener) -> None:
    for adapter in (go, ours_either_way):

        def three_times(queue: str, adapter: Adapter = adapter) -> None:
            insert(adapter, job(queue=queue))
            insert(adapter, job(queue=queue), job(queue=queue))
            adapter.request("insert_fast", {"jobs": [job(queue=queue)]})

        queue = within_cooldown(three_times)
        assert [payload for _, payload in listener.heard()].count(f'{{"queue": "{queue}"}}') == 1
        time.sleep(COOLDOWN * 1.1)  # the cool-down itself is what is tested
        insert(adapter, job(queue=queue))
        assert listener.heard() == announced(queue)


def test_the_cooldown_is_of_the_client_not_of_the_transaction(
    ours_either_way: Adapter, go: Adapter, listener: Listener
) -> None:
    for adapter in (go, ours_either_way):

        def dropped_then_kept(queue: str, adapter: Adapter = adapter) -> None:
            adapter.request("tx_begin", {"tx": "one"})
            insert(adapter, job(queue=queue), tx="one")
            adapter.request("tx_end", {"tx": "one"})
            insert(adapter, job(queue=queue))

        queue = within_cooldown(dropped_then_kept)
        assert announced(queue)[0] not in listener.heard()


def test_another_client_has_its_own_cooldown(ours_either_way: Adapter, go: Adapter, listener: Listener) -> None:
    insert(go, job())
    insert(ours_either_way, job())
    assert listener.heard() == announced("default", "default")
