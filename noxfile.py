"""Everything CI could run, by session: `nox -l` lists them."""

from pathlib import Path

import nox

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["lint", "types", "faces", "floors", "tests", "docs"]

PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
SQLALCHEMY = ["2.0", "2.1"]
STACKS = ["psycopg", "sqlalchemy"]
POSTGRESQL = ["embedded", "local"]
OLDEST = ["sqlalchemy[asyncio]==2.0.36", "alembic==1.16.1", "psycopg[binary]==3.2.4", "psycopg-pool==3.2.4"]


@nox.session(python=PYTHONS)
@nox.parametrize("postgresql", POSTGRESQL)
@nox.parametrize("sqlalchemy", SQLALCHEMY)
def tests(session: nox.Session, sqlalchemy: str, postgresql: str) -> None:
    """Run all tests on one Python, SQLAlchemy and PostgreSQL."""
    session.install("-e", ".[test]", f"sqlalchemy[asyncio]~={sqlalchemy}.0")
    session.run("pytest", "-q", "-n", "auto", *session.posargs, env={"RIVER_TEST_PG": postgresql})


@nox.session(python=PYTHONS)
@nox.parametrize("stack", STACKS)
def stack(session: nox.Session, stack: str) -> None:
    """Run the conformance suite of one stack."""
    session.install("-e", ".[test]")
    session.run("pytest", "-q", "-n", "auto", "tests/drivers", "-k", stack, *session.posargs)


@nox.session(python=PYTHONS[0])
def minimum(session: nox.Session) -> None:
    """Run the drivers' tests on SQLAlchemy 2.0 and old drivers, and on the PostgreSQL installed here, if any."""
    session.install("-e", ".[test]", *OLDEST)
    local = {"RIVER_TEST_PG": "local"} if list(Path("/usr/lib/postgresql").glob("*/bin/postgres")) else {}
    session.run(
        "pytest",
        "-q",
        "-n",
        "auto",
        "tests/drivers",
        "tests/clients",
        "tests/models",
        "tests/transactions",
        *session.posargs,
        env=local,
    )


@nox.session(python=PYTHONS[0])
def lint(session: nox.Session) -> None:
    """Check style and formatting."""
    session.install("ruff")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session(python=PYTHONS[0])
def types(session: nox.Session) -> None:
    """Check types with both checkers."""
    # Not editable: type checkers cannot see through the map of riverqueue_migrations to ./migrations.
    session.install(".[dev]")
    session.run("mypy")
    session.run("pyright", "--pythonpath", str(Path(session.bin) / "python"))


@nox.session(python=PYTHONS[0])
def faces(session: nox.Session) -> None:
    """Check that the sync faces are what the async ones generate."""
    session.install("ruff")
    session.run("python", "tools/generate_sync.py", "--check")


@nox.session(python=PYTHONS[0])
def floors(session: nox.Session) -> None:
    """Check that modules import only from floors below them."""
    session.install("-e", ".[dev]")
    session.run("lint-imports")


@nox.session(python=PYTHONS[0])
def docs(session: nox.Session) -> None:
    """Run every snippet of the README and the documentation, and the examples."""
    session.install("-e", ".[test]")
    session.run("pytest", "-q", "tests/docs", "tests/examples", *session.posargs)


@nox.session(python=PYTHONS[0])
def faults(session: nox.Session) -> None:
    """Kill workers, restart servers and cut connections, a thousand times."""
    session.install("-e", ".[test]")
    session.run(
        "pytest",
        "-q",
        "-n",
        "auto",
        "--timeout=14400",
        "tests/faults",
        *session.posargs,
        env={"RIVER_FAULT_ROUNDS": "1000"},
    )


@nox.session(python=PYTHONS[0])
def benchmarks(session: nox.Session) -> None:
    """Measure ours beside the peers, in one run."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "benchmarks", *session.posargs)
