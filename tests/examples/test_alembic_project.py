import shutil
from pathlib import Path

import pytest

from tests.examples.support import ROOT, jobs, rows, run
from tests.support.server import sqlalchemy_url

pytestmark = pytest.mark.timeout(180)  # Alembic is started several times

PROJECT = ROOT / "examples" / "alembic_project"


@pytest.fixture
def url(empty_database_url: str) -> str:
    return sqlalchemy_url(empty_database_url, "psycopg")


def alembic(url: str, *arguments: str, project: Path = PROJECT) -> str:
    done = run(["-m", "alembic", *arguments], cwd=project, DATABASE_URL=url)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_two_histories_live_side_by_side(url: str, empty_database_url: str) -> None:
    alembic(url, "upgrade", "head")
    alembic(url, "-n", "river", "upgrade", "head")
    # Alembic 1.18 and later finds nothing to do by River's plugin, older ones by include_name.
    assert "No new upgrade operations detected" in alembic(url, "check")

    tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
    assert [name for (name,) in rows(empty_database_url, tables)] == [
        "alembic_version",
        "invoice",
        "river_job",
        "river_leader",
        "river_migration",
        "river_notification",
        "river_queue",
    ]

    done = run(["-m", "shop.billing", "Ada", 3], cwd=PROJECT, DATABASE_URL=url, PYTHONPATH=f"{PROJECT}:{ROOT}")
    assert done.stderr == ""
    assert rows(empty_database_url, "SELECT id, customer, amount FROM invoice") == [(1, "Ada", 3)]
    assert jobs(empty_database_url) == [("send_invoice", {"invoice_id": 1})]


def test_autogenerate_proposes_what_is_the_applications(url: str, tmp_path: Path) -> None:
    project = Path(shutil.copytree(PROJECT, tmp_path / "project"))
    alembic(url, "upgrade", "head", project=project)
    alembic(url, "-n", "river", "upgrade", "head", project=project)
    models = project / "shop" / "models.py"
    models.write_text(models.read_text() + "    paid: Mapped[bool | None]\n")

    alembic(url, "revision", "--autogenerate", "-m", "paid", project=project)

    (new,) = (file for file in (project / "migrations/versions").glob("*.py") if "paid" in file.name)
    assert "add_column('invoice'" in new.read_text()
    assert "river" not in new.read_text()


def test_either_history_can_be_taken_back(url: str, empty_database_url: str) -> None:
    alembic(url, "upgrade", "head")
    alembic(url, "-n", "river", "upgrade", "head")
    alembic(url, "-n", "river", "downgrade", "base")
    alembic(url, "check")
    assert rows(empty_database_url, "SELECT to_regclass('river_job')") == [(None,)]
    assert rows(empty_database_url, "SELECT count(*) FROM invoice") == [(0,)]
