"""A running job is cancelled by the other side, whoever works it."""

import re

import pytest

from tests.interop.scene import ask, wait_for
from tests.interop.sides import Sides, unused

REMOTELY = "JobCancelError: job cancelled remotely"
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d*[1-9])?(Z|[+-]\d\d:\d\d)")


def test_a_running_job_is_cancelled(sides: Sides) -> None:
    queue = unused("queue")
    sides.start(fetch_poll_interval_ms=60_000, queues=[queue])
    job_id = sides.insert("cooperative_cancel", queue=queue)
    assert sides.wait(job_id, "running")["attempt"] == 1
    cancelling = sides.inserter.request("cancel", {"id": job_id})
    assert (cancelling["state"], cancelling["finalized_at"]) == ("running", None)
    assert RFC_3339.fullmatch(cancelling["metadata"]["cancel_attempted_at"])

    final = sides.wait(job_id, "cancelled")
    assert [error["error"] for error in final["errors"]] == [REMOTELY]
    assert final["metadata"] == cancelling["metadata"]
    sides.wait_for_events("job_cancelled")
    assert sides.worker.request("stats")["cancelled_at_start"] == 0
    assert ask(sides.inserter, "cancel", {"id": job_id})["finalized_at"] == final["finalized_at"]


@pytest.mark.parametrize("behavior", ["sleep", "cancel_error"])
def test_a_job_is_cancelled_by_its_own_side(sides: Sides, behavior: str) -> None:
    sides.start()
    job_id = sides.insert(behavior, duration_ms=60_000)
    sides.wait(job_id, "running")
    sides.worker.request("cancel", {"id": job_id})
    assert [error["error"] for error in sides.wait(job_id, "cancelled")["errors"]] == [REMOTELY]


def test_a_job_is_cancelled_between_its_claim_and_its_start(sides: Sides) -> None:
    gate = unused("gate")
    sides.start(claim_barrier=gate, queues=["default", "another"])
    job_id = sides.insert("cooperative_cancel")
    sides.wait(job_id, "running")
    assert sides.inserter.request("cancel", {"id": job_id})["state"] == "running"
    sides.inserter.request("queue", {"action": "pause", "name": "another"})
    wait_for(lambda: sides.events() == ["queue_paused"])  # so the cancellation, sent before, is heard, too
    assert sides.column(job_id, "state") == "running"
    sides.worker.request("release", {"name": gate})

    final = sides.wait(job_id, "cancelled")
    assert (final["attempt"], [error["error"] for error in final["errors"]]) == (1, [REMOTELY])
    sides.wait_for_events("queue_paused", "job_cancelled")
    assert sides.worker.request("stats")["cancelled_at_start"] == 1


def test_a_client_that_only_polls_notices(sides: Sides) -> None:
    sides.start(poll_only=True)
    done, cancelled = sides.insert(), sides.insert("cooperative_cancel")
    sides.wait(done, "completed")
    sides.wait(cancelled, "running")
    sides.inserter.request("cancel", {"id": cancelled})
    sides.wait(cancelled, "cancelled")
    sides.wait_for_events("job_completed", "job_cancelled")


def test_a_cancelled_job_that_ends_well_is_completed(sides: Sides) -> None:
    sides.start()
    job_id = sides.insert("cancel_ignored")
    sides.wait(job_id, "running")
    sides.inserter.request("cancel", {"id": job_id})
    final = sides.wait(job_id, "completed")
    assert (set(final["metadata"]), final["errors"]) == ({"cancel_attempted_at"}, [])
    sides.wait_for_events("job_completed")


def test_a_stop_that_cancels_gives_the_attempt_back(sides: Sides) -> None:
    sides.start()
    jobs = [
        sides.insert("cooperative_cancel"),
        sides.insert("barrier_wait", "never"),
        sides.insert("sleep", "", 60_000),
    ]
    for job_id in jobs:
        sides.wait(job_id, "running")
    sides.stop(cancel=True)
    for job_id in jobs:
        row = sides.wait(job_id, "available")
        assert (row["attempt"], row["attempted_by"], row["errors"]) == (0, ["worker"], [])
        assert row["attempted_at"] is not None


def test_a_stop_that_cancels_reaches_jobs_that_are_being_fetched(sides: Sides) -> None:
    sides.start(claim_barrier=unused("gate"))
    job_id = sides.insert("cooperative_cancel")
    sides.wait(job_id, "running")
    sides.stop(cancel=True)
    assert sides.wait(job_id, "available")["attempt"] == 0
