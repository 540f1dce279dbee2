import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from riverqueue import (
    InvalidParamsError,
    JobDeleteManyParams,
    JobListCursor,
    JobListParams,
    JobRow,
    JobState,
    Where,
)
from riverqueue.operations import filters

NOW = datetime(2026, 1, 2, tzinfo=UTC)
FINAL = (JobState.CANCELLED, JobState.COMPLETED, JobState.DISCARDED)


def shown(value):
    return re.sub(r" at 0x\w+", "", repr(value))


@pytest.mark.parametrize(
    ("order_by", "states", "column", "nullable"),
    [
        ("id", (), None, False),
        ("scheduled_at", (), "scheduled_at", False),
        ("finalized_at", (), "finalized_at", False),
        ("finalized_at", ("completed",), "finalized_at", False),
        ("time", (), "scheduled_at", False),
        ("time", ("available", "running"), "scheduled_at", False),
        ("time", ("pending",), "scheduled_at", False),
        ("time", ("retryable",), "scheduled_at", False),
        ("time", ("scheduled", "completed"), "scheduled_at", False),
        ("time", ("running",), "attempted_at", True),
        ("time", ("running", "completed"), "attempted_at", True),
        ("time", ("completed",), "finalized_at", False),
        ("time", ("discarded", "cancelled"), "finalized_at", False),
        ("time", ("completed", "available"), "finalized_at", True),
    ],
)
def test_the_column_of_an_order(order_by, states, column, nullable):
    params = JobListParams(order_by=order_by, states=states)
    assert (params.time_column, params.time_is_nullable) == (column, nullable)


def test_by_finalized_at_lists_finalized_jobs():
    assert set(JobListParams(order_by="finalized_at").states) == set(FINAL)
    assert JobListParams(order_by="finalized_at", states=["discarded"]).states == (JobState.DISCARDED,)


def test_states_are_taken_as_text_or_members():
    assert JobListParams(states=["available", JobState.RUNNING]).states == (JobState.AVAILABLE, JobState.RUNNING)


def test_what_was_given_may_change_later():
    kinds = ["a"]
    params = JobListParams(kinds=kinds)
    kinds.append("b")
    assert params.kinds == ("a",)


def test_generators_are_read_once():
    params = JobListParams(ids=(n for n in range(3)), kinds={"a": 1}.keys())
    assert replace(params, first=1).ids == (0, 1, 2)
    assert params.kinds == ("a",)


REFUSED = {
    "ids": [1, "1", [1.5], [True], [None], [2**63], ["1"], {1: 2}],
    "kinds": ["sort", b"sort", [1], ["a\0b"], ["\ud800"], 5],
    "priorities": [1, [0], [5], [True], ["1"]],
    "queues": ["default", [None]],
    "states": ["available", ["done"], [1], [None], ["AVAILABLE"]],
    "first": [0, -1, 10_001, True, "5", 1.0, None],
    "where": [["a = 1"], "a = 1", 5],
}
REFUSED_BY_LISTS = {
    "tags_all": ["abc", [1]],
    "tags_any": ["abc", [b"abc"]],
    "metadata": ["{", "nope", "NaN", "", '"\\u0000"', [1], 5, {"a": object()}, {"a": float("nan")}, {1.5: 1}, b"{}"],
    "order_by": ["created_at", "", None, 1, "ID"],
    "after": [5, "garbage", {"id": 1}, b"x"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in REFUSED for value in REFUSED[name]], ids=shown)
@pytest.mark.parametrize("kind", [JobListParams, JobDeleteManyParams])
def test_refused(kind, name, value):
    others = {"ids": [1]} if kind is JobDeleteManyParams and name != "ids" else {}
    with pytest.raises(InvalidParamsError) as caught:
        kind(**others, **{name: value})
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name in REFUSED_BY_LISTS for value in REFUSED_BY_LISTS[name]], ids=shown
)
def test_refused_by_lists(name, value):
    with pytest.raises(InvalidParamsError):
        JobListParams(**{name: value})


def test_errors_name_the_value_and_the_remedy():
    for make, words in [
        (lambda: JobListParams(states=["done"]), ["'done'", "available", "scheduled"]),
        (lambda: JobListParams(kinds="sort"), ["'sort'", "['sort']"]),
        (lambda: JobListParams(first=20_000), ["20000", "10000"]),
        (lambda: JobListParams(order_by="created_at"), ["'created_at'", "finalized_at"]),
        (lambda: JobListParams(order_by="finalized_at", states=["completed", "running"]), ["running", "time"]),
        (lambda: JobListParams(metadata="{'a': 1}"), ["metadata", "JSON"]),
        (lambda: JobDeleteManyParams(), ["unsafe_all=True"]),
        (lambda: JobDeleteManyParams(unsafe_all=True, ids=[1]), ["unsafe_all"]),
    ]:
        with pytest.raises(InvalidParamsError) as caught:
            make()
        assert all(word in str(caught.value) for word in words), caught.value


def test_deleting_all_must_be_said():
    assert JobDeleteManyParams(unsafe_all=True).first == 100
    for empty in ({"ids": []}, {"kinds": ()}, {"where": []}, {"unsafe_all": 1}):
        with pytest.raises(InvalidParamsError, match="no filter"):
            JobDeleteManyParams(**empty)


# --- Cursors ---


def row(state="available", **times):
    text = (
        '[{}, 0, %s, null, "2026-01-01T00:00:00+00:00", null, %s, "sort", 25, {}, 1, "default", '
        '"2026-01-03T00:00:00+00:00", "%s", [], null, null]'
    )
    quoted = [f'"{times[name]}"' if name in times else "null" for name in ("attempted_at", "finalized_at")]
    return JobRow((7, text % (*quoted, state)))


def test_a_job_stands_where_the_order_says():
    finalized = "2026-01-04T00:00:00+00:00"
    job = row("completed", finalized_at=finalized)
    place = JobListParams(order_by="time", states=["completed"], after=job).after
    assert place == JobListCursor(7, "sort", "default", "time", datetime.fromisoformat(finalized))
    assert JobListParams(after=job).after.time is None
    assert JobListParams(order_by="time", states=["running"], after=job).after.time is None
    assert JobListParams(order_by="scheduled_at", after=job).after.time == datetime(2026, 1, 3, tzinfo=UTC)


def test_cursors_of_other_listings_are_refused():
    by_time = JobListCursor(7, "sort", "default", "time", NOW)
    assert JobListParams(order_by="time", after=str(by_time)).after == by_time
    for order in ("id", "scheduled_at", "finalized_at"):
        with pytest.raises(InvalidParamsError, match="'time'"):
            JobListParams(order_by=order, after=by_time)
    without = replace(by_time, time=None)
    assert JobListParams(order_by="time", states=["running"], after=without).after == without
    for states in ((), ("available",), ("completed",)):
        with pytest.raises(InvalidParamsError, match="has no"):
            JobListParams(order_by="time", states=states, after=without)
    with pytest.raises(InvalidParamsError, match="has no finalized_at"):
        JobListParams(order_by="finalized_at", after=row())


# --- Where ---


@pytest.mark.parametrize(
    ("sql", "params"),
    [
        ("", {}),
        ("  \n", {}),
        ("a = @x::int", {}),
        ("a = @x", {"x": 1}),
        ("a = 1", {"x": 1}),
        ("a = @_x::int", {"_x": 1}),
        ("a = @x::text", {"x": "\0"}),
        ("a = @x::text", {"x": b"x"}),
        ("a = @x::text", {"x": {"a": 1}}),
        ("a = @x::text[]", {"x": ["a", 1]}),
        ("a = @x::text[]", {"x": ("a",)}),
        ("a = @x::bool[]", {"x": [True]}),
        ("a = @x::timestamptz", {"x": datetime(2026, 1, 1)}),
        ("a = @x::interval", {"x": timedelta(1)}),
        ("a = '\0'", {}),
        (1, {}),
    ],
)
def test_conditions_are_refused(sql, params):
    with pytest.raises(InvalidParamsError):
        Where(sql, params)


def test_conditions_share_no_parameter():
    one = Where("kind = @x::text", {"x": "a"})
    with pytest.raises(InvalidParamsError, match="'x'"):
        JobListParams(where=[one, Where("queue = @x::text", {"x": "b"})])
    assert JobListParams(where=one).where == (one,)


def test_a_condition_cannot_undo_the_others():
    params = JobListParams(kinds=["a"], where=[Where("true OR true -- all")])
    (_, where), _ = filters.of_listing(params)[0]
    assert where.endswith("(true OR true -- all\n)")


def test_names_of_a_condition_never_meet_rivers():
    names = JobListParams(
        ids=[1], kinds=["a"], priorities=[1], queues=["q"], states=["running"], tags_all=["a"], tags_any=["b"],
        metadata={}, order_by="time", after=JobListCursor(1, "", "", "time", NOW),
    )  # fmt: skip
    assert all(name.startswith("_") for name in filters.of_listing(names)[1])
