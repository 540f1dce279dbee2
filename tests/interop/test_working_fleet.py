"""Go's clients and ours work in one database: who takes which job, in what order, and none twice."""

import psycopg
import pytest

from tests.interop.adapter import Adapter
from tests.interop.scene import insert, wait_for
from tests.interop.sides import Sides, started

ECHO, PEER, RENAMED = "conformance_echo", "conformance_echo_peer", "conformance_echo_renamed"
UNKNOWN = "job kind is not registered in the client's Workers bundle: "


def test_jobs_are_claimed_by_priority_then_time_then_id(sides: Sides) -> None:
    jobs = [(priority, f"2001-01-0{day}T00:00:00Z") for priority in (4, 2, 1, 3) for day in (3, 1, 2, 1)]
    ids = [sides.insert(priority=priority) for priority, _ in jobs]
    for job_id, (_, time) in zip(ids, jobs, strict=True):
        sides.set(job_id, scheduled_at=time)
    sides.start(max_workers=1)
    wait_for(lambda: sides.db.execute("SELECT bool_and(state = 'completed') FROM river_job").fetchone() == (True,))
    worked = sides.db.execute("SELECT id FROM river_job ORDER BY attempted_at").fetchall()
    assert [job_id for (job_id,) in worked] == [
        job_id for _, job_id in sorted(zip(jobs, ids, strict=True), key=lambda each: (each[0], each[1]))
    ]


def test_each_takes_only_what_it_knows(sides: Sides) -> None:
    nobodys, theirs, mine = (sides.insert_kind(kind) for kind in ("conformance_other", PEER, ECHO))
    for adapter, kind in ((sides.worker, ECHO), (sides.inserter, PEER)):  # one job at a time, and others come first
        started(adapter, client_id=kind, worker_kinds=[kind], fetch_only_known_kinds=True, max_workers=1)
    for job_id, kind in ((mine, ECHO), (theirs, PEER)):
        assert sides.wait(job_id, "completed")["attempted_by"] == [kind]
    later = sides.insert()
    sides.wait(later, "completed")  # so they have looked again
    untouched = sides.wait(nobodys, "available")
    assert (untouched["attempt"], untouched["attempted_by"], untouched["errors"]) == (0, [], [])


def test_jobs_of_other_queues_are_left_alone(sides: Sides) -> None:
    sides.start(queues=["one", "two"])
    other = sides.insert(queue="other")
    for queue in ("one", "two"):
        sides.wait(sides.insert(queue=queue, priority=4), "completed")
    assert sides.wait(other, "available")["attempt"] == 0


@pytest.mark.parametrize("only_known", [False, True], ids=["any kind", "known kinds"])
def test_a_renamed_worker_takes_both_kinds_and_renames_none(sides: Sides, only_known: bool) -> None:
    jobs = {kind: sides.insert_kind(kind) for kind in (ECHO, RENAMED)}
    sides.start(worker_kinds=[RENAMED], fetch_only_known_kinds=only_known)
    for kind, job_id in jobs.items():
        assert sides.wait(job_id, "completed")["kind"] == kind


def test_an_unknown_kind_fails(sides: Sides) -> None:
    first, second, last = (sides.insert_kind("conformance_other", max_attempts=2 + number) for number in range(3))
    sides.set(second, attempt=1, errors=[{"at": "2001-01-01T00:00:00Z", "attempt": 1, "error": "old", "trace": ""}])
    sides.set(last, attempt=3)
    sides.start()
    for job_id, state, attempt in ((second, "retryable", 2), (last, "discarded", 4)):
        row = sides.wait(job_id, state, attempt)
        assert (row["errors"][-1]["error"], row["errors"][-1]["trace"]) == (UNKNOWN + "conformance_other", "")
    wait_for(lambda: sides.column(first, "errors"))
    assert sides.column(first, "errors")[0]["error"] == UNKNOWN + "conformance_other"


def shares(db: psycopg.Connection, count: int) -> dict[str, int]:
    """Wait until all jobs are worked, see that each is worked once, and count them by client."""
    once = (
        "SELECT count(*) FROM river_job WHERE state = 'completed' AND attempt = 1 AND errors IS NULL"
        " AND cardinality(attempted_by) = 1"
    )
    wait_for(lambda: db.execute(once).fetchone() == (count,), limit=40)
    assert db.execute("SELECT count(*) FROM river_job").fetchone() == (count,)
    return dict(db.execute("SELECT attempted_by[1], count(*) FROM river_job GROUP BY 1").fetchall())


def wait_for_completions(adapter: Adapter, count: int) -> None:
    """Wait until a client has told of so many completed jobs, and see that there is nothing else."""
    wait_for(lambda: len(adapter.request("stats")["events"]) >= count)
    assert adapter.request("stats")["events"] == ["job_completed"] * count


def test_both_compete_for_the_same_jobs(sides: Sides) -> None:
    clients = {"go": sides.go, "ours": sides.ours}
    for name, adapter in clients.items():
        started(adapter, client_id=name, max_workers=5)
    insert(sides.inserter, *[{"behavior": "sleep", "duration_ms": 5}] * 300)
    worked = shares(sides.db, 300)
    for name, adapter in clients.items():
        wait_for_completions(adapter, worked[name])


MANY, BATCH = 10_000, 2_500


def insert_many(adapter: Adapter, count: int) -> None:
    for _ in range(count // BATCH):
        adapter.request("insert_fast", {"jobs": [{"behavior": ""}] * BATCH})


def test_one_works_ten_thousand_jobs_of_the_other(sides: Sides) -> None:
    sides.start(max_workers=100)
    insert_many(sides.inserter, MANY)
    assert shares(sides.db, MANY) == {"worker": MANY}
    wait_for_completions(sides.worker, MANY)


def test_both_work_ten_thousand_jobs_of_both(sides: Sides) -> None:
    """Nobody is told by ours, which need not read the completed jobs then: another statement; Go has one only."""
    started(sides.go, client_id="go", max_workers=100)
    started(sides.ours, client_id="ours", max_workers=100, unobserved=True)
    for adapter in sides.both:
        insert_many(adapter, MANY // 2)
    worked = shares(sides.db, MANY)
    assert set(worked) == {"go", "ours"}
    wait_for_completions(sides.go, worked["go"])


def test_a_client_at_work_has_few_sessions(sides: Sides) -> None:
    started(sides.worker, max_workers=100)
    insert(sides.inserter, *[{"behavior": "output"}] * 300)
    wait_for_completions(sides.worker, 300)
    query = "SELECT application_name, count(*) FROM pg_stat_activity WHERE datname = current_database() GROUP BY 1"
    sessions = dict(sides.db.execute(query).fetchall())
    assert all(1 <= sessions[adapter.application_name] <= 10 for adapter in sides.both), sessions
