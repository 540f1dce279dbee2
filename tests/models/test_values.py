"""What the columns read and what they can be compared with, on every stack."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import ColumnElement, func, insert, literal, select, text
from sqlalchemy.exc import StatementError
from sqlalchemy.orm import Session

from riverqueue import AttemptError, Client, DictArgs, InsertOpts, JobRow, JobState, UniqueOpts
from riverqueue_sqlalchemy import models
from riverqueue_sqlalchemy.models import RiverJob, RiverLeader, RiverMigration, RiverNotification, RiverQueue
from tests.models.conftest import InSession

_WORKED = """
UPDATE river_job SET
    attempt = 3, attempted_at = '2026-01-02 03:04:05+01', attempted_by = '{host-1,host-2}',
    errors = ARRAY[
        '{"at": "2026-01-02T03:04:05.6Z", "attempt": 1, "error": "no paper", "trace": "line 1"}',
        '{"at": "2026-01-02T03:05:05Z", "attempt": 2, "error": "on fire"}',
        'null', '["odd"]', NULL
    ]::jsonb[],
    metadata = '{"output": {"pages": 2}}'
WHERE id = %s"""


@pytest.fixture
def worked(client: Client[Any, Any], connection: psycopg.Connection) -> JobRow:
    """A job with something in each column, and beside it one with as little as can be."""
    opts = InsertOpts(tags=["blue", "green"], unique_opts=UniqueOpts(by_args=True), priority=2, queue="paper")
    job = client.insert(DictArgs("print", {"order_id": 7, "name": "Ada"}), opts).job
    client.insert(DictArgs("print", {}), InsertOpts(scheduled_at=datetime.now(UTC) + timedelta(days=1)))
    connection.execute(_WORKED, [job.id])
    return client.job_get(job.id)


_COLUMNS = [column.name for column in models.job.columns]


@pytest.mark.parametrize("is_core", [False, True], ids=["orm", "core"])
def test_a_model_reads_what_a_row_reads(worked: JobRow, in_session: InSession[dict[str, Any]], is_core: bool):
    def read(session: Session) -> dict[str, Any]:
        if is_core:
            query = select(models.job).where(models.job.c.id == worked.id)
            return dict(session.connection().execute(query).mappings().one())
        job = session.get_one(RiverJob, worked.id)
        return {name: getattr(job, "metadata_" if name == "metadata" else name) for name in _COLUMNS}

    assert in_session(read) == {name: getattr(worked, name) for name in _COLUMNS}


def test_what_is_not_there_is_none(worked: JobRow, in_session: InSession[list[Any]]):
    def read(session: Session) -> list[Any]:
        job = session.scalars(select(RiverJob).where(RiverJob.id != worked.id)).one()
        return [job.state, job.errors, job.attempted_by, job.unique_key, job.unique_states, job.finalized_at, job.tags]

    assert in_session(read) == [JobState.SCHEDULED, None, None, None, None, None, []]


_DEFAULT_STATES = [
    JobState(name) for name in ["available", "completed", "pending", "retryable", "running", "scheduled"]
]


@pytest.mark.parametrize(
    "condition",
    [
        RiverJob.state == JobState.AVAILABLE,
        RiverJob.state == "available",
        RiverJob.state.in_([JobState.RUNNING, JobState.AVAILABLE]),
        RiverJob.unique_states == _DEFAULT_STATES,
        RiverJob.unique_states == [*reversed(_DEFAULT_STATES), "running"],
        RiverJob.unique_states.in_([[JobState.RUNNING], _DEFAULT_STATES]),
        RiverJob.unique_states.is_not(None),
        RiverJob.unique_states.bool_op("&")(literal(["running"], models.job.c.unique_states.type))
        != literal([], models.job.c.unique_states.type),
        func.river_job_state_in_bitmask(RiverJob.unique_states, RiverJob.state),
        RiverJob.args.contains({"order_id": 7}),
        RiverJob.args["order_id"].as_integer() == 7,
        RiverJob.args["name"].astext == "Ada",
        RiverJob.args["name"].as_string().like("A%"),
        RiverJob.args.has_key("name"),
        RiverJob.metadata_[("output", "pages")].as_integer() == 2,
        RiverJob.tags.contains(["blue"]),
        RiverJob.tags.overlap(["red", "blue"]),
        RiverJob.tags == ["blue", "green"],
        RiverJob.attempted_by.contains(["host-1"]),
        func.cardinality(RiverJob.errors) == 5,
        RiverJob.errors[1]["error"].astext == "no paper",
        RiverJob.errors[1]["attempt"].as_integer() == 1,
        RiverJob.errors[2].contains({"attempt": 2}),
        RiverJob.attempted_at == datetime(2026, 1, 2, 2, 4, 5, tzinfo=UTC),
    ],
    ids=str,
)
def test_conditions(worked: JobRow, in_session: InSession[list[int]], condition: ColumnElement[bool]):
    assert in_session(lambda session: list(session.scalars(select(RiverJob.id).where(condition)))) == [worked.id]


def test_a_unique_key_is_found(worked: JobRow, in_session: InSession[list[int]]):
    query = select(RiverJob.id).where(RiverJob.unique_key == worked.unique_key)
    assert in_session(lambda session: list(session.scalars(query))) == [worked.id]


def test_parts_of_errors(worked: JobRow, in_session: InSession[Any]):
    query = select(RiverJob.errors[2], RiverJob.errors[2:2], RiverJob.errors[9]).where(RiverJob.id == worked.id)
    second = {"at": "2026-01-02T03:05:05Z", "attempt": 2, "error": "on fire"}
    assert in_session(lambda session: tuple(session.execute(query).one())) == (
        second,
        [AttemptError.from_json(second)],
        None,
    )


def test_values_that_sql_of_the_users_own_names(worked: JobRow, in_session: InSession[Any]):
    by_hand = text("SELECT unique_states, errors, state FROM river_job WHERE id = 1")
    query = by_hand.columns(models.job.c.unique_states, models.job.c.errors, models.job.c.state)
    expected = (worked.unique_states, worked.errors, worked.state)
    assert in_session(lambda session: tuple(session.execute(query).one())) == expected


def test_what_core_writes_comes_back(in_session: InSession[Any], client: Client[Any, Any]):
    error = AttemptError(datetime(2026, 1, 2, 3, 4, 5, 678, UTC), 1, "no paper", "line 1")
    written = {
        "args": {"a": [1, None]},
        "errors": [error, {"attempt": 2, "error": "odd"}],
        "kind": "print",
        "state": JobState.CANCELLED,
        "finalized_at": datetime(2026, 1, 3, tzinfo=UTC),
        "tags": ["blue"],
        "unique_key": b"\0\1",
        "unique_states": [JobState.RUNNING, "available"],
    }
    id_ = in_session(lambda session: session.scalar(insert(models.job).values(written).returning(models.job.c.id)))
    job = client.job_get(id_)
    assert (job.errors[0], job.errors[1].error, job.unique_states) == (error, "odd", ["available", "running"])
    assert {name: getattr(job, name) for name in written} == written | {
        "errors": job.errors,
        "unique_states": job.unique_states,
    }


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (RiverJob.state == "done", "'done' is not among the defined enum values"),
        (RiverJob.unique_states == ["done"], "'done' is not a valid JobState"),
    ],
    ids=str,
)
def test_a_state_that_there_is_not_is_refused_before_any_sql(
    worked: JobRow, in_session: InSession[Any], condition: ColumnElement[bool], message: str
):
    def work(session: Session) -> Any:
        with pytest.raises(StatementError, match=message):
            session.scalars(select(RiverJob).where(condition)).all()
        return session.scalar(text("SELECT 'still alive'"))

    assert in_session(work) == "still alive"


def test_the_other_tables(in_session: InSession[Any], connection: psycopg.Connection):
    connection.execute("INSERT INTO river_queue (name, metadata) VALUES ('mail', '{\"a\": 1}')")
    connection.execute("INSERT INTO river_leader VALUES (now(), now(), 'host-1')")
    connection.execute("INSERT INTO river_notification (topic, payload) VALUES ('insert', '{}')")

    def read(session: Session) -> Any:
        queue = session.scalars(select(RiverQueue)).one()
        leader = session.scalars(select(RiverLeader)).one()
        notification = session.scalars(select(RiverNotification)).one()
        versions = session.scalars(select(RiverMigration).order_by(RiverMigration.version)).all()
        return (
            (queue.name, queue.metadata_, queue.paused_at, queue.created_at.tzinfo is not None),
            (leader.name, leader.leader_id, leader.expires_at == leader.elected_at),
            (notification.topic, notification.payload),
            [(one.line, one.version) for one in versions],
        )

    assert in_session(read) == (
        ("mail", {"a": 1}, None, True),
        ("default", "host-1", True),
        ("insert", "{}"),
        [("main", version) for version in range(1, 9)],
    )
