"""The models say of River's tables what the migrations make of them, to the letter."""

from types import NoneType
from typing import Any, get_args, get_type_hints

import pytest
from sqlalchemy import Connection, MetaData, PrimaryKeyConstraint, Table, inspect
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import declared_attr
from sqlalchemy.schema import CreateIndex, CreateTable, DropTable

from riverqueue_sqlalchemy import models
from tests.migrations.conftest import ODD_SCHEMA, golden
from tests.models.conftest import CONVENTION, Migrated

_both_schemas = pytest.mark.parametrize("database", [None, ODD_SCHEMA], ids=["default", "named"], indirect=True)


@_both_schemas
@pytest.mark.parametrize(
    "options", [{}, {"naming_convention": CONVENTION, "schema": "elsewhere"}], ids=["plain", "odd"]
)
def test_what_the_models_describe_is_what_the_migrations_make(database: Migrated, options: dict[str, Any]):
    assert database.describe() == golden(8)
    with database.engine.begin() as connection:
        for table in models.tables(MetaData(**options), schema=database.schema):
            _make_anew(connection, table)
    assert database.describe() == golden(8)


def _make_anew(connection: Connection, table: Table) -> None:
    # By hand, for table.drop() and table.create() are refused.
    connection.execute(DropTable(table))
    connection.execute(CreateTable(table))
    for index in table.indexes:
        connection.execute(CreateIndex(index))


@_both_schemas
def test_what_reflection_finds_is_what_the_models_describe(database: Migrated):
    found = inspect(database.engine)
    for table in models.tables(MetaData(), schema=database.schema):
        columns = found.get_columns(table.name, database.schema)
        assert [(one["name"], _sql(one["type"]), one["nullable"], bool(one["default"])) for one in columns] == [
            (one.name, _sql(one.type), one.nullable, _has_default(one)) for one in table.columns
        ]
        indexes = found.get_indexes(table.name, database.schema)
        assert {one["name"]: (one["column_names"], one["unique"]) for one in indexes} == {
            one.name: ([column.name for column in one.columns], one.unique) for one in table.indexes
        }
        key = found.get_pk_constraint(table.name, database.schema)
        assert (key["name"], key["constrained_columns"]) == (table.primary_key.name, table.primary_key.columns.keys())
        checks = {one["name"] for one in found.get_check_constraints(table.name, database.schema)}
        assert checks == {one.name for one in table.constraints if not isinstance(one, PrimaryKeyConstraint)}


def _sql(type_: Any) -> str:
    compiled: str = type_.compile(postgresql.dialect())
    return compiled


def _has_default(column: Any) -> bool:
    return column.server_default is not None or column is column.table.autoincrement_column


@pytest.mark.parametrize("name", models.Classes._fields)
def test_the_classes_declare_what_the_tables_have(name: str):
    mapped = getattr(models.classes(models.metadata), name)
    by_function = {key: value.fget for key, value in vars(mapped.__base__).items() if isinstance(value, declared_attr)}
    declared = {key: value for key, value in get_type_hints(mapped).items() if not key.startswith("_")}
    declared |= {key: get_type_hints(function)["return"] for key, function in by_function.items()}
    columns = inspect(mapped).columns
    assert {key: NoneType in get_args(get_args(value)[0]) for key, value in declared.items()} == {
        key: column.nullable for key, column in columns.items()
    }
    assert set(columns) == set(mapped.__table__.columns)
