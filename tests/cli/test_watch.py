import json

import psycopg
import pytest

from riverqueue.cli.settings import Settings
from tests.cli.conftest import CommandLine


class Sleeper:
    """Inserts a job where others would wait, and remembers for how long."""

    def __init__(self, cli: CommandLine, end: BaseException | None = None) -> None:
        self._cli = cli
        self._end = end
        self.waited: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.waited.append(seconds)
        if self._end and len(self.waited) == 2:
            raise self._end
        self._cli("insert", "ship", "{}")


def test_lines(cli: CommandLine):
    sleep = Sleeper(cli)
    printed = cli("jobs", "list", "--watch", settings=Settings(sleep=sleep, rounds=3)).stdout
    assert [len(block.splitlines()) for block in printed.split("\n\n")] == [1, 2, 3]
    assert sleep.waited == [2.0, 2.0]


def test_json(cli: CommandLine):
    sleep = Sleeper(cli)
    result = cli("jobs", "list", "--watch", "0.5", "--json", "--limit", 1, settings=Settings(sleep=sleep, rounds=3))
    assert [json.loads(line)["id"] for line in result.stdout.splitlines()] == [1, 1]
    assert result.stderr == ""
    assert sleep.waited == [0.5, 0.5]


@pytest.mark.parametrize("command", [["jobs", "list"], ["jobs", "list", "--all"], ["stats"], ["queues", "list"]])
def test_a_terminal_is_drawn_anew(cli: CommandLine, command: list[str]):
    settings = Settings(sleep=Sleeper(cli), rounds=3, terminal=True)
    drawn = cli(*command, "--watch", "5", settings=settings, env={"DATABASE_URL": cli.database_url, "COLUMNS": "120"})
    assert drawn.stdout.startswith("\x1b[?1049h")  # the other screen, so that what was there comes back
    assert drawn.stdout.rstrip("\n").endswith(("\x1b[?1049l\x1b[?25h", "\x1b[?25h\x1b[?1049l"))
    if command[0] == "jobs":
        assert "ship" in drawn.stdout


@pytest.mark.parametrize("terminal", [True, False])
def test_ctrl_c_ends_it(cli: CommandLine, terminal: bool):
    sleep = Sleeper(cli, KeyboardInterrupt())
    result = cli("stats", "--watch", settings=Settings(sleep=sleep, terminal=terminal))
    assert result.stderr == ""
    assert len(sleep.waited) == 2


def test_a_lost_connection_ends_it(cli: CommandLine):
    def end(_: float) -> None:
        with psycopg.connect(cli.database_url) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'riverqueue CLI'"
                " AND datname = current_database()"
            )

    error = cli("stats", "--watch", settings=Settings(sleep=end), code=3).stderr
    assert error == ("Error: terminating connection due to administrator command. Try again\n")


def test_ctrl_c_elsewhere(cli: CommandLine, monkeypatch: pytest.MonkeyPatch):
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(psycopg, "connect", interrupt)
    assert cli("stats", code=130).output == "\n"
