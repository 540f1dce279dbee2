"""Listings: the same rows in the same order from both, and cursors that are the same text."""

import itertools
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from tests.interop import adapter as codes
from tests.interop.adapter import Adapter
from tests.interop.scene import ask, put_jobs, refused

FINALIZED = ["cancelled", "completed", "discarded"]
STATES = ["available", *FINALIZED, "pending", "retryable", "running", "scheduled"]
NAMES = ["plain", 'a<b>&"c"', "middle·dot", "é☃😀\uffff", "line\u2028\u2029", "back\\slash/", "control\x01\x7f\t\n"]
TAGS = [[], ["abc"], ["abc", 'd,"e\\'], ["{}", "ünï"]]
BEYOND_DOUBLES = 2**53

START = datetime(2001, 1, 1, tzinfo=UTC)


def _hour(number: int) -> str:
    return (START + timedelta(hours=number, microseconds=number * 1_000_010)).isoformat()


def _job(number: int) -> dict[str, Any]:
    """One of many jobs, whose times repeat and rise neither with the id nor with each other; some have none."""
    state = STATES[number % len(STATES)]
    return {
        "id": number + 1 if number < 20 else BEYOND_DOUBLES + number,
        "kind": NAMES[number % len(NAMES)],
        "queue": NAMES[-number % len(NAMES)],
        "priority": number % 4 + 1,
        "state": state,
        "scheduled_at": _hour(number * 7 % 5),
        "attempted_at": _hour(number * 3 % 4) if number % 3 else None,
        "finalized_at": _hour(number * 5 % 3) if state in FINALIZED else None,
        "tags": TAGS[number % len(TAGS)],
        "metadata": {"third": number % 3, "big": 12345678901234567890123 + number % 2, "list": [number % 5, {"a": []}]},
    }


JOBS = [_job(number) for number in range(40)]


@pytest.fixture
def jobs(db: psycopg.Connection) -> None:
    """The jobs above."""
    put_jobs(db, JOBS)


MIXTURES: list[list[str]] = [
    [],
    ["available"],
    ["running"],
    ["completed"],
    ["cancelled", "discarded"],
    ["running", "completed", "available"],
    ["completed", "available", "running"],
    ["scheduled", "cancelled", "running"],
]
LISTINGS: list[dict[str, Any]] = [
    {"order_by": order, "direction": direction, "states": states}
    for order, direction, states in itertools.product(
        ["id", "scheduled_at", "finalized_at", "time"], ["asc", "desc"], MIXTURES
    )
    if order != "finalized_at" or set(states) <= set(FINALIZED)
]


def walk(go: Adapter, ours: Adapter, listing: Mapping[str, Any], limit: int) -> list[int]:
    """Go through a listing page by page; each page is that of both, after a cursor that is that of both."""
    ids: list[int] = []
    after = ""
    while True:
        theirs, mine = (adapter.request("list", {**listing, "after": after, "limit": limit}) for adapter in (go, ours))
        assert mine == theirs, (listing, after)
        if not mine["jobs"]:
            assert mine["cursor"] is None
            return ids
        ids += [job["id"] for job in mine["jobs"]]
        after = mine["cursor"]


def expected_ids(db: psycopg.Connection, listing: Mapping[str, Any]) -> list[int]:
    """Ask PostgreSQL for the whole listing at once."""
    states, order = listing["states"], listing["order_by"]
    if order == "time":
        order = {"running": "attempted_at"} | dict.fromkeys(FINALIZED, "finalized_at")
        order = order.get(states[0], "scheduled_at") if states else "scheduled_at"
    if listing["order_by"] == "finalized_at":
        states = states or FINALIZED
    direction = listing["direction"]
    query = f"SELECT id FROM river_job WHERE state::text = ANY(%s) ORDER BY {order} {direction}, id {direction}"
    return [job_id for (job_id,) in db.execute(query, [states or STATES])]


@pytest.mark.usefixtures("jobs")
def test_cursors_are_equal_and_go_on_from_each_other(ours: Adapter, go: Adapter, db: psycopg.Connection) -> None:
    for listing in LISTINGS:
        ids = walk(go, ours, listing, 5)
        assert ids == expected_ids(db, listing), listing
        assert ids, listing


@pytest.mark.usefixtures("jobs")
def test_pages_of_one(ours_either_way: Adapter, go: Adapter, db: psycopg.Connection) -> None:
    """Every job is the last of its page once."""
    cursors = set()
    for direction in ("asc", "desc"):
        listing = {"order_by": "time", "direction": direction, "states": ["running", "completed", "pending"]}
        assert walk(go, ours_either_way, listing, 1) == expected_ids(db, listing)
        for job_id in expected_ids(db, listing):
            cursors.add(go.request("list", {**listing, "ids": [job_id]})["cursor"])
    assert any("-" in cursor or "_" in cursor for cursor in cursors)  # where Base64 has two alphabets


def _encoded(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode()


GARBAGE = [
    "x",
    "!!!!",
    "é",
    "e30",
    _encoded("no JSON"),
    _encoded("[]"),
    _encoded('{"id":"1","kind":"k","queue":"q","sort_field":"id","time":"2001-01-01T00:00:00Z"}'),
    _encoded('{"id":1.5,"kind":"k","queue":"q","sort_field":"id","time":"2001-01-01T00:00:00Z"}'),
    _encoded('{"id":1,"kind":1,"queue":"q","sort_field":"id","time":"2001-01-01T00:00:00Z"}'),
    _encoded('{"id":1,"kind":"k","queue":"q","sort_field":"id","time":"yesterday"}'),
    _encoded('{"id":1,"kind":"k","queue":"q","sort_field":"id","time":"2001-01-01 00:00:00"}'),
    _encoded(f'{{"id":{2**63},"kind":"k","queue":"q","sort_field":"id","time":"2001-01-01T00:00:00Z"}}'),
]


@pytest.mark.usefixtures("jobs")
def test_garbage_is_no_cursor(ours_either_way: Adapter, go: Adapter) -> None:
    cursor = go.request("list", {"limit": 1})["cursor"]
    for adapter in (go, ours_either_way):
        for garbage in [*GARBAGE, cursor[:-1], cursor[1:]]:
            assert refused(adapter, "list", {"after": garbage}) == codes.INVALID_PARAMS, garbage


FILTERS: list[dict[str, Any]] = [
    {"ids": [3, 5, BEYOND_DOUBLES + 25, BEYOND_DOUBLES + 30, 2**63 - 1]},
    {"kinds": NAMES[1:5]},
    {"queues": NAMES[3:]},
    {"priorities": [1, 4]},
    {"states": ["running", "discarded"]},
    {"tags_all": ["abc"]},
    {"tags_all": ['d,"e\\', "abc"]},
    {"tags_any": ["{}", 'd,"e\\']},
    {"tags_all": ["ünï"], "tags_any": ["{}", "abc"]},
    {"metadata": {"third": 1}},
    {"metadata": {"big": 12345678901234567890124, "third": 2}},
    {"kinds": ["none"]},
    {
        "ids": [job["id"] for job in JOBS[5:]],
        "kinds": NAMES[:6],
        "queues": NAMES[1:],
        "priorities": [1, 2, 3],
        "states": ["running", "completed", "cancelled", "scheduled", "available"],
        "tags_all": ["abc"],
        "tags_any": ["abc", "{}"],
        "metadata": {"big": 12345678901234567890123},
    },
]
COLUMNS = {"ids": "id", "kinds": "kind", "queues": "queue", "priorities": "priority", "states": "state"}


def _matches(job: Mapping[str, Any], filters: Mapping[str, Any]) -> bool:
    return (
        all(job[column] in filters[name] for name, column in COLUMNS.items() if name in filters)
        and set(filters.get("tags_all", [])) <= set(job["tags"])
        and ("tags_any" not in filters or not set(filters["tags_any"]).isdisjoint(job["tags"]))
        and filters.get("metadata", {}).items() <= {**job["metadata"], "list": None}.items()
    )


@pytest.mark.usefixtures("jobs")
def test_filters_and_counts(ours: Adapter, go: Adapter) -> None:
    for filters in FILTERS:
        expected = {job["id"] for job in JOBS if _matches(job, filters)}
        for order in ({"order_by": "id"}, {"order_by": "time", "direction": "desc"}):
            ids = walk(go, ours, filters | order, 2)
            assert (len(ids), set(ids)) == (len(expected), expected), filters
    assert len(expected) > 2  # all filters together leave more than a page
    assert ours.request("count") == go.request("count") == {"by_state": dict.fromkeys(STATES, 5)}


METADATA: Sequence[tuple[Any, list[int]]] = [
    ({"a": {"b": [1, {"c": "<é"}]}}, [1, 2]),
    ({"a": {"b": [{"c": "<é"}]}}, [1, 2]),
    ({"a": {"b": []}}, [1, 2]),
    ({"a": {}}, [1, 2]),
    ({"n": 10**40}, [2]),
    ({"n": 10**40 + 1}, []),
    ({"none": None}, [3]),
    ({"": ""}, [3]),
    ({}, [1, 2, 3]),
    ([], []),
    ("text", []),
    (1, []),
]


def test_metadata_contain_a_fragment(ours_either_way: Adapter, go: Adapter, db: psycopg.Connection) -> None:
    nested = {"a": {"b": [1, 2, {"c": "<é", "d": 1}]}}
    put_jobs(
        db,
        [
            {"id": 1, "metadata": nested},
            {"id": 2, "metadata": nested | {"n": 10**40}},
            {"id": 3, "metadata": {"none": None, "": ""}},
        ],
    )
    for fragment, expected in METADATA:
        assert walk(go, ours_either_way, {"metadata": fragment}, 2) == expected, fragment


REFUSED: list[dict[str, Any]] = [
    {"limit": -1},
    {"limit": 10_001},
    {"states": ["sleeping"]},
    {"states": [""]},
    {"order_by": "finalized_at", "states": ["completed", "running"]},
    {"tags_all": ["nul\x00"]},
    {"kinds": ["nul\x00"]},
    {"metadata": {"nul": "\x00"}},
]


def test_both_refuse(ours_either_way: Adapter, go: Adapter) -> None:
    for params in REFUSED:
        for adapter in (go, ours_either_way):
            assert refused(adapter, "list", params) == codes.REJECTED, params


def test_both_list_a_hundred_and_ten_thousand(ours_either_way: Adapter, go: Adapter, db: psycopg.Connection) -> None:
    many = "INSERT INTO river_job (args, kind, max_attempts) SELECT '{}', 'many', 25 FROM generate_series(1, 10001)"
    db.execute(many)
    for limit, expected in ((0, 100), (10_000, 10_000)):
        theirs, mine = (adapter.request("list", {"limit": limit}) for adapter in (go, ours_either_way))
        assert mine == theirs
        assert len(mine["jobs"]) == expected


def test_a_transaction_lists_what_it_did(pair: tuple[Adapter, Adapter], db: psycopg.Connection) -> None:
    first, second = pair
    put_jobs(db, [{"id": 1}, {"id": 2, "state": "discarded", "finalized_at": "2001-01-01T00:00:00Z"}, {"id": 3}])

    def states(adapter: Adapter, **scope: str) -> dict[int, str]:
        return {job["id"]: job["state"] for job in adapter.request("list", scope)["jobs"]}

    before = {1: "available", 2: "discarded", 3: "available"}
    after = {1: "cancelled", 2: "available"}
    for commit in (False, True):
        first.request("tx_begin", {"tx": "one"})
        for method, job_id in (("cancel", 1), ("retry", 2), ("delete", 3)):
            first.request(method, {"id": job_id, "tx": "one"})
        assert states(first, tx="one") == after
        assert first.request("count", {"tx": "one"})["by_state"]["available"] == 1
        assert ask(first, "get", {"id": 3, "tx": "one"}) == codes.NOT_FOUND
        assert states(first) == states(second) == before
        assert second.request("get", {"id": 3})["job"]["state"] == "available"
        first.request("tx_end", {"tx": "one", "commit": commit})
        assert states(first) == states(second) == (after if commit else before)
