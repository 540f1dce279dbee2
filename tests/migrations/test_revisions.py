"""The revision files as Alembic sees them."""

import subprocess
import sys

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from riverqueue_migrations import current, migrations, upgrade

from tests.migrations.conftest import Database, golden
from tests.migrations.installation import ROOT


def config(**attributes: object) -> Config:
    made = Config()
    made.set_main_option("path_separator", "newline")
    made.set_main_option("script_location", "riverqueue_migrations:")
    made.attributes.update(attributes)
    return made


def test_they_are_one_branch_called_river():
    scripts = ScriptDirectory.from_config(config())
    assert scripts.get_bases() == ["river_001"]
    assert scripts.get_heads() == ["river_008"]
    assert all(revision.branch_labels == {"river"} for revision in scripts.walk_revisions())


def test_each_is_the_version_that_its_id_says():
    scripts = ScriptDirectory.from_config(config())
    found = {revision.revision: revision.module.MIGRATION for revision in scripts.walk_revisions()}
    assert found == {f"river_{number:03}": migration for number, migration in migrations().items()}


def test_a_connection_given_to_alembic_stays_the_callers(default_database: Database):
    with default_database.engine.connect() as connection:
        made = config(connection=connection)
        command.upgrade(made, "river@head")
        command.downgrade(made, "river_002")
        assert current(connection) == 2
        connection.rollback()
    assert default_database.describe() == golden(0)


def test_a_gap_is_filled(default_database: Database):
    upgrade(default_database.engine)
    default_database.execute("DELETE FROM river_migration WHERE version = 8")
    default_database.execute("INSERT INTO river_migration (line, version) VALUES ('main', 9)")
    with default_database.engine.begin() as connection, pytest.warns(UserWarning, match="ignored"):
        command.upgrade(config(connection=connection), "head")
    assert default_database.versions() == list(range(1, 10))


def test_alembics_plugin_costs_nothing():
    # Alembic imports it whenever it is imported itself, for whatever purpose.
    code = "import sys, riverqueue_migrations; print({'riverqueue', 'alembic', 'sqlalchemy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"


def test_a_new_revision_is_a_version(tmp_path):
    made = config()
    made.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    made.set_main_option("version_locations", f"{ROOT / 'migrations' / 'versions'}\n{tmp_path}")
    command.revision(made, "more", head="river@head", rev_id="river_009", version_path=str(tmp_path))
    text = (tmp_path / "river_009_more.py").read_text()
    assert "MIGRATION = Migration(version=9, name='more', up=(), down=())" in text
    compile(text, "river_009_more.py", "exec")
