"""The same job is a duplicate of itself, whichever side inserts it first."""

import json
import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.interop import adapter as codes
from tests.interop.adapter import Adapter
from tests.interop.conftest import Start
from tests.interop.scene import count_jobs, insert, job, read_rows, refused

WHOLE = {"unique": {"by_args": True}}
FUTURE = "2031-02-03T04:05:06.9Z"

# Spelt as Go's encoder spells them: both sides are given this text.
ARGS = [
    "{}",
    '{"b":1,"a":2}',
    '{"zeta":"z","alpha":1,"nest":{"y":2,"x":3}}',
    '{"b":1,"a":2,"b":3}',
    '{ "b" : [ 1 , 2 ] , "a" : { "z" : 1 , "y" : 2 } }',
    '{"n":[1,1.5,1e+21,1e-7,-0,0.1,0.000001,123456789012345678901234567890,5e-324,1.7976931348623157e+308]}',
    '{"s":["é","😀","/","\\u0001","\\b\\f\\n\\r\\t\\"\\\\","\x7f"]}',
    '{"html":["\\u003cscript\\u003e\\u0026amp;","\\u2028\\u2029"],"raw":["<script>&amp;","\u2028\u2029"]}',
    '{"":0,"a.b":1,"@x":2,":lead":3,"!bang":4,"[open":5,"{brace":6,"a\\\\b":7,"a*":8,"#":9,"a|b":10}',
    '{"a<b":1,"a&b":2,"é":3,"line\\n":4,"q\\"q":5,"\\u0061":6,"a\\u2028b":7,"\ue000":8,"😀":9,"\x7f":10}',
    '{"10":1,"9":2,"A":3,"_":5,"a":4}',
]

# Spelt as no encoder of Go's would: it is given the values, we are given the text or the values.
VALUES = [
    '{"n":[1.0,1.50,1e2,1E+2,1e21,1e-07,1e-6,-0.0,0.1,1e20,123456.789e3,0.30000000000000004,4503599627370497.5]}',
    '{"s":["\\u00e9","\\ud83d\\ude00","\\/","\\u0007","\\u007f","\\u0061","\\u003c","<&>","\u2028"]}',
    '{"nested":{"a":[{"b":1.0,"c":"<"}],"d":[],"e":{},"f":null,"g":true}, "\\u00e9<" : "\\u2029"}',
]

SELECTED = [
    ('{"customer_id":"c1","trace":"t1"}', '{"trace":"t2","customer_id":"c1"}', [["customer_id"]]),
    (
        '{"zone":"eu","cust":{"id":7,"name":"n"},"trace":"t","account":"acme"}',
        '{"account":"acme","cust":{"name":"m","id":7},"zone":"eu"}',
        [["zone"], ["cust", "id"], ["opt"], ["account"]],
    ),
    ('{"b":1}', '{"c":2}', [["opt"]]),
    ('{"cust":{"b":1,"a":2},"n":null}', '{"n":null,"x":0,"cust":{"b":1,"a":2}}', [["cust"], ["n"]]),
    (
        '{"a-b":3,"a":{"x":1},"a_b":4,"ab":5}',
        '{"ab":5,"a":{"x":1,"y":2},"a_b":4,"a-b":3}',
        [["a-b"], ["a", "x"], ["a_b"], ["ab"]],
    ),
    ('{"user.id":1,"user":{"id":2}}', '{"user":{"id":2,"x":0},"user.id":1}', [["user.id"], ["user", "id"]]),
    (
        '{"@user":1,"!x":2,":id":3,"a*b?c#d|e":4,"path/key":5,"é":6}',
        '{"é":6,":id":3,"@user":1,"!x":2,"a*b?c#d|e":4,"path/key":5,"z":0}',
        [["@user"], ["!x"], [":id"], ["a*b?c#d|e"], ["path/key"], ["é"]],
    ),
    ('{"f":1.5,"g":[100,"<&>"],"z":1}', '{"f":1.5,"g":[100,"<&>"]}', [["f"], ["g"]]),
    ('{"<tag>":1,"a&b":{"c\\"d":2}}', '{"<tag>":1,"a&b":{"c\\"d":2,"x":1}}', [["<tag>"], ["a&b", 'c"d']]),
]


def insert_args(adapter: Adapter, **params: Any) -> tuple[bool, dict[str, Any]]:
    result = adapter.request("insert_args", {"kind": "interop.unique"} | params)
    return result["unique_skipped_as_duplicate"], result["job"]


def assert_duplicates(first: Adapter, second: Adapter, one: Mapping[str, Any], other: Mapping[str, Any]) -> None:
    skipped, row = insert_args(first, **one)
    assert not skipped, one
    assert insert_args(second, **other) == (True, row), other


def test_jobs_with_the_same_args_are_duplicates(pair: tuple[Adapter, Adapter], db: psycopg.Connection) -> None:
    for args in ARGS:
        assert_duplicates(*pair, {"args": args, "opts": WHOLE}, {"args": args, "opts": WHOLE})
        db.execute("TRUNCATE river_job")


@pytest.mark.parametrize("typed", [False, True], ids=["text", "values"])
def test_jobs_with_the_same_values_are_duplicates(
    pair: tuple[Adapter, Adapter], db: psycopg.Connection, typed: bool
) -> None:
    for args in VALUES:
        given = [{"args": args, "opts": WHOLE, "typed": typed or "go" in adapter.application_name} for adapter in pair]
        assert_duplicates(*pair, *given)
        db.execute("TRUNCATE river_job")


def test_jobs_with_the_same_selected_args_are_duplicates(pair: tuple[Adapter, Adapter], db: psycopg.Connection) -> None:
    for one, other, paths in SELECTED:
        params = {"opts": WHOLE, "unique_paths": paths}
        assert_duplicates(*pair, {"args": one} | params, {"args": other} | params)
        db.execute("TRUNCATE river_job")


OPTIONS: list[dict[str, Any]] = [
    {"unique": {"by_queue": True}},
    {"unique": {"by_queue": True}, "queue": "other"},
    {"unique": {"by_period_ms": 365 * 86_400_000}},
    {"unique": {"by_period_ms": 1000}, "scheduled_at": FUTURE},
    {"unique": {"by_period_ms": 1500}, "scheduled_at": FUTURE},
    {"unique": {"by_period_ms": 7 * 86_400_000}, "scheduled_at": FUTURE},
    {"unique": {"by_period_ms": 5 * 3_600_000}, "scheduled_at": "0001-01-01T07:00:00Z"},
    {"unique": {"by_period_ms": 420_000}, "scheduled_at": "1969-12-31T23:59:59.999Z"},
    {"unique": {"by_period_ms": 86_400_000}, "scheduled_at": "2031-02-03T00:30:00+05:30"},
    {"unique": {"by_state": ["available", "pending", "running", "scheduled"]}},
    {"unique": {"by_state": ["scheduled", "running", "pending", "available", "discarded", "cancelled"]}},
    {"unique": {"by_args": True, "exclude_kind": True}},
    {
        "unique": {"by_queue": True, "by_args": True, "by_period_ms": 60_000, "exclude_kind": True},
        "scheduled_at": FUTURE,
    },
]


def test_jobs_with_the_same_options_are_duplicates(pair: tuple[Adapter, Adapter], db: psycopg.Connection) -> None:
    for opts in OPTIONS:
        params = {"args": '{"a":1}', "opts": opts}
        assert_duplicates(*pair, params, params)
        db.execute("TRUNCATE river_job")


DIFFERENT: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"args": '{"a":1}'}, {"args": '{"a":2}'}),
    ({"args": '{"a":1}'}, {"args": '{"a":1.5}'}),
    ({"args": '{"a":{"b":1,"c":2}}'}, {"args": '{"a":{"c":2,"b":1}}'}),
    ({"kind": "interop.one"}, {"kind": "interop.two"}),
    ({"opts": {"unique": {"by_queue": True}}}, {"opts": {"unique": {"by_queue": True}, "queue": "other"}}),
    (
        {"opts": {"unique": {"by_period_ms": 1000}, "scheduled_at": "2031-01-01T00:00:00.999999Z"}},
        {"opts": {"unique": {"by_period_ms": 1000}, "scheduled_at": "2031-01-01T00:00:01Z"}},
    ),
]


def test_other_jobs_are_no_duplicates(pair: tuple[Adapter, Adapter], db: psycopg.Connection) -> None:
    for one, other in DIFFERENT:
        default = {"args": "{}", "opts": WHOLE}
        assert not insert_args(pair[0], **default | one)[0]
        assert not insert_args(pair[1], **default | other)[0], (one, other)
        db.execute("TRUNCATE river_job")


def test_a_duplicate_of_another_kind_leaves_the_kind(pair: tuple[Adapter, Adapter], db: psycopg.Connection) -> None:
    opts = {"unique": {"by_args": True, "exclude_kind": True}}
    _, row = insert_args(pair[0], kind="interop.first", args="{}", opts=opts)
    before = read_rows(db)
    assert insert_args(pair[1], kind="interop.second", args="{}", opts=opts) == (True, row)
    assert read_rows(db) == before


def test_states_that_do_not_count_let_the_job_in(pair: tuple[Adapter, Adapter], db: psycopg.Connection) -> None:
    params = {"args": "{}", "opts": WHOLE}
    for state in ("cancelled", "discarded"):
        insert_args(pair[0], **params)
        db.execute("UPDATE river_job SET state = %s::river_job_state, finalized_at = now()", [state])
        assert not insert_args(pair[1], **params)[0]
        db.execute("TRUNCATE river_job")
    for state in ("completed", "running", "retryable", "scheduled", "pending"):
        insert_args(pair[0], **params)
        finalized = datetime.now(UTC) if state == "completed" else None
        db.execute("UPDATE river_job SET state = %s::river_job_state, finalized_at = %s", [state, finalized])
        skipped, row = insert_args(pair[1], **params)
        assert (skipped, row["state"]) == (True, state)
        db.execute("TRUNCATE river_job")


def test_every_stack_agrees(ours: Adapter, go: Adapter, db: psycopg.Connection) -> None:
    jobs = [
        job("é<&>\u2028", unique={"by_args": True}),
        job(queue="other", unique={"by_queue": True}),
        job(scheduled_at=FUTURE, unique={"by_period_ms": 60_000}),
        job(unique={"by_state": ["available", "pending", "running", "scheduled", "completed"]}),
    ]
    for first, second in ((go, ours), (ours, go)):
        inserted = insert(first, *jobs)
        assert not any(result["unique_skipped_as_duplicate"] for result in inserted)
        again = insert(second, *jobs[::-1])[::-1]
        assert [result["job"] for result in again] == [result["job"] for result in inserted]
        assert all(result["unique_skipped_as_duplicate"] for result in again)
        # Where no rows are returned, a duplicate keeps the whole batch out.
        assert refused(second, "insert_fast", {"jobs": [job("new"), jobs[0]]}) == codes.REJECTED
        assert count_jobs(db) == len(jobs)
        db.execute("TRUNCATE river_job")


@pytest.mark.parametrize("seed", range(2))
def test_keys_of_random_args_agree(start: Start, go_program: Path, seed: int) -> None:
    go, ours = start("go"), start("psycopg")
    random_ = random.Random(seed)
    for _ in range(300):
        params = _random_key(random_)
        theirs = go.request("unique_key", params | {"typed": True})
        for typed in (False, True):
            assert ours.request("unique_key", params | {"typed": typed}) == theirs, params


def _random_key(random_: random.Random) -> dict[str, Any]:
    args = {_random_text(random_): _random_value(random_, 3) for _ in range(random_.randrange(5))}
    params: dict[str, Any] = {
        "args": json.dumps(args, ensure_ascii=random_.random() < 0.5, sort_keys=True),
        "by_args": True,
        "kind": random_.choice(["interop", "my·job[v2]<a>/b:c+d"]),
        "now": "2026-11-23T01:02:03.456789Z",
        "queue": "default",
    }
    if random_.random() < 0.5:
        params |= {"by_period_ms": random_.randrange(1000, 10**9), "by_queue": True}
    # Go can't tag the others; a name that looks like an index is refused by us (Go would make a list of it).
    names = [name for name in args if name and "," not in name and not name.isdecimal()]
    if names and random_.random() < 0.3:
        params["unique_paths"] = [[name] for name in random_.sample(names, random_.randrange(1, len(names) + 1))]
    return params


def _random_text(random_: random.Random) -> str:
    alphabet = "abc.:@*?#|!{}[]()\\\"/<>&' \u00e9\u2028\u2029\ue000😀\n\t\x01\x7f0123-_~"
    return "".join(random_.choices(alphabet, k=random_.randrange(1, 8)))


def _random_value(random_: random.Random, depth: int) -> Any:
    simple: list[Callable[[], Any]] = [
        lambda: None,
        lambda: random_.random() < 0.5,
        lambda: random_.randrange(-(2**53), 2**53),
        lambda: random_.uniform(-1, 1) * 10.0 ** random_.randrange(-330, 300),
        lambda: float(random_.randrange(1000)),
        lambda: _random_text(random_),
    ]
    nested: list[Callable[[], Any]] = [
        lambda: [_random_value(random_, depth - 1) for _ in range(random_.randrange(4))],
        lambda: {_random_text(random_): _random_value(random_, depth - 1) for _ in range(random_.randrange(4))},
    ]
    return random_.choice(simple + (nested if depth else []))()
