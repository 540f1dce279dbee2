import re
from datetime import timedelta

import psycopg
import pytest

from riverqueue.cli.migrate import duration
from tests.cli.conftest import CommandLine
from tests.migrations.conftest import Database, Go, default_database, golang, golden  # noqa: F401
from tests.support.schema import describe


def schema(cli: CommandLine, name: str = "public") -> str:
    with psycopg.connect(cli.database_url) as connection:
        return describe(connection, name)


def test_up_and_down(bare_cli: CommandLine):
    printed = bare_cli("migrate-up").stdout
    assert re.sub(r"\[[\d.]+(ms|µs|s)\]", "[…]", printed) == (
        "applied migration 001 [up] create river migration                           […]\n"
        "applied migration 002 [up] initial schema                                   […]\n"
        "applied migration 003 [up] river job tags non null                          […]\n"
        "applied migration 004 [up] pending and more                                 […]\n"
        "applied migration 005 [up] migration unique client                          […]\n"
        "applied migration 006 [up] bulk unique                                      […]\n"
        "applied migration 007 [up] notification outbox sqlite jsonb and sql cleanup […]\n"
        "applied migration 008 [up] job id autoincrement                             […]\n"
    )
    assert schema(bare_cli) == golden(8)
    assert bare_cli("migrate-up").stdout == "no migrations to apply\n"
    assert bare_cli("migrate-down").stdout.startswith("applied migration 008 [down] job id autoincrement [")
    bare_cli("migrate-down", "--target-version", 0)
    assert schema(bare_cli) == golden(0)


def test_the_same_as_go(default_database: Database, golang: Go):  # noqa: F811
    theirs = golang("migrate-up", default_database, "--target-version=7").splitlines()
    made = default_database.describe()
    golang.down(default_database, 0)
    cli = CommandLine(default_database.url)
    ours = cli("migrate-up", "--target-version", 7).stdout.splitlines()
    assert [re.sub(r" *\[[^]]*s\]$", "", line) for line in ours] == theirs
    assert default_database.describe() == made


def test_turns_with_go(default_database: Database, golang: Go):  # noqa: F811
    cli = CommandLine(default_database.url)
    golang("migrate-up", default_database, "--target-version=7")
    assert cli("validate", code=1).stdout == "Unapplied migrations: [8]\n"
    cli("migrate-up")
    golang("validate", default_database)
    golang("migrate-down", default_database, "--max-steps=2")
    assert "* 006 bulk unique\n" in cli("migrate-list").stdout
    assert default_database.versions() == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("options", "versions"),
    [
        (["--target-version", "3"], [1, 2, 3]),
        (["--target-version", "0"], [1, 2, 3, 4, 5, 6, 7, 8]),
        (["--target-version", "-1"], [1, 2, 3, 4, 5, 6, 7, 8]),
        (["--max-steps", "2"], [1, 2]),
        (["--max-steps", "0"], [1, 2, 3, 4, 5, 6, 7, 8]),
        (["--max-steps", "2", "--target-version", "5"], [1, 2]),
    ],
)
def test_how_far_up(bare_cli: CommandLine, options: list[str], versions: list[int]):
    printed = bare_cli("migrate-up", "--dry-run", *options).stdout
    assert printed == "".join(f"migration {version:03} [up] [DRY RUN]\n" for version in versions)
    assert schema(bare_cli) == golden(0)


@pytest.mark.parametrize(
    ("options", "versions"),
    [
        ([], [8]),
        (["--target-version", "6"], [8, 7]),
        (["--target-version", "0"], [8, 7, 6, 5, 4, 3, 2, 1]),
        (["--target-version", "-1"], [8, 7, 6, 5, 4, 3, 2, 1]),
        (["--max-steps", "3"], [8, 7, 6]),
    ],
)
def test_how_far_down(cli: CommandLine, options: list[str], versions: list[int]):
    printed = cli("migrate-down", "--dry-run", *options).stdout
    assert printed == "".join(f"migration {version:03} [down] [DRY RUN]\n" for version in versions)
    assert cli("validate").output == ""


def test_fewer_steps_than_asked_for(bare_cli: CommandLine):
    bare_cli("migrate-up", "--target-version", 6)
    assert bare_cli("migrate-up", "--max-steps", 3).stdout.splitlines()[-1] == "no more migrations to apply"
    assert bare_cli("migrate-up", "--max-steps", 3).stdout == "no migrations to apply\n"


def test_the_sql_is_what_runs(bare_cli: CommandLine):
    printed = bare_cli("migrate-up", "--dry-run", "--show-sql").stdout
    assert f"migration 002 [up] [DRY RUN]\n{'-' * 80}\n-- River main migration 002 [up]\nCREATE TYPE" in printed
    text = re.sub(r"^migration .*\n", "", printed, flags=re.M)
    bare_cli.sql(text)
    assert schema(bare_cli) == golden(8)
    assert bare_cli("validate").output == ""


def test_list(bare_cli: CommandLine):
    assert bare_cli("migrate-list").stdout.splitlines()[:2] == ["001 create river migration", "002 initial schema"]
    bare_cli("migrate-up", "--target-version", 2)
    assert bare_cli("migrate-list").stdout.splitlines()[:3] == [
        "  001 create river migration",
        "* 002 initial schema",
        "  003 river job tags non null",
    ]


def test_validate(bare_cli: CommandLine):
    assert bare_cli("validate", code=1).stdout == "Unapplied migrations: [1 2 3 4 5 6 7 8]\n"
    bare_cli("migrate-up", "--target-version", 6)
    assert bare_cli("validate", code=1).stdout == "Unapplied migrations: [7 8]\n"
    assert bare_cli("validate", "--target-version", 7, code=1).stdout == "Unapplied migrations: [7]\n"
    assert bare_cli("validate", "--target-version", 6).output == ""


def test_a_schema(bare_cli: CommandLine):
    error = bare_cli("migrate-up", "--schema", "jobs", code=4).stderr
    assert (
        error == 'Error: schema "jobs" does not exist; migrations never create one. Run first: CREATE SCHEMA "jobs"\n'
    )
    bare_cli.sql("CREATE SCHEMA jobs")
    bare_cli("migrate-up", "--schema", "jobs")
    assert schema(bare_cli, "jobs") == golden(8)
    assert schema(bare_cli) == golden(0)
    bare_cli("validate", "--schema", "jobs")
    bare_cli("validate", code=1)
    bare_cli("migrate-down", "--schema", "jobs", "--target-version", 0)
    assert schema(bare_cli, "jobs") == golden(0)


@pytest.mark.parametrize("command", ["migrate-up", "migrate-down", "migrate-list", "migrate-get", "validate"])
def test_the_only_line_is_main(bare_cli: CommandLine, command: str):
    options = (
        ["--all", "--up"] if command == "migrate-get" else ["--dry-run"] if command.endswith(("up", "down")) else []
    )
    for line in ("main", ""):
        assert bare_cli.run(command, *options, "--line", line).exit_code == (command == "validate")
    error = bare_cli(command, *options, "--line", "mian", code=2).stderr
    assert "there is no migration line 'mian' here; did you mean 'main'? It is the only one" in error


def test_versions_that_are_none(bare_cli: CommandLine):
    for command in ("migrate-up", "migrate-down", "validate"):
        error = bare_cli(command, "--target-version", 99, code=2).stderr
        assert error.startswith("Error: version 99 is not a valid River migration version; valid are 1–8")
    bare_cli("migrate-up", "--target-version", 3)
    error = bare_cli("migrate-down", "--target-version", 4, code=2).stderr
    assert error == "Error: version 4 is not applied, so there is no way down to it\n"


def test_newer_versions_are_named(cli: CommandLine):
    cli.sql("INSERT INTO river_migration (line, version) VALUES ('main', 9)")
    result = cli("migrate-up")
    assert result.stdout == "no migrations to apply\n"
    assert result.stderr.startswith("Warning: the database has River migrations [9], this release knows 1–8")


def test_get_asks_no_database():
    printed = CommandLine("postgresql://nobody@localhost:1/none")("migrate-get", "--version", 8, "--up").stdout
    assert printed == "-- River main migration 008 [up]\n"


def test_get(bare_cli: CommandLine):
    headers = re.compile(r"^-- River main migration (\d+) \[(\w+)\]$", re.M)
    get = lambda *options: bare_cli("migrate-get", *options).stdout  # noqa: E731
    assert headers.findall(get("--version", "3,1", "--version", "2", "--up")) == [
        ("003", "up"),
        ("001", "up"),
        ("002", "up"),
    ]
    assert headers.findall(get("--all", "--down"))[::7] == [("008", "down"), ("001", "down")]
    printed = get("--all", "--up", "--exclude-version", "1,2", "--exclude-version", "3")
    assert headers.findall(printed)[0] == ("004", "up")
    assert "VALUES ('main', 8)" not in printed
    assert 'CREATE TABLE "a ""b".river_job' in get("--version", 2, "--up", "--schema", 'a "b')


def test_what_get_prints_can_be_run(bare_cli: CommandLine):
    bare_cli.sql(bare_cli("migrate-get", "--all", "--up", "--bookkeeping").stdout)
    assert schema(bare_cli) == golden(8)
    assert bare_cli("validate").output == ""
    bare_cli.sql(bare_cli("migrate-get", "--all", "--down").stdout)
    assert schema(bare_cli) == golden(0)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ([], "give one of --version and --all"),
        (["--all", "--version", "1", "--up"], "give one of --version and --all"),
        (["--all"], "give one of --up and --down"),
        (["--all", "--up", "--down"], "give one of --up and --down"),
        (["--version", "9", "--up"], "version 9 is not a valid River migration version"),
        (["--version", "x", "--up"], "'x' is not a number, or several with commas between them"),
        (["--all", "--up", "--database-url", "sqlite://"], "River's tables live in PostgreSQL"),
    ],
)
def test_get_what_cannot_be(bare_cli: CommandLine, options: list[str], error: str):
    assert error in bare_cli("migrate-get", *options, code=2).stderr


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (timedelta(), "0µs"),
        (timedelta(microseconds=141), "141µs"),
        (timedelta(milliseconds=12, microseconds=345), "12.35ms"),
        (timedelta(milliseconds=10), "10ms"),
        (timedelta(seconds=1, milliseconds=234), "1.23s"),
        (timedelta(minutes=2, seconds=3), "2m3s"),
    ],
)
def test_durations_look_like_gos(time: timedelta, text: str):
    assert duration(time) == text
