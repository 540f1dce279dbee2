"""River's models on metadata, registries and bases of the user's, and in schemas of River's."""

import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest
import sqlmodel
from flask_sqlalchemy import SQLAlchemy
from riverqueue_migrations import downgrade, upgrade
from sqlalchemy import (
    BigInteger,
    Column,
    Engine,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    func,
    inspect,
    select,
)
from sqlalchemy.orm import (
    DeclarativeBase,
    DeclarativeBaseNoMeta,
    Mapped,
    MappedAsDataclass,
    Session,
    configure_mappers,
    declared_attr,
    mapped_column,
    registry,
    relationship,
)
from sqlalchemy.schema import CreateSchema

from riverqueue import Client, ConfigurationError, DictArgs, JobState, SchemaError
from riverqueue.sql import quote
from riverqueue_sqlalchemy import models
from riverqueue_sqlalchemy.models.orm import Base
from tests.models.conftest import CONVENTION, OnStack


class Demanding(DeclarativeBase):
    """A base that changes what it can of its classes."""

    metadata = MetaData(naming_convention=CONVENTION, schema="elsewhere")
    type_annotation_map: ClassVar = {int: Integer(), str: String(10)}

    @declared_attr.directive
    def __tablename__(cls) -> str:  # noqa: N805
        return cls.__name__.lower()

    created_by: Mapped[str | None]


class NoMeta(DeclarativeBaseNoMeta):
    pass


class AsDataclass(MappedAsDataclass, DeclarativeBase):
    pass


class Flasks(DeclarativeBase):
    pass


BASES: dict[str, Base] = {
    "demanding": Demanding,
    "without-metaclass": NoMeta,
    "dataclasses": AsDataclass,
    "registry": registry(),
    "metadata": MetaData(),
    "sqlmodel": sqlmodel.SQLModel.metadata,
    "flask-sqlalchemy": SQLAlchemy(model_class=Flasks).Model,
}


@pytest.fixture(params=BASES)
def base(request: pytest.FixtureRequest) -> Base:
    return BASES[request.param]


def test_classes_on_a_base(base: Base, engine: Engine, client: Client[Any, Any]):
    river = models.classes(base)
    inserted = client.insert(DictArgs("print", {"order_id": 7})).job
    with Session(engine) as session:
        job = session.scalars(select(river.job).where(river.job.state == JobState.AVAILABLE)).one()
        assert (job.id, job.args, job.metadata_) == (inserted.id, {"order_id": 7}, {})
        assert len(session.scalars(select(river.migration)).all()) == 8
    assert river.job.__table__.schema is None
    assert river.job.__table__.metadata is (base if isinstance(base, MetaData) else base.metadata)


def test_asked_again_the_same_classes_are_there(base: Base):
    assert models.classes(base) is not models.classes(base)
    assert models.classes(base) == models.classes(base)
    assert models.classes(base, schema="jobs") == models.classes(base, schema="jobs")
    assert not set(models.classes(base)) & set(models.classes(base, schema="jobs"))


def test_the_ready_made_ones_are_those_of_their_metadata():
    assert models.tables(models.metadata) == (
        models.job,
        models.leader,
        models.migration,
        models.notification,
        models.queue,
    )
    assert models.classes(models.metadata) == (
        models.RiverJob,
        models.RiverLeader,
        models.RiverMigration,
        models.RiverNotification,
        models.RiverQueue,
    )


@pytest.mark.parametrize("wrong", [object, "jobs", None])
def test_what_is_no_base_is_refused(wrong: Any):
    with pytest.raises(ConfigurationError, match="must be a declarative base, a registry or a MetaData"):
        models.classes(wrong)


def test_a_table_of_another_make_is_refused(engine: Engine):
    reflected = MetaData()
    reflected.reflect(engine)
    with pytest.raises(ConfigurationError, match="has a table river_job that is not of River's models"):
        models.tables(reflected)


def test_names_of_metadata_are_rivers():
    found = models.tables(MetaData(naming_convention=CONVENTION), schema="jobs")
    assert {constraint.name for constraint in found.queue.constraints} == {"river_queue_pkey"}
    assert {index.name for index in found.notification.indexes} == {
        "river_notification_created_at_idx",
        "river_notification_topic_id_idx",
    }


def test_a_class_of_your_own(engine: Engine, client: Client[Any, Any]):
    class Own(DeclarativeBase):
        pass

    class RiverJob(models.JobModel, Own):
        __table__ = models.tables(Own.metadata).job

        orders: Mapped[list["Order"]] = relationship(back_populates="job")

        @property
        def order_id(self) -> int:
            return int(self.args["order_id"])

    class Order(Own):
        __tablename__ = "orders"
        id: Mapped[int] = mapped_column(primary_key=True)
        job_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("river_job.id", ondelete="SET NULL"))
        job: Mapped[RiverJob | None] = relationship(back_populates="orders")

    assert models.classes(Own).job is RiverJob
    Own.metadata.create_all(engine)
    with Session(engine) as session, session.begin():
        job = client.insert(DictArgs("print", {"order_id": 7})).job
        session.add(Order(job_id=job.id))
    with Session(engine) as session:
        order = session.scalars(select(Order)).one()
        assert (order.job.order_id, order.job.metadata_, order.job.orders) == (7, {}, [order])


def test_several_schemas_on_one_base(own_engine: Engine):
    class Own(DeclarativeBase):
        pass

    found = {schema: models.classes(Own, schema=schema) for schema in (None, "blue", "green")}
    with own_engine.begin() as connection:
        for schema in ("blue", "green"):
            connection.execute(CreateSchema(schema))
            upgrade(connection, schema=schema)
        for schema in found:
            table = models.tables(Own.metadata, schema=schema).job
            connection.execute(table.insert(), {"kind": f"for {schema}", "args": {}})
    with Session(own_engine) as session:
        kinds = {schema: session.scalars(select(river.job)).one().kind for schema, river in found.items()}
    assert kinds == {None: "for None", "blue": "for blue", "green": "for green"}


def test_relationships_find_classes_by_name():
    class Own(DeclarativeBase):
        pass

    class Order(Own):
        __tablename__ = "orders"
        id: Mapped[int] = mapped_column(primary_key=True)
        job = relationship("RiverJob", primaryjoin="foreign(Order.id) == RiverJob.id", viewonly=True)

    river = models.classes(Own, schema="jobs")
    configure_mappers()
    assert inspect(Order).relationships["job"].mapper.class_ is river.job


@pytest.mark.parametrize("schema", ["jobs", 'My "odd" schema-é: 100%'])
@pytest.mark.parametrize("way", ["named", "translated", "searched"])
def test_another_schema(empty_database_url: str, schema: str, way: str, on_stack: OnStack[Any]):
    river = models.classes(MetaData(), schema=schema if way == "named" else None)
    table: Any = river.job.__table__
    options = {"execution_options": {"schema_translate_map": {None: schema}}} if way == "translated" else {}

    def work(session: Session) -> Any:
        session.execute(CreateSchema(schema))
        upgrade(session.connection(), schema=schema)
        if way == "searched":
            session.execute(select(func.set_config("search_path", quote(schema), True)))
        values = {"kind": "print", "args": {}, "unique_states": ["running"], "state": JobState.PENDING}
        session.execute(table.insert(), values, **options)
        where = [river.job.state == JobState.PENDING, river.job.unique_states == [JobState.RUNNING]]
        return session.scalars(select(river.job).where(*where), **options).one().state

    assert on_stack(empty_database_url, work) is JobState.PENDING


# --- Who creates and drops them ---


class Created:
    """A metadata of the user's with a table of the user's and River's."""

    def __init__(self, schema: str | None = None) -> None:
        self.metadata = MetaData()
        self.boats = Table("boats", self.metadata, Column("id", Integer, primary_key=True))
        self.river = models.tables(self.metadata, schema=schema)


def test_create_all_makes_your_tables_and_leaves_rivers(own_engine: Engine):
    Created().metadata.create_all(own_engine)
    assert inspect(own_engine).has_table("boats")


def test_create_all_refuses_to_make_rivers(own_engine: Engine):
    with own_engine.begin() as connection:
        downgrade(connection, 0)
        with pytest.raises(SchemaError, match=r"run riverqueue_migrations.upgrade\(engine\) before create_all\(\)"):
            Created().metadata.create_all(connection)
        assert not inspect(connection).has_table("boats")  # nothing was sent


def test_drop_all_refuses_to_drop_rivers(own_engine: Engine):
    created = Created()
    created.metadata.create_all(own_engine)
    with own_engine.begin() as connection:
        with pytest.raises(SchemaError, match=r"riverqueue_migrations.downgrade\(engine, 0\) before drop_all\(\)"):
            created.metadata.drop_all(connection)
        assert inspect(connection).has_table("boats")
        downgrade(connection, 0)
        created.metadata.drop_all(connection)
        assert not inspect(connection).has_table("boats")


def test_your_tables_alone_are_dropped(own_engine: Engine):
    created = Created()
    created.metadata.create_all(own_engine)
    created.metadata.drop_all(own_engine, tables=[created.boats])
    assert (inspect(own_engine).has_table("boats"), inspect(own_engine).has_table("river_job")) == (False, True)


def test_one_table_is_not_created_nor_dropped(own_engine: Engine):
    copied = models.job.to_metadata(MetaData())
    for table in (Created().river.job, copied):
        with pytest.raises(SchemaError, match="are dropped by its migrations"):
            table.drop(own_engine)
    with own_engine.begin() as connection:
        downgrade(connection, 0)
        for table in (Created().river.job, copied):
            with pytest.raises(SchemaError, match="are made by its migrations"):
                table.create(connection)


def test_the_schema_is_named_in_what_to_run(own_engine: Engine):
    with pytest.raises(SchemaError, match=r"upgrade\(engine, schema='jobs'\)"):
        Created("jobs").river.queue.create(own_engine)
    with pytest.raises(SchemaError, match=r"downgrade\(engine, 0, schema='jobs'\)"):
        Created("jobs").river.queue.drop(own_engine)


# --- Programs ---


def test_metadata_and_objects_can_be_pickled(engine: Engine, client: Client[Any, Any]):
    client.insert(DictArgs("print", {"order_id": 7}))
    with Session(engine) as session:
        job = session.scalars(select(models.RiverJob)).one()
    assert pickle.loads(pickle.dumps(job)).args == {"order_id": 7}
    metadata = pickle.loads(pickle.dumps(models.metadata))
    assert set(metadata.tables) == set(models.metadata.tables)


def test_a_program_with_core_alone_does_not_import_the_orm():
    code = (
        "import sys; from riverqueue_sqlalchemy import models; from sqlalchemy import MetaData;"
        "models.tables(MetaData(), schema='jobs'); models.job.c.state;"
        "assert 'sqlalchemy.orm' not in sys.modules; models.RiverJob; assert 'sqlalchemy.orm' in sys.modules"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_what_is_public_is_there():
    assert [name for name in models.__all__ if not hasattr(models, name)] == []
    assert not hasattr(models, "RiverClient")


def test_what_is_public_is_documented():
    page = (Path(__file__).parent.parent.parent / "docs" / "models.md").read_text(encoding="utf-8")
    assert [name for name in models.__all__ if not re.search(rf"\b{name}\b", page)] == []
