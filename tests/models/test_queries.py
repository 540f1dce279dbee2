"""Queries that the documentation promises something about."""

from typing import Any

import pytest
from sqlalchemy import ClauseElement, Engine, Executable, Select, Text, cast, func, select, text, tuple_
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    foreign,
    joinedload,
    lazyload,
    mapped_column,
    relationship,
    selectinload,
)

from riverqueue import Client, DictArgs, JobState
from riverqueue_sqlalchemy import models
from riverqueue_sqlalchemy.models import RiverJob
from tests.models.conftest import InSession


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    jobs: Mapped[list[RiverJob]] = relationship(
        RiverJob,
        primaryjoin=lambda: foreign(RiverJob.args["customer_id"].as_integer()) == Customer.id,
        order_by=RiverJob.id,
        viewonly=True,
    )


@pytest.fixture(autouse=True)
def customers(engine: Engine, client: Client[Any, Any]) -> None:
    Base.metadata.create_all(engine)
    with Session(engine) as session, session.begin():
        session.add_all([Customer(id=1, name="Ada"), Customer(id=2, name="Grace")])
    client.insert_many([DictArgs("bill", {"customer_id": number}) for number in (1, 2, 1)])
    client.insert(DictArgs("clean", {}))


@pytest.mark.parametrize("load", [lazyload, joinedload, selectinload])
def test_a_relationship_to_jobs_by_their_args(in_session: InSession[Any], load: Any):
    def read(session: Session) -> Any:
        query = select(Customer).order_by(Customer.id)
        found = session.scalars(query.options(load(Customer.jobs))).unique().all()
        return [(customer.name, [job.id for job in customer.jobs]) for customer in found]

    assert in_session(read) == [("Ada", [1, 3]), ("Grace", [2])]


_JOINS = {
    "integer": select(Customer.name, RiverJob.id).join(
        RiverJob, RiverJob.args["customer_id"].as_integer() == Customer.id
    ),
    "text": select(Customer.name, RiverJob.id).join(
        RiverJob, RiverJob.args["customer_id"].astext == cast(Customer.id, Text)
    ),
    "containment": select(Customer.name, RiverJob.id).join(
        RiverJob, RiverJob.args.contains(func.jsonb_build_object("customer_id", Customer.id))
    ),
    "relationship": select(Customer.name, RiverJob.id).join(Customer.jobs),
    "core": select(Customer.name, models.job.c.id).join(
        models.job, models.job.c.args["customer_id"].as_integer() == Customer.id
    ),
}


@pytest.mark.parametrize("query", _JOINS.values(), ids=_JOINS)
def test_joins(in_session: InSession[Any], query: Select[Any]):
    ordered = query.order_by(models.job.c.id)
    assert in_session(lambda session: session.execute(ordered).all()) == [("Ada", 1), ("Grace", 2), ("Ada", 3)]


def test_pages_by_a_key_of_two_columns(in_session: InSession[Any]):
    def read(session: Session) -> list[list[int]]:
        pages: list[list[int]] = []
        query = select(RiverJob).order_by(RiverJob.scheduled_at.desc(), RiverJob.id.desc()).limit(2)
        after = query
        while jobs := session.scalars(after).all():
            pages.append([job.id for job in jobs])
            last = jobs[-1]
            after = query.where(tuple_(RiverJob.scheduled_at, RiverJob.id) < (last.scheduled_at, last.id))
        return pages

    assert in_session(read) == [[4, 3], [2, 1]]


def test_counts_by_state(in_session: InSession[Any]):
    query = select(RiverJob.state, func.count()).group_by(RiverJob.state)
    assert in_session(lambda session: session.execute(query).all()) == [(JobState.AVAILABLE, 4)]


class Explain(Executable, ClauseElement):
    inherit_cache = False

    def __init__(self, query: Select[Any]) -> None:
        self.query = query


@compiles(Explain)
def _explained(element: Explain, compiler: Any, **options: Any) -> str:
    return "EXPLAIN " + str(compiler.process(element.query, **options))


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (select(RiverJob.id).where(RiverJob.args.contains({"customer_id": 1})), "river_job_args_index"),
        (_JOINS["containment"], "river_job_args_index"),
        (select(RiverJob.id).where(RiverJob.metadata_.contains({"a": 1})), "river_job_metadata_index"),
        (select(RiverJob.id).where(RiverJob.kind == "bill"), "river_job_kind"),
        (
            select(RiverJob.id).where(RiverJob.state == JobState.AVAILABLE, RiverJob.queue == "default"),
            "river_job_prioritized_fetching_index",
        ),
    ],
    ids=["args", "join", "metadata", "kind", "state"],
)
def test_an_index_of_rivers_is_used(in_session: InSession[Any], query: Select[Any], index: str):
    def explain(session: Session) -> str:
        session.execute(text("SET LOCAL enable_seqscan = off"))  # on a table so small it is always the quicker way
        return "\n".join(session.connection().execute(Explain(query)).scalars())

    assert index in in_session(explain)
