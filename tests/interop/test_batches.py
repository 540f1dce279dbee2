"""Batches: in order, all or nothing, and refused for the same reasons on both sides."""

from typing import Any

import psycopg

from tests.interop import adapter as codes
from tests.interop.adapter import Adapter
from tests.interop.scene import count_jobs, insert, job, refused

LARGE = 6_000


def test_a_large_batch_comes_back_in_order(ours: Adapter, go: Adapter, db: psycopg.Connection) -> None:
    for adapter in (go, ours):
        # Some are unique, of which none is a duplicate; the client may insert those in another order.
        jobs = [job(str(number), unique={"by_args": number % 7 == 0}) for number in range(LARGE)]
        rows = [result["job"] for result in insert(adapter, *jobs)]
        assert [row["args"]["message"] for row in rows] == [str(number) for number in range(LARGE)]
        assert [row["id"] for row in rows] == sorted({row["id"] for row in rows})
        assert count_jobs(db) == LARGE
        db.execute("TRUNCATE river_job")


def test_duplicates_in_a_batch_are_the_peers_rows(pair: tuple[Adapter, Adapter], db: psycopg.Connection) -> None:
    first, second = pair
    unique = {"by_args": True}
    theirs = [result["job"] for result in insert(first, job("a", unique=unique), job("b", unique=unique))]
    results = insert(second, job("x"), job("b", unique=unique), job("c", unique=unique), job("a", unique=unique))
    assert [result["unique_skipped_as_duplicate"] for result in results] == [False, True, False, True]
    assert [results[1]["job"], results[3]["job"]] == [theirs[1], theirs[0]]
    assert all(result["job"]["errors"] == [] for result in results)
    assert count_jobs(db) == 4


def test_an_empty_batch_is_refused(ours_either_way: Adapter, go: Adapter) -> None:
    for adapter in (go, ours_either_way):
        for method in ("insert", "insert_fast"):
            assert refused(adapter, method, {"jobs": []}) == codes.REJECTED
            assert refused(adapter, method) == codes.REJECTED


BAD: list[dict[str, Any]] = [
    {"priority": 5},
    {"priority": -1},
    {"queue": "Upper"},
    {"queue": "a--b"},
    {"queue": "a-"},
    {"queue": "a b"},
    {"queue": "q" * 65},
    {"queue": "default\n"},
    {"tags": ["ab"]},
    {"tags": ["a,b"]},
    {"tags": ["abc\n"]},
    {"tags": ["-abc"]},
    {"tags": ["äöü"]},
    {"tags": ["a" * 256]},
    {"max_attempts": -1},
    {"unique": {"exclude_kind": True}},
    {"unique": {"exclude_kind": True, "by_state": ["available", "pending", "running", "scheduled"]}},
    {"unique": {"by_period_ms": 999}},
    {"unique": {"by_period_ms": -1000}},
    {"unique": {"by_state": ["available"]}},
    {"unique": {"by_state": ["available", "pending", "running", "scheduled", "sleeping"]}},
]


def test_one_bad_job_keeps_the_batch_out(pair: tuple[Adapter, Adapter], db: psycopg.Connection) -> None:
    for opts in BAD:
        jobs = [job("good"), job("bad", **opts), job("good")]
        for adapter in pair:
            for method in ("insert", "insert_fast"):
                assert refused(adapter, method, {"jobs": jobs}) == codes.REJECTED, opts
    assert count_jobs(db) == 0


GOOD: list[dict[str, Any]] = [
    {"queue": "a|b"},
    {"queue": "q" * 64},
    {"tags": ["a" * 255]},
    {"tags": ["___", "0-0"]},
    {"max_attempts": 32_767},
    {"unique": {"by_period_ms": 1000}},
    {"scheduled_at": "0001-01-01T00:00:01Z"},
    {"scheduled_at": "9999-12-31T23:59:59Z"},
]


def test_both_accept(pair: tuple[Adapter, Adapter], db: psycopg.Connection) -> None:
    for opts in GOOD:
        shown = []
        for adapter in pair:
            row = insert(adapter, job(**opts))[0]["job"]
            shown.append({name: row[name] for name in ("queue", "tags", "max_attempts", "state")})
            shown[-1] |= {"scheduled_at": row["scheduled_at"] if "scheduled_at" in opts else ""}
            db.execute("TRUNCATE river_job")
        assert shown[0] == shown[1], opts


def test_args_that_cannot_be_stored_are_refused(pair: tuple[Adapter, Adapter], db: psycopg.Connection) -> None:
    for args in ('{"a":"\\u0000"}', '{"\\u0000":1}', '{"a":"\\ud800"}', "", "{", '{"a":NaN}', '{"a":01}', "{}{}"):
        for adapter in pair:
            params = {"kind": "interop.args", "args": args}
            assert refused(adapter, "insert_args", params) == codes.REJECTED, args
    assert count_jobs(db) == 0


def test_a_unique_key_twice_keeps_the_batch_out(pair: tuple[Adapter, Adapter], db: psycopg.Connection) -> None:
    twice = [job("one", unique={"by_args": True}), job("two"), job("one", unique={"by_args": True})]
    for adapter in pair:
        for method in ("insert", "insert_fast"):
            assert refused(adapter, method, {"jobs": twice}) == codes.REJECTED
    assert count_jobs(db) == 0
