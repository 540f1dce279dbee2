"""Which database is meant, and how it is spoken to."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import make_url

from riverqueue.cli.connection import connect
from riverqueue.cli.settings import Settings
from tests.cli.conftest import CommandLine
from tests.support.server import url_for

NOWHERE = "postgresql://nobody@localhost:1/nowhere"


def variables(url: str) -> dict[str, str]:
    """Return libpq's variables that mean the same as a URL."""
    names = {"host": "PGHOST", "port": "PGPORT", "dbname": "PGDATABASE", "user": "PGUSER", "password": "PGPASSWORD"}
    return {names[name]: str(value) for name, value in conninfo_to_dict(url).items() if name in names}


def with_query(url: str, query: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}{query}".rstrip("&?")


def shown(setting: str, settings: Settings) -> str:
    with connect(settings) as connection:
        ((value,),) = connection.execute(f"SHOW {setting}".encode()).fetchall()
    return str(value)


def test_the_flag_comes_first(cli: CommandLine):
    env = {"DATABASE_URL": NOWHERE, "PGDATABASE": "nowhere", "PGHOST": "nowhere.invalid"}
    cli("validate", "--database-url", cli.database_url, env=env)
    cli("--database-url", cli.database_url, "validate", env=env)


def test_then_the_variable(cli: CommandLine):
    env = {"DATABASE_URL": cli.database_url, "PGDATABASE": "nowhere", "PGHOST": "nowhere.invalid"}
    assert cli("validate", env=env).output == ""
    assert (
        "cannot connect to the database of DATABASE_URL"
        in cli("validate", env={"DATABASE_URL": NOWHERE}, code=3).stderr
    )


def test_then_libpqs_variables(cli: CommandLine):
    assert cli("validate", env=variables(cli.database_url)).output == ""
    assert cli("validate", env={**variables(cli.database_url), "DATABASE_URL": ""}).output == ""
    error = cli("validate", env={"PGHOST": "localhost", "PGPORT": "1"}, code=3).stderr
    assert "cannot connect to the database of libpq's variables" in error


def test_a_service(cli: CommandLine, tmp_path: Path):
    file = tmp_path / "services"
    lines = [f"{name[2:].lower()}={value}" for name, value in variables(cli.database_url).items()]
    text = "\n".join(["[river]", *lines, "options=-c search_path=nowhere"]).replace("database=", "dbname=")
    file.write_text(text)
    env = {"PGSERVICE": "river", "PGSERVICEFILE": str(file)}
    assert cli("validate", "--schema", "public", env=env).output == ""
    assert "current schema: None" in cli("jobs", "list", env=env, code=4).stderr


def test_nothing_names_a_database(cli: CommandLine):
    error = cli("jobs", "list", env={}, code=2).stderr
    assert error.startswith("Error: no database is named: give --database-url postgresql://user@host/database, or set")


def test_what_a_url_leaves_open_is_libpqs(cli: CommandLine):
    env = {"DATABASE_URL": "postgresql://", **variables(cli.database_url)}
    assert cli("validate", env=env).output == ""


@pytest.mark.parametrize(
    "scheme", ["postgres", "postgresql", "postgresql+psycopg", "postgresql+asyncpg", "postgres+psycopg2"]
)
def test_every_spelling_of_the_scheme(cli: CommandLine, scheme: str):
    url = cli.database_url.replace("postgresql", scheme, 1)
    assert cli("validate", "--database-url", url).output == ""
    assert cli("validate", env={"DATABASE_URL": f" {url}\n"}).output == ""


def test_the_help_states_the_precedence(cli: CommandLine):
    for words in ([], ["jobs", "list"], ["migrate-up"], ["insert"]):
        text = " ".join(cli(*words, "--help").stdout.split())
        assert "Comes before DATABASE_URL, which comes before libpq's PGHOST, PGDATABASE, PGSERVICE and so on." in text


def test_the_session(database_url: str):
    settings = Settings(database_url)
    assert shown("application_name", settings) == "riverqueue CLI"
    assert shown("statement_timeout", settings) == "10s"
    assert shown("idle_in_transaction_session_timeout", settings) == "11s"


@pytest.mark.parametrize(
    ("query", "options", "timeout"),
    [
        ("", [], "10s"),
        ("statement_timeout=5s", [], "5s"),
        ("options=-c%20statement_timeout%3D6s", [], "6s"),
        ("statement_timeout=5s", ["--statement-timeout", "1m30s"], "90s"),
        ("options=-c%20statement_timeout%3D6s", ["--statement-timeout", "1500ms"], "1500ms"),
    ],
)
def test_the_statement_timeout(cli: CommandLine, query: str, options: list[str], timeout: str):
    cli.sql("ALTER TABLE river_job ADD COLUMN timeout text DEFAULT current_setting('statement_timeout')")
    url = with_query(cli.database_url, query)
    for words in ([*options, "insert", "ship", "{}"], ["insert", "ship", "{}", *options]):
        cli(*words, env={"DATABASE_URL": url})
    as_seconds = "SELECT extract(epoch FROM timeout::interval) = extract(epoch FROM %s::interval) FROM river_job"
    assert cli.sql(as_seconds.replace("timeout::", "replace(timeout, 'min', 'm')::"), timeout) == [(True,), (True,)]


def test_pgoptions_stay(database_url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PGOPTIONS", "-c work_mem=1MB -c statement_timeout=7s")
    monkeypatch.setenv("PGAPPNAME", "mine")
    assert shown("work_mem", Settings(database_url)) == "1MB"
    assert shown("statement_timeout", Settings(database_url)) == "7s"
    assert shown("idle_in_transaction_session_timeout", Settings(database_url)) == "11s"
    assert shown("application_name", Settings(database_url)) == "mine"


def test_settings_in_the_url_that_libpq_does_not_know(database_url: str):
    path = quote('"a b",public', safe="")
    url = with_query(database_url, f"search_path={path}&application_name=mine&pool_max_conns=9")
    assert shown("search_path", Settings(url)) == '"a b",public'
    assert shown("application_name", Settings(url)) == "mine"


def test_asyncpgs_word_for_sslmode(database_url: str):
    url = with_query(database_url, "ssl=disable").replace("postgresql", "postgresql+asyncpg", 1)
    with connect(Settings(url)) as connection:
        assert connection.info.get_parameters()["sslmode"] == "disable"


@pytest.mark.parametrize("text", ["1ms", "0s", "5", "5x", "-5s", ""])
def test_timeouts_that_are_none(cli: CommandLine, text: str):
    assert "Invalid value for '--statement-timeout'" in cli("stats", "--statement-timeout", text, code=2).stderr


def test_verbose_says_where(cli: CommandLine):
    database = psycopg.conninfo.conninfo_to_dict(cli.database_url)["dbname"]
    for flag in ("-v", "--verbose", "--debug"):
        assert cli("stats", flag).stderr.startswith(f"connected to {database} on ")
        assert cli(flag, "stats").stderr.endswith("by DATABASE_URL\n")
    assert cli("stats").stderr == ""


def test_no_server(cli: CommandLine):
    result = cli("jobs", "list", env={"DATABASE_URL": NOWHERE}, code=3)
    assert result.stdout == ""
    assert result.stderr.startswith("Error: cannot connect to the database of DATABASE_URL: connection failed: ")
    assert result.stderr.count("\n") == 1


def test_no_such_database(cli: CommandLine):
    error = cli("jobs", "list", env={"DATABASE_URL": url_for(cli.database_url, "nowhere")}, code=3).stderr
    assert 'database "nowhere" does not exist' in error


@pytest.mark.parametrize(
    "url", ["nonsense", "postgresql:nonsense", "postgresql://a@b@c/d", "postgresql://h:x/d", "postgresql://h/d?x"]
)
def test_no_url(cli: CommandLine, url: str):
    error = cli("jobs", "list", "--database-url", url, code=2).stderr
    assert error.startswith(
        "Error: the database URL cannot be read. It looks like postgresql://user:password@host:5432/"
    )


@pytest.mark.parametrize("url", ["mysql://localhost/app", "sqlite:///app.db", "http://localhost"])
def test_another_database(cli: CommandLine, url: str):
    error = cli("jobs", "list", "--database-url", url, code=2).stderr
    assert error == (
        "Error: the database URL must begin with postgresql:// or postgres://: River's tables live in PostgreSQL\n"
    )


def test_no_tables(bare_cli: CommandLine):
    for words in (
        ["jobs", "list"],
        ["insert", "ship", "{}"],
        ["stats"],
        ["queues", "pause", "default"],
        ["jobs", "get", "1"],
    ):
        result = bare_cli(*words, code=4)
        assert result.stdout == ""
        assert result.stderr == (
            "Error: River's tables are not in the search_path (current schema: 'public') of this database. "
            "Run riverqueue migrate-up, or name their schema by --schema\n"
        )


def test_tables_that_are_too_old(bare_cli: CommandLine):
    bare_cli("migrate-up", "--target-version", 5)
    error = bare_cli("jobs", "list", code=4).stderr
    assert (
        "at version 5 in the search_path (current schema: 'public'); this client needs 6 or later. Run riverqueue"
        in error
    )


def test_a_schema_without_tables(cli: CommandLine):
    assert "River's tables are not in schema 'nowhere'" in cli("stats", "--schema", "nowhere", code=4).stderr
    assert "schema is invalid: 'a b'" in cli("stats", "--schema", "a b", code=2).stderr


@pytest.fixture
def reader(cli: CommandLine) -> Iterator[str]:
    """The URL of a role that may read jobs, and no more."""
    role = f"reader_{cli.sql('SELECT pg_backend_pid()')[0][0]}"
    cli.sql(f"CREATE ROLE {role} LOGIN PASSWORD 'guessed'")
    cli.sql(f"GRANT USAGE ON SCHEMA public TO {role}")
    cli.sql(f"GRANT SELECT ON river_job, river_migration TO {role}")
    yield make_url(cli.database_url).set(username=role, password="guessed").render_as_string(hide_password=False)
    cli.sql(f"DROP OWNED BY {role}")
    cli.sql(f"DROP ROLE {role}")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["insert", "ship", "{}"], "permission denied for table river_job"),
        (["jobs", "cancel", "1"], "permission denied for table river_job"),
        (["queues", "list"], "permission denied for table river_queue"),
        (["migrate-down"], "permission denied for table river_migration"),
    ],
)
def test_no_permission(cli: CommandLine, reader: str, words: list[str], error: str):
    cli("jobs", "list", env={"DATABASE_URL": reader})
    result = cli(*words, env={"DATABASE_URL": reader}, code=1)
    assert result.output == f"Error: {error}. Connect as a role that has the right, or GRANT it\n"


def test_a_database_that_only_reads(cli: CommandLine):
    url = with_query(cli.database_url, "default_transaction_read_only=on")
    for words in (["insert", "ship", "{}"], ["migrate-down"]):
        error = cli(*words, env={"DATABASE_URL": url}, code=1).stderr
        assert "in a read-only transaction. The server is a standby, or read-only: connect to the primary\n" in error
    assert cli("jobs", "list", env={"DATABASE_URL": url}).stderr == ""
    assert cli("validate", env={"DATABASE_URL": url}).stderr == ""


def test_no_time(cli: CommandLine):
    cli("insert", "ship", "{}")
    with psycopg.connect(cli.database_url) as connection:
        connection.execute("LOCK TABLE river_job")
        error = cli("jobs", "get", 1, "--statement-timeout", "20ms", code=1).stderr
    assert error == (
        "Error: canceling statement due to statement timeout. Give it more time by --statement-timeout, such as 1m\n"
    )


def test_another_error_of_the_database(cli: CommandLine):
    cli.sql("ALTER TABLE river_job ADD CONSTRAINT no_ships CHECK (kind <> 'ship')")
    error = cli("insert", "ship", "{}", code=1).stderr
    assert error.endswith('violates check constraint "no_ships" (SQLSTATE 23514)\n')
    assert error.count("\n") == 1


def test_a_traceback_for_those_who_debug(cli: CommandLine):
    assert "Traceback" not in cli("jobs", "get", 1, code=1).output
    error = cli("jobs", "get", 1, "--debug", code=1).stderr
    assert "Traceback (most recent call last)" in error
    assert error.splitlines()[-1].startswith("Error: job 1 is not found")


def test_a_bug_is_one_line(cli: CommandLine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(json, "dumps", lambda *_, **__: 1 / 0)
    cli("insert", "ship", "{}")
    error = cli("jobs", "list", code=1).stderr
    assert error == "Error: ZeroDivisionError: division by zero. This is a bug: --debug shows where\n"
