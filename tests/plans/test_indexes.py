"""By which of River's indexes each filter, order and method finds its jobs among a million, or that it has none."""

from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from riverqueue import JobDeleteManyParams, JobListCursor, JobListParams, Where
from tests.plans.explained import Asking, Plan, explain, statement_of

pytestmark = pytest.mark.timeout(600)

PKEY = "river_job_pkey"
KIND = "river_job_kind"
STATE = "river_job_prioritized_fetching_index"
FINALIZED = "river_job_state_and_finalized_at_index"
METADATA = "river_job_metadata_index"
ARGS = "river_job_args_index"
QUEUE = "river_queue_pkey"

MIDDLE = datetime(2026, 1, 2, 12, tzinfo=UTC)
YOUNG = datetime(2026, 1, 3, 21, tzinfo=UTC)
CUSTOMER = Where("args @> @customer::jsonb", {"customer": '{"customer": "none"}'})


def listing(**params: Any) -> Asking:
    return lambda client: client.job_list(JobListParams(**params))


def cursor(order: str, time: datetime | None = None, job_id: int = 500_000) -> JobListCursor:
    return JobListCursor(job_id, "kind", "queue", order, time)


def deletion(**params: Any) -> Asking:
    return lambda client: client.job_delete_many(JobDeleteManyParams(first=10_000, **params))


#: What has the same plan for its own values and for any.
ALWAYS: dict[str, tuple[Asking, set[str]]] = {
    "all": (listing(), {PKEY}),
    "all, from the end": (listing(descending=True), {PKEY}),
    "all, a page further on": (listing(after=cursor("id")), {PKEY}),
    "all, a page further to the beginning": (listing(after=cursor("id"), descending=True), {PKEY}),
    "ids": (listing(ids=[700_000, 5]), {PKEY}),
    "many ids": (listing(ids=range(1, 1_000_000, 100)), {PKEY}),
    "a state most jobs are in": (listing(states=["completed"]), {PKEY}),
    "available": (listing(states=["available"]), {STATE}),
    "retryable": (listing(states=["retryable"]), {STATE}),
    "running": (listing(states=["running"]), {STATE}),
    "states that are not final": (listing(states=["available", "running"]), {STATE}),
    "available by time": (listing(states=["available"], order_by="time"), {STATE}),
    "running by time": (listing(states=["running"], order_by="time", descending=True), {STATE}),
    "running by time, a page further on": (
        listing(states=["running"], order_by="time", after=cursor("time", YOUNG)),
        {STATE},
    ),
    "scheduled by their time": (listing(states=["scheduled"], order_by="scheduled_at"), {STATE}),
    "scheduled by their time, a page further on": (
        listing(states=["scheduled"], order_by="scheduled_at", after=cursor("scheduled_at", YOUNG)),
        {STATE},
    ),
    "retryable of a queue": (listing(states=["retryable"], queues=["mail"]), {STATE}),
    "retryable of queues by time": (
        listing(states=["retryable"], queues=["mail", "rare"], order_by="time"),
        {STATE},
    ),
    "retryable of a queue and priority": (
        listing(states=["retryable"], queues=["mail"], priorities=[1]),
        {STATE},
    ),
    "by their end": (listing(order_by="finalized_at"), {FINALIZED}),
    "by their end, from the latest": (listing(order_by="finalized_at", descending=True), {FINALIZED}),
    "by their end, a page further on": (
        listing(order_by="finalized_at", after=cursor("finalized_at", MIDDLE)),
        {FINALIZED},
    ),
    "completed by their end": (listing(order_by="finalized_at", states=["completed"]), {FINALIZED}),
    "completed by time": (listing(order_by="time", states=["completed"]), {FINALIZED}),
    "discarded and cancelled by time": (
        listing(order_by="time", states=["discarded", "cancelled"], descending=True),
        {FINALIZED},
    ),
    "discarded and cancelled by time, a page further on": (
        listing(order_by="time", states=["discarded", "cancelled"], after=cursor("time", MIDDLE)),
        {FINALIZED},
    ),
    "a kind by time": (listing(kinds=["kind_77"], order_by="time"), {KIND}),
    "metadata": (listing(metadata={"tenant": 44}), {METADATA}),
    "metadata, from the end": (listing(metadata={"tenant": 44}, descending=True), {METADATA}),
    "metadata that no job has": (listing(metadata={"tenant": "none"}), {METADATA}),
    "metadata by their end": (listing(metadata={"tenant": 44}, order_by="finalized_at"), {METADATA}),
    "metadata of completed jobs by time": (
        listing(metadata={"tenant": 44}, states=["completed"], order_by="time", descending=True),
        {METADATA},
    ),
    "job_get": (lambda client: client.job_get(700_000), {PKEY}),
    "wait": (lambda client: client.wait(700_000), {PKEY}),
    "job_cancel": (lambda client: client.job_cancel(700_000), {PKEY}),
    "job_retry": (lambda client: client.job_retry(700_000), {PKEY}),
    "job_delete": (lambda client: client.job_delete(700_000), {PKEY}),
    "job_update": (lambda client: client.job_update(700_000, metadata={"a": 1}), {PKEY}),
    "job_delete_many": (deletion(unsafe_all=True), {PKEY}),
    "job_delete_many of ids": (deletion(ids=range(1, 1_000_000, 100)), {PKEY}),
    "job_delete_many of completed": (deletion(states=["completed"]), {PKEY}),
    "job_delete_many of discarded": (deletion(states=["discarded"]), {PKEY, STATE}),
    "queue_get": (lambda client: client.queue_get("queue_7"), {QUEUE}),
    "queue_list": (lambda client: client.queue_list(), {QUEUE}),
    "queue_update": (lambda client: client.queue_update("queue_7", metadata={"a": 1}), {QUEUE}),
}

#: What must be planned for its own values: a plan for any would mostly go through all jobs by id.
FOR_ITS_VALUES: dict[str, tuple[Asking, set[str]]] = {
    "available, the last pages": (listing(states=["available"], after=cursor("id", job_id=990_000)), {PKEY}),
    "a kind": (listing(kinds=["kind_77"]), {KIND}),
    "a kind, from the end": (listing(kinds=["kind_77"], descending=True), {KIND}),
    "a kind that no job has": (listing(kinds=["none"]), {KIND}),
    "a kind that half of the jobs have": (listing(kinds=["common"]), {PKEY}),
    "kinds": (listing(kinds=["kind_77", "kind_78"]), {KIND}),
    "a kind of completed jobs": (listing(kinds=["kind_77"], states=["completed"]), {KIND}),
    "completed of a queue": (listing(states=["completed"], queues=["rare"]), {STATE}),
    "args": (listing(where=[CUSTOMER]), {ARGS}),
    "job_delete_many of a kind": (deletion(kinds=["kind_77"]), {PKEY, KIND}),
    "job_delete_many of a queue and state": (deletion(queues=["rare"], states=["completed"]), {PKEY, STATE}),
    "queue_pause": (lambda client: client.queue_pause("queue_7"), {QUEUE}),
    "queue_resume": (lambda client: client.queue_resume("queue_7"), {QUEUE}),
}

#: What River has no index for: jobs are gone through by id until the page is full.
GONE_THROUGH: dict[str, Asking] = {
    "priorities": listing(priorities=[4]),
    "tags_all": listing(tags_all=["tag_10"]),
    "tags_any": listing(tags_any=["tag_10", "tag_15"]),
    "queues alone": listing(queues=["default"]),
    "a value of args": listing(where=[Where("args->>'customer' = @customer::text", {"customer": "88"})]),
}

#: What reads the whole table.
SCANNED: dict[str, Asking] = {
    "all by scheduled_at": listing(order_by="scheduled_at"),
    "all by scheduled_at, a page further on": listing(order_by="scheduled_at", after=cursor("scheduled_at", MIDDLE)),
    "all by time": listing(order_by="time"),
    "final and other states by time": listing(order_by="time", states=["completed", "available"]),
    "job_count": lambda client: client.job_count(),
}


@pytest.mark.parametrize("mode", ["force_custom_plan", "auto", "force_generic_plan"])
@pytest.mark.parametrize(("asking", "indexes"), ALWAYS.values(), ids=ALWAYS)
def test_an_index_is_used_whatever_the_plan_is_for(connection: psycopg.Connection, asking, indexes, mode) -> None:
    plan = explain(connection, *statement_of(connection, asking), mode)
    assert plan.indexes == indexes
    assert not plan.scans


@pytest.mark.parametrize("mode", ["force_custom_plan", "auto"])
@pytest.mark.parametrize(("asking", "indexes"), FOR_ITS_VALUES.values(), ids=FOR_ITS_VALUES)
def test_an_index_is_used_as_plans_stay_those_for_its_values(connection, asking, indexes, mode) -> None:
    plan = explain(connection, *statement_of(connection, asking), mode)
    assert plan.indexes == indexes
    assert not plan.scans
    assert not plan.is_for_any_values


@pytest.mark.parametrize("asking", GONE_THROUGH.values(), ids=GONE_THROUGH)
def test_without_an_index_jobs_are_gone_through_in_their_order(connection, asking) -> None:
    plan = explain(connection, *statement_of(connection, asking), "auto")
    assert plan.indexes == {PKEY}
    assert plan.all("Filter")
    assert not plan.all("Index Cond")


@pytest.mark.parametrize("asking", SCANNED.values(), ids=SCANNED)
def test_without_an_index_of_the_order_the_table_is_read(connection, asking) -> None:
    plan = explain(connection, *statement_of(connection, asking), "auto")
    assert plan.scans
    assert not plan.indexes


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize(("descending", "sign"), [(False, ">="), (True, "<=")])
@pytest.mark.parametrize("states", [["completed"], ["cancelled", "completed", "discarded"]])
def test_a_page_by_time_is_sought_and_read_in_the_order_of_the_index(
    connection, states, descending, sign, mode
) -> None:
    asking = listing(order_by="time", states=states, descending=descending, after=cursor("time", MIDDLE))
    plan = explain(connection, *statement_of(connection, asking), mode)
    (node,) = [node for node in plan.nodes if "Index Name" in node]
    assert "state = " in node["Index Cond"]
    assert f"finalized_at {sign}" in node["Index Cond"]
    assert node["Scan Direction"] == ("Backward" if descending else "Forward")
    assert all("finalized_at" in key for (key,) in plan.all("Presorted Key"))
    assert plan.all("Presorted Key")


@pytest.mark.parametrize("descending", [False, True])
def test_a_page_by_id_is_sought(connection, descending) -> None:
    asking = listing(descending=descending, after=cursor("id"))
    plan = explain(connection, *statement_of(connection, asking), "force_generic_plan")
    assert plan.all("Index Cond") == [f"(river_job_1.id {'<' if descending else '>'} $1)"]
    assert "Sort" not in plan.all("Node Type")


@pytest.mark.parametrize(
    "asking",
    [
        listing(order_by="scheduled_at"),
        listing(states=["available"]),
        listing(states=["available"], order_by="time"),
        listing(order_by="finalized_at"),
        listing(metadata={"tenant": 44}),
    ],
)
def test_only_the_jobs_of_the_page_are_put_into_json(connection, asking) -> None:
    plan = explain(connection, *statement_of(connection, asking), "auto")
    above, below = _at_limit(plan)
    assert "json_build_array" in above
    assert "json_build_array" not in below


def _at_limit(plan: Plan) -> tuple[str, str]:
    """Return what the nodes above the limit give, and what it gives itself and those below."""
    at = plan.all("Node Type").index("Limit")
    outputs = [str(node.get("Output")) for node in plan.nodes]
    return "".join(outputs[:at]), "".join(outputs[at:])
