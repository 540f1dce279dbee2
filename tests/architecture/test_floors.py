import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def modules_of(statement: str) -> set[str]:
    """All modules that a program with this import has."""
    return set(run(f"import sys; {statement}; print(' '.join(sorted(sys.modules)))").split())


def imported_by(statement: str) -> set[str]:
    """The top-level packages, and the standard library's asyncio, that a program with this import has."""
    return {name.split(".")[0] for name in modules_of(statement)}


def test_floors_hold():
    done = subprocess.run([str(Path(sys.executable).parent / "lint-imports")], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_core_needs_nothing_but_python():
    allowed = set(sys.stdlib_module_names) | {"riverqueue"}
    baseline = imported_by("pass")
    assert imported_by("import riverqueue") - baseline <= allowed


@pytest.mark.parametrize(
    "statement",
    ["import riverqueue", "import riverqueue, riverqueue_psycopg", "import riverqueue, riverqueue_sqlalchemy"],
)
def test_an_insert_only_program_imports_no_more_than_it_uses(statement):
    unwanted = {"alembic", "click", "rich", "asyncpg", "psycopg2", "greenlet", "riverqueue_migrations"}
    if "psycopg" not in statement:
        unwanted |= {"psycopg"}
    if "sqlalchemy" not in statement:
        unwanted |= {"sqlalchemy", "asyncio"} - ({"asyncio"} if "psycopg" in statement else set())
    assert not imported_by(statement) & unwanted


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("import riverqueue", "pass"),
        ("import riverqueue, riverqueue_psycopg", "import psycopg, psycopg_pool"),
        ("import riverqueue, riverqueue_sqlalchemy", "import sqlalchemy"),
    ],
)
def test_an_insert_only_program_imports_no_worker(ours, theirs):
    """Nothing of what works jobs, nor what that needs, unless the database library brings it."""
    imported = modules_of(ours) - modules_of(theirs)
    packages = {"concurrent", "msgspec", "multiprocessing", "pickle", "pydantic", "resource", "signal"}
    if "psycopg" not in ours:
        packages |= {"asyncio"}
    assert not {name for name in imported if name.startswith("riverqueue.runtime") or name.split(".")[0] in packages}


def test_the_sync_faces_are_generated():
    done = subprocess.run([sys.executable, "tools/generate_sync.py", "--check"], cwd=ROOT, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_nothing_names_this_workplace():
    """No path of a machine, no registry host, in what is committed."""
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout.split()
    words = ["/" + "work/", "/" + "root/", "pypi" + ".org", "proxy.golang" + ".org", "files.pythonhosted" + ".org"]
    for name in files:
        text = (ROOT / name).read_text(encoding="utf-8", errors="replace")
        assert not [word for word in words if word in text], name
