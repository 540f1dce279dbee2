"""Every use, from a wheel and from an editable installation."""

import importlib.util
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from riverqueue_migrations import upgrade
from riverqueue_migrations.autogenerate import RIVER_TABLES

from tests.docs.fences import fences
from tests.migrations.conftest import Database, Go, golden
from tests.migrations.installation import ROOT, Installation, install
from tests.migrations.programs import run_text
from tests.support.server import sqlalchemy_url

pytestmark = pytest.mark.timeout(300)

_ENV = """
from alembic import context
from sqlalchemy import NullPool, create_engine, MetaData, Table, Column, Integer

metadata = MetaData()
Table("{table}", metadata, Column("id", Integer, primary_key=True))
{models}
options = {{}}
{options}
url = context.config.get_main_option("sqlalchemy.url")
if context.is_offline_mode():
    context.configure(url=url, target_metadata=metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    with create_engine(url, poolclass=NullPool).connect() as connection:
        context.configure(connection=connection, target_metadata=metadata, **options)
        with context.begin_transaction():
            {first}
            context.run_migrations()
"""
_BOATS = """
import sqlalchemy as sa
from alembic import op

revision = "boats"
down_revision = None
branch_labels = ("app",)
depends_on = None

def upgrade():
    op.create_table("TABLE", sa.Column("id", sa.Integer, primary_key=True))

def downgrade():
    op.drop_table("TABLE")
"""


@pytest.fixture(scope="session", params=["wheel", "editable"])
def installed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if hasattr(request.config, "workerinput") else base
    return install(shared / f"installed-{request.param}", request.param)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Installation:
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if hasattr(request.config, "workerinput") else base
    return install(shared / "installed-wheel", "wheel")


class Project:
    """A user's project, with a table of its own and the sections of alembic.ini that our page shows."""

    def __init__(self, path: Path, url: str, ini: str, **env: str) -> None:
        self.path = path
        versions = path / "alembic" / "versions"
        versions.mkdir(parents=True)
        settings = {"table": "boats", "models": "", "options": "", "first": "pass"} | env
        (versions / "boats.py").write_text(_BOATS.replace("TABLE", settings["table"]))
        (path / "alembic" / "env.py").write_text(_ENV.format(**settings))
        (path / "alembic" / "script.py.mako").write_text("${upgrades if upgrades else 'pass'}\n")
        url = sqlalchemy_url(url, "psycopg").replace("%", "%%")
        (path / "alembic.ini").write_text(f"[DEFAULT]\nsqlalchemy.url = {url}\n\n{ini}")


def own_history() -> str:
    """Return what docs/migrations.md shows, without its URL, beside a section for the user's own."""
    section = _documented("[river]").replace("sqlalchemy.url = postgresql://localhost/app\n", "")
    return f"[alembic]\nscript_location = %(here)s/alembic\npath_separator = newline\n\n{section}"


def branch() -> str:
    return _documented("[alembic]")


def _documented(first_line: str) -> str:
    page = fences(ROOT / "docs" / "migrations.md")
    (text,) = [fence.text for fence in page if fence.language == "ini" and fence.text.startswith(first_line)]
    return text


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg", "postgresql+asyncpg"])
def test_at_the_root(wheel: Installation, default_database: Database, scheme: str):
    url = default_database.url
    driver = scheme.partition("+")[2]
    url = sqlalchemy_url(url, driver) if driver else url.replace("postgresql", scheme, 1)
    wheel.alembic("upgrade", "head", cwd=wheel.source, DATABASE_URL=url)
    assert default_database.describe() == golden(8)


def test_at_the_root_without_a_database(wheel: Installation):
    printed = wheel.alembic("current", cwd=wheel.source, check=False)
    assert "no database: set the variable DATABASE_URL to" in printed
    printed = wheel.alembic("current", cwd=wheel.source, check=False, DATABASE_URL="mysql://me:secret@host/app")
    assert "this is no URL of it: mysql://…" in printed
    assert "secret" not in printed


def test_all_uses(installed: Installation, database: Database, tmp_path: Path):
    # At the root.
    root, option = installed.source, [f"-xriver_schema={database.schema}"] if database.schema else []
    installed.alembic(*option, "upgrade", "river@head", cwd=root, DATABASE_URL=database.url)
    assert database.describe() == golden(8)
    # In a project, with a history of River's own: where the other one stopped.
    schema = f"river_schema = {database.schema}\n".replace("%", "%%") if database.schema else ""
    own = Project(tmp_path / "own", database.url, own_history() + schema)
    assert "river_008 (head)" in installed.alembic("-n", "river", "current", cwd=own.path)
    installed.alembic("-n", "river", "downgrade", "river_003", cwd=own.path)
    assert database.describe() == golden(3, from_above=True)
    assert "river_003" in installed.alembic("-n", "river", "current", cwd=own.path)
    installed.alembic("upgrade", "head", cwd=own.path)
    # As a branch: River's version 3 is there, and adopted.
    mixed = Project(tmp_path / "mixed", database.url, branch() + schema)
    installed.alembic("upgrade", "heads", cwd=mixed.path)
    assert database.describe() == golden(8)
    assert "river_008" in installed.alembic("current", cwd=mixed.path)
    installed.alembic("downgrade", "river@base", cwd=mixed.path)
    assert database.versions() == []
    # From Python.
    call = f"""
import sqlalchemy, riverqueue_migrations as m
engine = sqlalchemy.create_engine({sqlalchemy_url(database.url, "psycopg")!r})
assert len(m.upgrade(engine, schema={database.schema!r})) == 8
assert m.__file__.startswith({str(installed.python.parent.parent)!r}) or m.__file__.startswith({str(root)!r})
"""
    installed.run("-c", call, cwd=tmp_path)
    assert database.versions() == list(range(1, 9))


def test_text_from_alembic(wheel: Installation, database: Database, tmp_path: Path):
    schema = f"river_schema = {database.schema}\n".replace("%", "%%") if database.schema else ""
    project = Project(tmp_path / "own", "postgresql://nowhere/none", own_history() + schema)

    def run(*arguments: str) -> None:
        run_text(database.url, wheel.alembic("-n", "river", *arguments, "--sql", cwd=project.path))

    run("upgrade", "head")
    assert database.describe() == golden(8)
    assert database.versions() == list(range(1, 9))
    run("downgrade", "river_008:river_003")
    assert database.describe() == golden(3, from_above=True)
    run("upgrade", "river_003:river_008")
    assert database.describe() == golden(8)
    run("downgrade", "river_008:base")
    assert database.describe() == golden(0)


def test_text_of_a_branch(wheel: Installation, default_database: Database, tmp_path: Path):
    project = Project(tmp_path, default_database.url, branch())
    run_text(default_database.url, wheel.alembic("upgrade", "river@head", "--sql", cwd=project.path))
    assert default_database.describe() == golden(8)
    assert "river_008" in wheel.alembic("current", cwd=project.path)


def test_alembic_takes_turns_with_go(wheel: Installation, default_database: Database, golang: Go, tmp_path: Path):
    database, project = default_database, Project(tmp_path, default_database.url, own_history())
    golang.up(database, 5)
    assert "river_005" in wheel.alembic("-n", "river", "current", cwd=project.path)
    wheel.alembic("-n", "river", "upgrade", "head", cwd=project.path)
    assert "no migrations to apply" in golang("migrate-up", database)
    golang.down(database, 6)
    assert "river_006" in wheel.alembic("-n", "river", "current", cwd=project.path)
    wheel.alembic("-n", "river", "downgrade", "-1", cwd=project.path)
    golang("migrate-up", database)
    assert database.describe() == golden(8)


def test_stamping_is_refused(wheel: Installation, default_database: Database, tmp_path: Path):
    project = Project(tmp_path, default_database.url, own_history())
    printed = wheel.alembic("-n", "river", "stamp", "head", cwd=project.path, check=False)
    assert "nothing to stamp: River's own table river_migration says" in printed
    assert default_database.versions() == []


@pytest.mark.parametrize("recipe", ["own", "branch"])
def test_eight_processes_at_once(wheel: Installation, default_database: Database, tmp_path: Path, recipe: str):
    first = "import riverqueue_migrations; riverqueue_migrations.lock(connection)"
    own = recipe == "own"
    project = Project(tmp_path, default_database.url, own_history() if own else branch(), first=first)
    arguments = ["-n", "river", "upgrade", "head"] if own else ["upgrade", "heads"]
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(wheel.alembic, *arguments, cwd=project.path) for _ in range(8)]:
            done.result()
    assert default_database.describe() == golden(8)
    assert default_database.versions() == list(range(1, 9))


def test_a_missing_schema_is_named(wheel: Installation, default_database: Database, tmp_path: Path):
    project = Project(tmp_path, default_database.url, own_history() + "river_schema = jobs\n")
    printed = wheel.alembic("-n", "river", "upgrade", "head", cwd=project.path, check=False)
    assert (
        'FAILED: schema "jobs" does not exist; migrations never create one. Run first: CREATE SCHEMA "jobs"' in printed
    )


# --- autogenerate ---

_needs_plugins = pytest.mark.skipif(
    importlib.util.find_spec("alembic.runtime.plugins") is None, reason="Alembic below 1.18 has no plugins"
)
_WITHOUT_PLUGIN = 'options["autogenerate_plugins"] = ["alembic.autogenerate.*", "~alembic.autogenerate.riverqueue"]\n'
_FILTERS = "from riverqueue_sqlalchemy.alembic import include_name, include_object\n"
_NOTHING = "No new upgrade operations detected."
_ALL_SCHEMAS = 'options["include_schemas"] = True\n'
_MODELS = 'Table("river_job", metadata, Column("id", Integer), Column("mine", Integer))'


@_needs_plugins
@pytest.mark.parametrize("recipe", ["own", "branch"])
def test_the_plugin_works_when_installed(
    installed: Installation, default_database: Database, tmp_path: Path, recipe: str
):
    ini = own_history() if recipe == "own" else branch()
    project = Project(tmp_path, default_database.url, ini, table="river_boats")
    upgrade(default_database.engine)
    installed.alembic("upgrade", "heads", cwd=project.path)
    assert _NOTHING in installed.alembic("check", cwd=project.path)


@pytest.mark.parametrize(
    ("options", "models", "proposed"),
    [
        pytest.param("", "", [], marks=_needs_plugins),
        pytest.param(_ALL_SCHEMAS, "", [], marks=_needs_plugins),
        pytest.param("", _MODELS, [], marks=_needs_plugins),
        (_WITHOUT_PLUGIN, "", ["river_job", "river_leader", "river_migration", "river_notification", "river_queue"]),
        (_WITHOUT_PLUGIN + _FILTERS + 'options["include_name"] = include_name', "", []),
        (_WITHOUT_PLUGIN + _ALL_SCHEMAS + _FILTERS + 'options["include_name"] = include_name', "", []),
        (_WITHOUT_PLUGIN + _FILTERS + 'options["include_object"] = include_object', _MODELS, []),
    ],
)
@pytest.mark.parametrize("seen", [True, False], ids=["boats-in-metadata", "boats-only-in-the-database"])
def test_autogenerate(database: Database, tmp_path: Path, options: str, models: str, proposed: list[str], seen: bool):
    models = models if seen else models + '\nmetadata.remove(metadata.tables["river_boats"])'
    project = Project(tmp_path, database.url, own_history(), table="river_boats", options=options, models=models)
    upgrade(database.engine, schema=database.schema)
    config = Config(str(project.path / "alembic.ini"))
    command.upgrade(config, "head")
    tables = _proposed(config)
    if database.schema and "include_schemas" not in options:
        proposed = []  # Alembic does not look there
    assert RIVER_TABLES.intersection(tables) == set(proposed)
    assert ("river_boats" in tables) is not seen


def _proposed(config: Config) -> list[str]:
    try:
        command.check(config)
    except CommandError as error:
        return re.findall(r"_table', Table\('(\w+)'", str(error))
    return []
