"""A unique insert waits for the peer's transaction that has the key, and then tells what became of it."""

from typing import Any

import psycopg
import pytest

from tests.interop.adapter import Adapter, AdapterError
from tests.interop.conftest import Start
from tests.interop.scene import count_jobs, insert, job, wait_for, waits_for_lock

UNIQUE = job("contested", unique={"by_args": True})


@pytest.mark.parametrize("scope", [{}, {"tx": "mine"}], ids=["alone", "in a transaction"])
@pytest.mark.parametrize("commit", [True, False], ids=["commit", "rollback"])
def test_the_second_insert_waits(
    pair: tuple[Adapter, Adapter], db: psycopg.Connection, scope: dict[str, str], commit: bool
) -> None:
    first, second = pair
    first.request("tx_begin", {"tx": "open"})
    row = insert(first, UNIQUE, tx="open")[0]["job"]
    if scope:
        second.request("tx_begin", {"tx": scope["tx"]})
    second.send("insert", {"jobs": [UNIQUE], **scope})
    wait_for(lambda: waits_for_lock(db, second))

    first.request("tx_end", {"tx": "open", "commit": commit})
    result = second.receive()["results"][0]
    if scope:
        second.request("tx_end", {"tx": scope["tx"], "commit": True})

    assert result["unique_skipped_as_duplicate"] == commit
    assert (result["job"] == row) == commit
    assert count_jobs(db) == 1


def test_async_clients_wait(start: Start, go: Adapter, db: psycopg.Connection) -> None:
    ours = start("async-session-asyncpg")
    for first, second in ((go, ours), (ours, go)):
        db.execute("TRUNCATE river_job")
        first.request("tx_begin", {"tx": "open"})
        row = insert(first, UNIQUE, tx="open")[0]["job"]
        second.send("insert", {"jobs": [UNIQUE]})
        wait_for(lambda waiting=second: waits_for_lock(db, waiting))  # type: ignore[misc]
        first.request("tx_end", {"tx": "open", "commit": True})
        assert second.receive()["results"] == [{"job": row, "unique_skipped_as_duplicate": True}]


def test_batches_in_opposite_orders(pair: tuple[Adapter, Adapter], db: psycopg.Connection) -> None:
    """Each transaction inserts what the other has: at most Go's is ended by the database, and it inserts again."""
    jobs = [job(f"job {number}", unique={"by_args": True}) for number in range(20)]
    first, second = pair
    for _ in range(5):
        first.send("insert", {"jobs": jobs})
        second.send("insert", {"jobs": jobs})
        results = [_received(adapter, jobs) for adapter in pair]
        assert [result["job"]["id"] for result in results[0]] == [result["job"]["id"] for result in results[1]]
        assert all(
            one["unique_skipped_as_duplicate"] != other["unique_skipped_as_duplicate"]
            for one, other in zip(*results, strict=True)
        )
        db.execute("TRUNCATE river_job")


def _received(adapter: Adapter, jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return an adapter's results; Go inserts in the caller's order, and so may be a deadlock's victim."""
    try:
        answer = adapter.receive()
    except AdapterError as error:
        if "40P01" not in error.message:
            raise
        answer = adapter.request("insert", {"jobs": jobs})
    return answer["results"]  # type: ignore[no-any-return]
