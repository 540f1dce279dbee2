"""Args as people hold them, stored and read back."""

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import Enum
from typing import Annotated, Any, ClassVar, TypedDict
from uuid import UUID

import attrs
import msgspec
import psycopg
import pydantic
import pytest
import sqlalchemy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, scoped_session, sessionmaker

import riverqueue_psycopg
import riverqueue_sqlalchemy
from riverqueue import Client, DictArgs, InsertOpts, Unique, UniqueOpts
from tests.support.server import sqlalchemy_url


class Colour(Enum):
    RED = "red"


@dataclass
class Point:
    x: int
    y: float


@dataclass
class DataclassArgs:
    kind: ClassVar[str] = "typed"
    name: str
    at: Point
    tags: list[str] = field(default_factory=list)


@attrs.define
class AttrsArgs:
    kind: ClassVar[str] = "typed"
    name: str
    at: Point
    tags: list[str] = attrs.field(factory=list)


class MsgspecArgs(msgspec.Struct):
    kind: ClassVar[str] = "typed"
    name: str
    at: Point
    tags: list[str] = msgspec.field(default_factory=list)


class PydanticArgs(pydantic.BaseModel):
    kind: ClassVar[str] = "typed"
    name: str
    at: Point
    tags: list[str] = pydantic.Field(default_factory=list)


class Typed(TypedDict):
    name: str
    at: dict[str, Any]
    tags: list[str]


class OwnJson:
    kind = "typed"

    def __init__(self, name, at):
        self.name, self.at = name, at

    def to_json(self):
        return json.dumps({"tags": [], "at": {"y": self.at.y, "x": self.at.x}, "name": self.name}, indent=2)


def typed_dict(name, at):
    return DictArgs("typed", Typed(name=name, at={"x": at.x, "y": at.y}, tags=[]))


FORMS = [DataclassArgs, AttrsArgs, MsgspecArgs, PydanticArgs, typed_dict, OwnJson]


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_stored_and_read_back(driver, form):
    job = Client(driver).insert(form(name="größe ☃ <&>", at=Point(1, 2.5))).job
    assert job.kind == "typed"
    assert job.args == {"name": "größe ☃ <&>", "at": {"x": 1, "y": 2.5}, "tags": []}


def test_all_forms_are_each_others_duplicates(driver):
    """The key is computed from what Go would have written, whatever the class wrote."""
    client = Client(driver)
    opts = InsertOpts(unique_opts=UniqueOpts(by_args=["name", "tags", "at.x", "at.y"]))
    results = [client.insert(form(name="é <b> 1", at=Point(1, 1.0)), opts) for form in FORMS]
    assert [result.unique_skipped_as_duplicated for result in results] == [False] + [True] * (len(FORMS) - 1)


def test_fields_marked_unique_are_those_that_count(driver):
    @dataclass
    class Marked:
        kind: ClassVar[str] = "marked"
        customer: Annotated[int, Unique]
        note: str

    client = Client(driver)
    opts = InsertOpts(unique_opts=UniqueOpts(by_args=True))
    assert not client.insert(Marked(1, "a"), opts).unique_skipped_as_duplicated
    assert client.insert(Marked(1, "b"), opts).unique_skipped_as_duplicated
    assert not client.insert(Marked(2, "a"), opts).unique_skipped_as_duplicated


def test_values_json_does_not_know(driver):
    args = {
        "time": datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=UTC),
        "date": date(2026, 1, 2),
        "uuid": UUID(int=7),
        "colour": Colour.RED,
        "bytes": b"\x00\xff",
        "point": Point(1, 1.0),
    }
    job = Client(driver).insert(DictArgs("values", args)).job
    assert job.args == {
        "time": "2026-01-02T03:04:05.6789Z",
        "date": "2026-01-02",
        "uuid": "00000000-0000-0000-0000-000000000007",
        "colour": "red",
        "bytes": "AP8=",
        "point": {"x": 1, "y": 1},
    }


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",))),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",))), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(args=st.dictionaries(st.text(st.characters(codec="utf-8", exclude_characters="\0")), JSON, max_size=5))
def test_any_json_object_comes_back_equal_by_both_ways(driver, connection, args):
    client = Client(driver)
    assert client.insert(DictArgs("any_json", args)).job.args == args
    connection.execute("DELETE FROM river_job")
    client.insert_many_fast([DictArgs("any_json", args)], tx=connection)
    row = connection.execute("SELECT args::text FROM river_job").fetchone()
    assert json.loads(row[0]) == args


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)


@dataclass
class ShipArgs:
    kind: ClassVar[str] = "ship"
    order_id: int


@pytest.mark.parametrize("scoped", [False, True])
def test_a_callable_sees_the_ids_that_the_flush_assigned(database_url, scoped):
    engine = sqlalchemy.create_engine(sqlalchemy_url(database_url, "psycopg"))
    Base.metadata.create_all(engine)
    client = Client(riverqueue_sqlalchemy.Driver(engine))
    session = scoped_session(sessionmaker(engine)) if scoped else Session(engine)
    order = Order()
    session.add(order)
    job = client.insert(lambda: ShipArgs(order.id), tx=session).job
    assert job.args == {"order_id": order.id}
    assert order.id is not None
    session.rollback()
    session.close() if not scoped else session.remove()
    engine.dispose()


def test_a_callable_works_in_batches_and_without_a_transaction(driver):
    client = Client(driver)
    results = client.insert_many([lambda: ShipArgs(1), ShipArgs(2)])
    assert [result.job.args["order_id"] for result in results] == [1, 2]


def test_rows_are_read_lazily_and_compare_by_value(driver):
    client = Client(driver)
    job = client.insert(ShipArgs(1)).job
    assert job != client.insert(ShipArgs(1)).job
    assert repr(job) == f"<JobRow id={job.id} kind='ship' state=available queue='default'>"
    assert len({job, job}) == 1


def test_attempt_errors_are_read_leniently(driver, connection):
    client = Client(driver)
    job = client.insert(ShipArgs(1), InsertOpts(unique_opts=UniqueOpts(by_args=True))).job
    odd = [
        {"at": "2026-01-02T03:04:05.678901234Z", "attempt": 1, "error": "boom", "trace": "t"},
        {"at": "yesterday", "attempt": "2", "error": {"a": 1}, "more": 1},
        "just text",
        {"at": 5, "attempt": "x"},
    ]
    connection.execute(
        "UPDATE river_job SET errors = %s::jsonb[] WHERE id = %s", ([json.dumps(error) for error in odd], job.id)
    )
    connection.commit()
    again = client.insert(ShipArgs(1), InsertOpts(unique_opts=UniqueOpts(by_args=True))).job
    first, second, third, fourth = again.errors
    assert (first.at, first.attempt) == (datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC), 1)
    assert (second.at.year, second.attempt, second.error, second.trace) == (1, 2, '{"a":1}', "")
    assert (third.error, third.attempt) == ("just text", 0)
    assert (fourth.attempt, fourth.error) == (0, "")


def test_psycopg_is_the_same_from_a_pool(database_url):
    from psycopg_pool import ConnectionPool

    with ConnectionPool(database_url, min_size=1, open=True) as pool:
        client = Client(riverqueue_psycopg.Driver(pool))
        with client.transaction() as tx:
            assert isinstance(tx, psycopg.Connection)
            assert client.insert(ShipArgs(1), tx=tx).job.id
