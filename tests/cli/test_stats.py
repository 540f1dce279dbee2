import json
import re

from riverqueue.cli.settings import Settings
from tests.cli.conftest import CommandLine

HEADER = "queue\tavailable\tcancelled\tcompleted\tdiscarded\tpending\tretryable\trunning\tscheduled\ttotal\n"


def test_nothing(cli: CommandLine):
    assert cli("stats").output == HEADER
    assert cli("stats", "--json").output == ""


def test_counts(cli: CommandLine, insert):
    insert(), insert()
    insert("ship", "{}", "--queue", "mail", "--pending")
    insert("ship", "{}", "--queue", "mail", state="running")
    assert cli("stats").output == f"{HEADER}default\t2\t0\t0\t0\t0\t0\t0\t0\t2\nmail\t0\t0\t0\t0\t1\t0\t1\t0\t2\n"
    assert cli("stats", "--queue", "mail").output == f"{HEADER}mail\t0\t0\t0\t0\t1\t0\t1\t0\t2\n"
    (mail,) = cli("stats", "--queue", "mail", "--json").output.splitlines()
    assert json.loads(mail) == {
        "queue": "mail",
        **dict.fromkeys(["available", "cancelled", "completed", "discarded", "retryable", "scheduled"], 0),
        "pending": 1,
        "running": 1,
        "total": 2,
    }


def test_a_terminal_sees_totals_and_no_empty_columns(cli: CommandLine, insert):
    insert()
    insert("ship", "{}", "--queue", "mail", "--pending")
    env = {"DATABASE_URL": cli.database_url, "COLUMNS": "100"}
    drawn = cli("stats", settings=Settings(terminal=True), env=env).stdout
    lines = [re.sub(r"\x1b\[\d+m", "", line).split() for line in drawn.splitlines()]
    assert lines == [
        ["queue", "available", "pending", "total"],
        ["default", "1", "0", "1"],
        ["mail", "0", "1", "1"],
        ["total", "1", "1", "2"],
    ]
