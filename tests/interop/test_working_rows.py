"""The same jobs, worked by Go and by us, end in the same rows; whoever inserted them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.interop import worked_rows
from tests.interop.adapter import Adapter
from tests.interop.scene import wait_for
from tests.interop.sides import Sides, started

OLD = "2001-01-01T00:00:00Z"
ONCE = [{"at": OLD, "attempt": 1, "error": "old", "trace": "somewhere"}]
CANCELLING = {"cancel_attempted_at": "2026-01-02T03:04:05.6Z"}


@dataclass(frozen=True)
class Case:
    """A job, and how it must end.

    Parameters:
        name: Its message, if it has no other.
        behavior: What its worker does.
        state: What becomes of it.
        opts: How it is inserted.
        columns: What is put into its row before it is worked.
        kind: If it is another than the protocol's.
        duration_ms: One of its args.
        tolerance: How many seconds times may differ.
        own_words: Whether each says by itself what is wrong.
    """

    name: str
    behavior: Any
    state: str
    opts: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, Any] = field(default_factory=dict)
    kind: str = "conformance_echo"
    duration_ms: Any = 0
    tolerance: float = worked_rows.TOLERANCE
    own_words: bool = False


HOUR = 3_600_000  # ms

#: Of which the retry is soon: within the five seconds in which a job need not wait for the leader.
SOON = {"retry_delay_ms": 4_900}
GROUPS: dict[str, tuple[dict[str, Any], list[Case]]] = {
    "retried soon": (
        SOON,
        [
            Case("complete", "", "completed"),
            Case("complete with all", "", "completed", {"tags": ["abc"], "priority": 4, "metadata": {"a": [1, None]}}),
            Case("complete unique", "", "completed", {"unique": {"by_args": True}}),
            Case("complete at the third attempt", "", "completed", {}, {"attempt": 2, "errors": ONCE}),
            Case("output", "output", "completed"),
            Case("output over output", "output", "completed", {"metadata": {"output": {"old": 1}, "kept": 1.50}}),
            Case("metadata", "metadata", "completed", {"metadata": {"kept": {"a": 1}}}, duration_ms=2**53 + 1),
            Case('metadata "<&>"\u2028é\\', "metadata", "completed"),
            Case("error", "error", "available"),
            Case("error again", "error", "available", {}, {"attempt": 1, "errors": ONCE, "attempted_by": ["other"]}),
            Case("error of the last attempt", "error", "discarded", {"max_attempts": 1}),
            Case("error after the last attempt", "error", "discarded", {}, {"attempt": 25, "errors": ONCE}),
            Case("error of a unique job", "error", "discarded", {"max_attempts": 1, "unique": {"by_args": True}}),
            Case("panic", "panic", "available"),
            Case("panic of the last attempt", "panic", "discarded", {"max_attempts": 1}),
            Case("output and error", "output_and_error", "available", {"metadata": {"kept": 1}}),
            Case("output and last error", "output_and_error", "discarded", {"max_attempts": 1}),
            Case("unknown behavior", "nonsense", "available"),
            Case("unknown kind", "", "available", kind="conformance_other"),
            Case("unknown kind, last attempt", "", "discarded", {"max_attempts": 1}, kind="conformance_other"),
            Case("cancel", "cancel", "cancelled"),
            Case("cancel again", "cancel", "cancelled", {}, {"attempt": 3, "errors": ONCE}),
            Case("snooze for long", "snooze", "scheduled", duration_ms=HOUR),
            Case("snooze just short enough", "snooze", "available", duration_ms=5_000),
            Case("snooze just too long", "snooze", "scheduled", duration_ms=5_001),
            Case("snooze once more", "snooze", "scheduled", {"metadata": {"snoozes": 41}}, duration_ms=HOUR),
            Case("snooze the last attempt", "snooze", "scheduled", {"max_attempts": 1}, duration_ms=HOUR),
            Case("snooze, then complete", "snooze_once", "completed"),
            Case("steps", "resumable_cursor", "available"),
            Case("error of a job to be cancelled", "error", "cancelled", {}, {"metadata": CANCELLING}),
            Case(
                "last error of a job to be cancelled",
                "error",
                "discarded",
                {"max_attempts": 1},
                {"metadata": CANCELLING},
            ),
            Case(
                "snooze of a job to be cancelled", "snooze", "cancelled", {}, {"metadata": CANCELLING}, duration_ms=HOUR
            ),
            Case("cancel_attempted_at", "metadata_and_error", "available"),  # of the worker's own: it cancels nothing
            Case("completion of a job to be cancelled", "", "completed", {}, {"metadata": CANCELLING}),
        ],
    ),
    "retried late": (
        {"retry_delay_ms": 5_050},
        [
            Case("error", "error", "retryable"),
            Case("panic", "panic", "retryable"),
            Case("error of a unique job", "error", "retryable", {"unique": {"by_args": True, "by_queue": True}}),
            Case("unknown kind", "", "retryable", kind="conformance_other"),
            Case("steps", "resumable_cursor", "retryable"),
            Case("error of a job to be cancelled", "error", "cancelled", {}, {"metadata": CANCELLING}),
        ],
    ),
    "retried by the default policy": (
        {},
        [
            Case("second error", "error", "retryable", {}, {"attempt": 1, "errors": ONCE}, tolerance=5.2),
            Case("by errors, not attempts", "error", "retryable", {}, {"attempt": 9, "errors": ONCE}, tolerance=5.2),
        ],
    ),
    "retried in the past, so by the default policy": (
        {"retry_delay_ms": -60_000},
        [Case("second error", "error", "retryable", {}, {"attempt": 1, "errors": ONCE}, tolerance=5.2)],
    ),
    "with odd values": (
        SOON,
        [
            *[
                Case(f"snoozes {value!r}", "snooze", "scheduled", {"metadata": {"snoozes": value}}, duration_ms=HOUR)
                for value in (None, True, False, 2.9, -2.5, 1e3, "4", " 5", "x", "", [1], {}, 2**53 + 1, 2**63 - 2, -7)
            ],
            Case("errors of others", "error", "available", {}, {"errors": [{"error": 5}, "text", 7]}),
            Case("no errors", "error", "available", {}, {"errors": []}),
            Case("all is null", "error", "available", {}, {"attempted_at": None, "attempted_by": None}),
            Case("many attempts", "", "completed", {"max_attempts": 32_767}, {"attempt": 32_766}),
        ],
    ),
    "with what cannot be": (
        SOON,
        [
            Case("negative snooze", "snooze", "available", duration_ms=-1, own_words=True),
            Case("last negative snooze", "snooze", "discarded", {"max_attempts": 1}, duration_ms=-1, own_words=True),
            Case("a number for text", 5, "available", own_words=True),
            Case("a list for text", ["output"], "available", own_words=True),
            Case("text for a number", "", "available", duration_ms="5", own_words=True),
            Case("a fraction for an integer", "output", "available", duration_ms=1.5, own_words=True),
            Case("a float for an integer", "output", "available", duration_ms=1.0, own_words=True),
        ],
    ),
    "with a timeout": (
        SOON | {"job_timeout_ms": 50},
        [
            Case("in time", "", "completed"),
            Case("timeout", "sleep", "available", duration_ms=HOUR),
            Case("timeout of the last attempt", "sleep", "discarded", {"max_attempts": 1}, duration_ms=HOUR),
            Case("error at the timeout", "cancel_error", "available"),
            Case("end at the timeout", "cancel_ignored", "completed"),
            Case("timeout at a gate", "barrier_wait", "available"),
            Case("timeout of a job that waits to be cancelled", "cooperative_cancel", "available"),
        ],
    ),
    "with an error handler": (
        {"error_handler_cancel": True},
        [
            Case("error", "error", "cancelled"),
            Case("panic", "panic", "cancelled"),
            Case("unknown kind", "", "cancelled", kind="conformance_other"),
            Case("last error", "error", "cancelled", {"max_attempts": 1}),
            Case("output and error", "output_and_error", "cancelled"),
            Case("complete", "", "completed"),
            Case("cancel", "cancel", "cancelled"),
            Case("snooze", "snooze", "scheduled", duration_ms=HOUR),
        ],
    ),
}


def insert(sides: Sides, cases: list[Case]) -> None:
    for case in cases:
        args = {"behavior": case.behavior, "duration_ms": case.duration_ms, "message": case.name}
        params = {"kind": case.kind, "args": json.dumps(args), "opts": case.opts}
        job_id = sides.inserter.request("insert_args", params)["job"]["id"]
        if case.columns:
            sides.set(job_id, **case.columns)


def worked(sides: Sides, adapter: Adapter, cases: list[Case], **params: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Have an adapter work the cases, each in the state it must come to; return the rows and what was seen."""
    sides.db.execute("TRUNCATE river_job")
    insert(sides, cases)
    started(adapter, **params)
    states = {case.name: case.state for case in cases}
    query = "SELECT args->>'message', state::text FROM river_job"
    wait_for(lambda: dict(sides.db.execute(query).fetchall()) == states)
    attempts = sum(2 if case.behavior == "snooze_once" else 1 for case in cases)
    wait_for(lambda: len(adapter.request("stats")["events"]) >= attempts)
    stats = adapter.request("stats")
    adapter.request("stop")
    stats["events"].sort()
    return worked_rows.read(sides.db), stats


@pytest.mark.parametrize("group", GROUPS)
def test_rows_are_equal(sides: Sides, group: str) -> None:
    params, cases = GROUPS[group]
    theirs, seen_by_go = worked(sides, sides.go, cases, **params)
    ours, seen_by_us = worked(sides, sides.ours, cases, **params)
    for case in cases:
        if case.own_words:
            assert ours[case.name]["errors"][-1].pop("error")
            assert theirs[case.name]["errors"][-1].pop("error")
        assert [*worked_rows.differences(ours[case.name], theirs[case.name], case.tolerance, case.name)] == []
    assert seen_by_us == seen_by_go


#: What becomes of jobs when their client stops and cancels them; the one that sleeps was to be cancelled anyway.
INTERRUPTED = {
    "barrier_wait": "available",
    "cooperative_cancel": "available",
    "cancel_error": "available",
    "cancel_ignored": "completed",
    "sleep": "cancelled",
}


def claimed(sides: Sides, adapter: Adapter) -> list[dict[str, Any]]:
    """Have an adapter begin jobs and not end them; return the rows while they run, and those after its stop."""
    sides.db.execute("TRUNCATE river_job")
    insert(sides, [Case(behavior, behavior, state, duration_ms=HOUR) for behavior, state in INTERRUPTED.items()])
    started(adapter)
    wait_for(lambda: sides.db.execute("SELECT bool_and(state = 'running') FROM river_job").fetchone() == (True,))
    running = worked_rows.read(sides.db)
    sides.db.execute("UPDATE river_job SET metadata = %s WHERE args->>'message' = 'sleep'", [json.dumps(CANCELLING)])
    adapter.request("stop", {"cancel": True})
    return [running, worked_rows.read(sides.db)]


def test_rows_of_running_and_of_interrupted_jobs_are_equal(sides: Sides) -> None:
    theirs, ours = claimed(sides, sides.go), claimed(sides, sides.ours)
    assert list(worked_rows.differences(ours, theirs)) == []
    assert {behavior: row["state"] for behavior, row in ours[1].items()} == INTERRUPTED
