"""The command line through a PgBouncer in transaction mode."""

import pytest

from riverqueue.cli.connection import connect
from riverqueue.cli.settings import Settings
from tests.cli.conftest import CommandLine
from tests.pgbouncer.conftest import pgbouncer, pooled_url  # noqa: F401
from tests.support.pgbouncer import PgBouncer


def test_every_command(cli: CommandLine, pooled_url: str):  # noqa: F811
    pooled = CommandLine(pooled_url)
    pooled("migrate-down")
    pooled("migrate-up")
    pooled("validate")
    assert pooled("insert", "ship", "{}").stdout.startswith("inserted job 1")
    for words in (
        ["jobs", "list", "--all"],
        ["jobs", "cancel", 1],
        ["jobs", "retry", 1],
        ["jobs", "get", 1],
        ["stats"],
    ):
        assert pooled(*words).stderr == ""
    pooled("stats", "--watch", settings=Settings(sleep=lambda _: None, rounds=8))
    assert pooled("jobs", "delete", "--kind", "ship", "--yes").output == "deleted 1 job\n"


@pytest.mark.parametrize("query", ["options=-c%20statement_timeout%3D5s", "statement_timeout=5s"])
def test_settings_asked_for_are_not_dropped(pooled_url: str, query: str):  # noqa: F811
    error = CommandLine(f"{pooled_url}&{query}")("stats", code=3).stderr
    assert "unsupported startup parameter" in error
    assert (
        "unsupported startup parameter" in CommandLine(pooled_url)("stats", "--statement-timeout", "5s", code=3).stderr
    )


def test_settings_that_may_pass(pooled_url: str, pgbouncer: PgBouncer):  # noqa: F811
    with pgbouncer.setting("ignore_startup_parameters", "options"):
        with connect(Settings(pooled_url)) as connection:
            assert connection.execute("SHOW application_name").fetchall() == [("riverqueue CLI",)]
        assert CommandLine(pooled_url)("stats", "--statement-timeout", "5s").stderr == ""
