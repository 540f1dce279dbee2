"""Both adapters start, stop and count as the protocol says; what is wrong is refused with the right code."""

from typing import Any

import psycopg
import pytest

from tests.interop import adapter as codes
from tests.interop.adapter import Adapter
from tests.interop.conftest import WORKING_STACKS, Start
from tests.interop.scene import ask, insert, insert_one, job, refused, wait_for, wait_for_state
from tests.interop.sides import Sides, started, unused
from tests.interop.stacks import STACKS


@pytest.fixture(params=["go", *WORKING_STACKS])
def either(request: pytest.FixtureRequest, start: Start) -> Adapter:
    return start(request.param, extended=False)


WRONG_PARAMS: list[tuple[str, Any]] = [
    ("release", {"name": 1}),
    ("release", {"gate": "x"}),
    ("start", {"claim_barrier": 1}),
    ("start", {"client_id": 1}),
    ("start", {"error_handler_cancel": "yes"}),
    ("start", {"fetch_cooldown_ms": 1}),
    ("start", {"fetch_only_known_kinds": 1}),
    ("start", {"fetch_poll_interval_ms": 1.5}),
    ("start", {"job_timeout_ms": "1"}),
    ("start", {"leader_election_disabled": 0}),
    ("start", {"max_workers": "4"}),
    ("start", {"periodic_run_on_start": "yes"}),
    ("start", {"poll_only": 1}),
    ("start", {"queues": "default"}),
    ("start", {"queues": [1]}),
    ("start", {"record_kinds": ["x"]}),
    ("start", {"rescue_after_ms": "1"}),
    ("start", {"retry_delay_ms": "1"}),
    ("start", {"tuning": {"interval_ms": 1}}),
    ("start", {"tuning": {"elect_interval_ms": "1"}}),
    ("start", {"unobserved": True}),
    ("start", {"worker_kinds": "conformance_echo"}),
    ("start", {"worker_kinds": ["another_kind"]}),
    ("stats", {"reset": True}),
    ("stop", {"cancel": "yes"}),
    ("stop", {"force": True}),
]


def test_params_of_another_shape_are_refused(either: Adapter) -> None:
    for method, params in WRONG_PARAMS:
        assert refused(either, method, params) == codes.INVALID_PARAMS, (method, params)
    assert refused(either, "stats") == codes.REJECTED  # nothing has started


REJECTED: list[dict[str, Any]] = [
    {"client_id": "x" * 101},
    {"fetch_poll_interval_ms": -1},
    {"job_timeout_ms": -2},
    {"max_workers": -1},
    {"max_workers": 10_001},
    {"queues": ["no good name"]},
    {"schema": "x" * 47},
    {"schema": "nowhere"},
    {"worker_kinds": ["conformance_echo", "conformance_echo"]},
    {"worker_kinds": ["conformance_echo", "conformance_echo_renamed"]},
    {"leader_election_disabled": True, "periodic_run_on_start": True},
]


def test_what_river_does_not_allow_is_rejected(either: Adapter) -> None:
    for params in REJECTED:
        assert refused(either, "start", params) == codes.REJECTED, params
    either.request("start")  # the next one is heard
    either.request("stop")


NOTHING: dict[str, Any] = {
    "claim_barrier": "",
    "client_id": "",
    "error_handler_cancel": False,
    "fetch_poll_interval_ms": 0,
    "job_timeout_ms": 0,
    "max_workers": 0,
    "periodic_run_on_start": False,
    "queues": [],
    "rescue_after_ms": 0,
    "retry_delay_ms": None,
    "schema": None,
    "tuning": {"elect_interval_ms": 20, "scheduler_interval_ms": 20},
    "worker_kinds": [],
}


def test_a_client_runs_at_most_once_and_counts_from_zero(either: Adapter, db: psycopg.Connection) -> None:
    for method in ("stats", "stop"):
        assert refused(either, method) == codes.REJECTED
    for params in (NOTHING, {}, None):
        either.request("start", params)
        assert refused(either, "start") == codes.REJECTED
        zero = {"cancelled_at_start": 0, "error_handler_calls": 0, "events": [], "periodic_starts": 0}
        assert either.request("stats") == zero
        row = insert_one(either)
        wait_for(lambda: either.request("stats")["events"])
        assert either.request("stats") == zero | {"events": ["job_completed"]}
        assert either.request("stop") == {}
        wait_for_state(db, row["id"], "completed")
    name = db.execute("SELECT count(DISTINCT attempted_by[1]), bool_or(attempted_by[1] = '') FROM river_job").fetchone()
    assert name == (3, False)  # a client without an id is given one


def test_four_jobs_are_worked_at_once_unless_said_otherwise(sides: Sides) -> None:
    gate = unused("gate")
    running = "SELECT count(*) FROM river_job WHERE state = 'running'"
    for params, most in (({"max_workers": 0}, 4), ({"max_workers": 2}, 2)):
        started(sides.worker, **params)
        insert(sides.inserter, *[{"behavior": "barrier_wait", "message": gate}] * 6)
        wait_for(lambda most=most: sides.db.execute(running).fetchone() == (most,))
        insert_one(sides.inserter, queue="nobody")  # later, and still no more are running
        assert sides.db.execute(running).fetchone() == (most,)
        sides.stop(cancel=True)
        sides.db.execute("TRUNCATE river_job")


def test_a_gate_may_be_opened_before_anybody_waits(either: Adapter) -> None:
    assert either.request("release", {"name": "early"}) == {}
    assert either.request("release", {"name": "early"}) == {}
    started(either)
    insert(either, {"behavior": "barrier_wait", "message": "early"})
    wait_for(lambda: either.request("stats")["events"] == ["job_completed"])


def test_a_stop_opens_the_claim_barrier_and_ends_the_jobs(sides: Sides) -> None:
    sides.start(claim_barrier=unused("gate"))
    job_id = sides.insert()
    sides.wait(job_id, "running")
    sides.stop()
    assert sides.wait(job_id, "completed")["attempt"] == 1


@pytest.mark.parametrize("name", ["go", *STACKS])
def test_the_end_of_input_cancels_jobs_and_rolls_back(start: Start, db: psycopg.Connection, name: str) -> None:
    adapter = start(name)
    started(adapter, queues=["default", "another"])
    jobs = [insert(adapter, {"behavior": behavior, "duration_ms": 60_000})[0]["job"]["id"] for behavior in WAITING]
    for job_id in jobs:
        wait_for_state(db, job_id, "running")
    adapter.request("tx_begin", {"tx": "open"})
    insert(adapter, job(queue="another"), tx="open")
    adapter.close()  # fails unless it ends with status 0
    states = db.execute("SELECT state::text, attempt FROM river_job").fetchall()
    assert states == [("available", 0)] * len(WAITING)


WAITING = ("barrier_wait", "cooperative_cancel", "sleep")


@pytest.mark.parametrize("stack", WORKING_STACKS[:2])
def test_what_only_leaders_do_is_rejected_by_ours(start: Start, stack: str) -> None:
    ours = start(stack)
    for params in ({"periodic_run_on_start": True}, {"periodic_unique": True}, {"rescue_after_ms": 1}):
        with pytest.raises(codes.AdapterError, match="lead") as rejected:
            ours.request("start", params)
        assert rejected.value.code == codes.REJECTED
    assert ask(ours, "request_resign") == codes.METHOD_NOT_FOUND
