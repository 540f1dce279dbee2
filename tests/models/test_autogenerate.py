"""Alembic proposes nothing for River's tables while they are part of the user's metadata."""

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from riverqueue_migrations.autogenerate import include_object
from sqlalchemy import Column, Integer, MetaData, Table

from riverqueue_sqlalchemy import models
from tests.models.conftest import CONVENTION, Migrated

_ENV = """
from alembic import context

given = context.config.attributes
with given["engine"].connect() as connection:
    context.configure(connection=connection, target_metadata=given["metadata"], **given["options"])
    with context.begin_transaction():
        context.run_migrations()
"""

_HAS_PLUGINS = importlib.util.find_spec("alembic.runtime.plugins") is not None
_needs_plugins = pytest.mark.skipif(not _HAS_PLUGINS, reason="Alembic below 1.18 has no plugins")
_WITHOUT_PLUGIN: dict[str, Any] = (
    {"autogenerate_plugins": ["alembic.autogenerate.*", "~alembic.autogenerate.riverqueue"]} if _HAS_PLUGINS else {}
)
_EVERYTHING = {"compare_type": True, "compare_server_default": True}


def proposed(project: Path, database: Migrated, metadata: MetaData, options: dict[str, Any]) -> str:
    """Return what ``alembic revision --autogenerate`` would write."""
    (project / "env.py").write_text(_ENV)
    config = Config(attributes={"engine": database.engine, "metadata": metadata, "options": _EVERYTHING | options})
    config.set_main_option("script_location", str(project))
    config.set_main_option("path_separator", "newline")
    try:
        command.check(config)
    except CommandError as error:
        return str(error)
    return ""


def users(schema: str | None, **options: Any) -> MetaData:
    """A metadata with River's tables and one of the user's, which the database does not have."""
    metadata = MetaData(**options)
    Table("boats", metadata, Column("id", Integer, primary_key=True))
    models.classes(metadata, schema=schema)
    return metadata


# Alembic itself stumbles over quotes in a schema's name.
@pytest.mark.parametrize("database", [None, "jobs", "My schema-é: 100%"], indirect=True)
@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="plugin", marks=_needs_plugins),
        pytest.param(_WITHOUT_PLUGIN, id="models-alone"),
        pytest.param(_WITHOUT_PLUGIN | {"include_object": include_object}, id="filter"),
    ],
)
@pytest.mark.parametrize("settings", [{}, {"naming_convention": CONVENTION}], ids=["plain", "naming-convention"])
def test_nothing_is_proposed(database: Migrated, tmp_path: Path, options: dict[str, Any], settings: dict[str, Any]):
    if database.schema:
        options = options | {"include_schemas": True}
    proposal = proposed(tmp_path, database, users(database.schema, **settings), options)
    assert ("boats" in proposal, "river" in proposal) == (True, False), proposal


@pytest.mark.parametrize("database", ["jobs"], indirect=True)
@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="plugin", marks=_needs_plugins),
        pytest.param(_WITHOUT_PLUGIN | {"include_object": include_object}, id="filter"),
    ],
)
def test_nothing_is_proposed_where_alembic_does_not_look(database: Migrated, tmp_path: Path, options: dict[str, Any]):
    proposal = proposed(tmp_path, database, users(database.schema), options)
    assert ("boats" in proposal, "river" in proposal) == (True, False), proposal


@pytest.mark.parametrize("database", [None], indirect=True)
@pytest.mark.parametrize(
    ("change", "seen"),
    [
        ("ALTER TABLE river_job ALTER errors TYPE text[]", "modify_type.*errors"),
        ("ALTER TABLE river_job ALTER tags TYPE varchar(99)[]", "modify_type.*tags"),
        ("ALTER TABLE river_job ALTER priority SET DEFAULT 2", "modify_default.*priority"),
        ("ALTER TABLE river_job ALTER args DROP NOT NULL", "modify_nullable.*args"),
        ("DROP INDEX river_job_kind", "add_index.*river_job_kind"),
        ("COMMENT ON COLUMN river_job.kind IS 'mine'", "modify_comment.*kind"),
    ],
)
def test_without_the_plugin_a_difference_is_seen(database: Migrated, tmp_path: Path, change: str, seen: str):
    with database.engine.begin() as connection:
        connection.exec_driver_sql(change)
    assert re.search(seen, proposed(tmp_path, database, users(None), _WITHOUT_PLUGIN))
