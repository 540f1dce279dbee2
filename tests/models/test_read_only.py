"""A session reads River's models and does not write them."""

from typing import Any

import psycopg
import pytest
from sqlalchemy import BigInteger, Engine, delete, event, insert, select, update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, foreign, mapped_column, relationship

from riverqueue import Client, DictArgs, JobRow, JobState, RiverError
from riverqueue_sqlalchemy import models
from riverqueue_sqlalchemy.models import ReadOnlyModelError, RiverJob, RiverLeader, RiverQueue
from tests.models.conftest import InSession


class Base(DeclarativeBase):
    pass


class Order(Base):
    """An order that knows its job; the job's side of it is the user's, too."""

    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int | None] = mapped_column(BigInteger)
    job: Mapped[RiverJob | None] = relationship(
        RiverJob, primaryjoin=lambda: foreign(Order.job_id) == RiverJob.id, backref="orders"
    )


class Mailbox(Base):
    """Whose jobs are found by their queue: a relationship that would write to River's table."""

    __tablename__ = "mailboxes"
    name: Mapped[str] = mapped_column(primary_key=True)
    jobs: Mapped[list[RiverJob]] = relationship(
        RiverJob,
        primaryjoin=lambda: foreign(RiverJob.queue) == Mailbox.name,
        passive_updates=False,
        cascade="all, delete-orphan",
    )


@pytest.fixture(autouse=True)
def tables(engine: Engine) -> None:
    Base.metadata.create_all(engine)


@pytest.fixture
def job(client: Client[Any, Any]) -> JobRow:
    return client.insert(DictArgs("print", {"order_id": 7})).job


def add(session: Session, job: JobRow) -> RiverJob:
    new = RiverJob(kind="print", args={})
    session.add(new)
    return new


def change(session: Session, job: JobRow) -> RiverJob:
    found = session.get_one(RiverJob, job.id)
    found.state = JobState.CANCELLED
    return found


def remove(session: Session, job: JobRow) -> RiverJob:
    found = session.get_one(RiverJob, job.id)
    session.delete(found)
    return found


@pytest.mark.parametrize(
    ("write", "undo", "message"),
    [
        (add, Session.expunge, r"<RiverJob kind='print'> .* to insert it: client.insert\(args\) with tx=session"),
        (change, Session.refresh, r"<RiverJob id=1 kind='print' state=cancelled queue='default'> .* to update it: "),
        (remove, Session.add, r"to delete it: client.job_delete\(\) with tx=session does it.*session.add"),
    ],
    ids=["add", "change", "remove"],
)
def test_a_write_is_refused_and_the_session_lives(
    in_session: InSession[Any], job: JobRow, connection: psycopg.Connection, write: Any, undo: Any, message: str
):
    def work(session: Session) -> None:
        session.add(Order(id=1))
        session.flush()
        session.add(Order(id=2))
        written = write(session, job)
        with pytest.raises(ReadOnlyModelError, match=message) as caught:
            session.flush()
        assert isinstance(caught.value, RiverError)
        undo(session, written)

    in_session(work)
    assert connection.execute("SELECT array_agg(id ORDER BY id) FROM orders").fetchone() == ([1, 2],)
    assert connection.execute("SELECT id, state::text FROM river_job").fetchall() == [(1, "available")]


def test_nothing_of_the_flush_is_sent(engine: Engine, job: JobRow):
    sent: list[str] = []
    with Session(engine) as session:
        change(session, job)
        session.add(Order(id=1))
        event.listen(engine, "before_cursor_execute", lambda *arguments: sent.append(arguments[2]))
        with pytest.raises(ReadOnlyModelError):
            session.commit()
        assert sent == []


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (lambda: RiverQueue(name="mail"), "to insert it: River keeps its table by itself"),
        (lambda: RiverLeader(name="default"), "<RiverLeader name='default'> is read-only"),
    ],
)
def test_the_other_models_are_read_only(engine: Engine, written: Any, message: str):
    with Session(engine) as session, pytest.raises(ReadOnlyModelError, match=message):
        session.add(written())
        session.flush()


def test_so_are_classes_on_your_base(engine: Engine, job: JobRow):
    river = models.classes(Base)
    with Session(engine) as session, pytest.raises(ReadOnlyModelError, match=r"client.job_update\(\), job_cancel\(\)"):
        session.get_one(river.job, job.id).tags = ["blue"]
        session.flush()


def test_what_has_not_changed_is_not_refused(engine: Engine, client: Client[Any, Any], job: JobRow):
    with Session(engine) as session:
        found = session.get_one(RiverJob, job.id)
        detached = session.get_one(RiverJob, client.insert(DictArgs("print", {})).job.id)
        session.expunge(detached)
        session.merge(detached)
        found.state = JobState.AVAILABLE
        found.args = {"order_id": 7}
        assert found in session.dirty
        session.commit()


def test_relationships_of_yours_are_written(engine: Engine, job: JobRow):
    with Session(engine) as session:
        found = session.get_one(RiverJob, job.id)
        session.add(Order(id=1, job=found))
        found.orders.append(Order(id=2))
        session.commit()
    with Session(engine) as session:
        assert [order.id for order in session.get_one(RiverJob, job.id).orders] == [1, 2]
        assert session.get_one(Order, 2).job.args == {"order_id": 7}


def empty(session: Session, mailbox: Mailbox) -> None:
    mailbox.jobs.clear()


def fill(session: Session, mailbox: Mailbox) -> None:
    mailbox.jobs.append(RiverJob(kind="print", args={}))


def rename(session: Session, mailbox: Mailbox) -> None:
    assert mailbox.jobs
    mailbox.name = "mail"


def delete_it(session: Session, mailbox: Mailbox) -> None:
    session.delete(mailbox)


@pytest.mark.parametrize("write", [empty, fill, rename, delete_it])
def test_relationships_that_would_write_rivers_tables_are_refused(
    engine: Engine, job: JobRow, connection: psycopg.Connection, write: Any
):
    with Session(engine) as session:
        session.add(Mailbox(name="default"))
        session.commit()
        mailbox = session.get_one(Mailbox, "default")
        write(session, mailbox)
        with pytest.raises(ReadOnlyModelError):
            session.commit()
    assert connection.execute("SELECT id, queue FROM river_job").fetchall() == [(job.id, "default")]


def test_statements_are_your_own_affair(engine: Engine, job: JobRow, client: Client[Any, Any]):
    with Session(engine) as session:
        session.execute(update(RiverJob).values(priority=2))
        session.execute(insert(models.job), {"kind": "print", "args": {}})
        session.execute(delete(RiverJob).where(RiverJob.id != job.id))
        session.commit()
        assert session.scalars(select(RiverJob.priority)).all() == [2]


def test_a_repr_sends_nothing(engine: Engine, job: JobRow):
    with Session(engine) as session:
        found = session.get_one(RiverJob, job.id)
        assert repr(found) == "<RiverJob id=1 kind='print' state=available queue='default'>"
        session.rollback()
        assert repr(found) == "<RiverJob>"
        assert not session.in_transaction()
