import json

import pytest

from riverqueue.cli.settings import Settings
from tests.cli.conftest import CommandLine


@pytest.fixture(autouse=True)
def queues(cli: CommandLine) -> None:
    """Two queues, as a working client leaves them."""
    cli.sql("""
        INSERT INTO river_queue (name, created_at, metadata, updated_at)
        VALUES ('mail', '2030-01-01T00:00:00Z', '{"a": 1}', '2030-01-02T00:00:00.5Z'),
               ('default', '2030-01-01T00:00:00Z', '{}', '2030-01-02T00:00:00Z')""")


def paused(cli: CommandLine) -> list[str]:
    return [name for (name,) in cli.sql("SELECT name FROM river_queue WHERE paused_at IS NOT NULL ORDER BY 1")]


def test_list(cli: CommandLine):
    assert cli("queues", "list").stdout == (
        "name\tpaused_at\tcreated_at\tupdated_at\tmetadata\n"
        "default\t\t2030-01-01T00:00:00Z\t2030-01-02T00:00:00Z\t{}\n"
        'mail\t\t2030-01-01T00:00:00Z\t2030-01-02T00:00:00Z\t{"a": 1}\n'
    )
    assert json.loads(cli("queues", "list", "--json").stdout.splitlines()[1]) == {
        "name": "mail",
        "paused_at": None,
        "created_at": "2030-01-01T00:00:00Z",
        "updated_at": "2030-01-02T00:00:00.500000Z",
        "metadata": {"a": 1},
    }
    assert len(cli("queues", "list", "--limit", 1).stdout.splitlines()) == 2


def test_pause_and_resume(cli: CommandLine):
    assert cli("queues", "pause", "mail").output == "queue mail: paused\n"
    assert paused(cli) == ["mail"]
    assert json.loads(cli("queues", "list", "--json").stdout.splitlines()[1])["paused_at"]
    assert cli("queues", "pause", "*").output == "all queues: paused\n"
    assert paused(cli) == ["default", "mail"]
    assert cli("queues", "resume", "mail", "default").output == "queue mail: resumed\nqueue default: resumed\n"
    assert paused(cli) == []
    assert cli("queues", "resume", "*").output == "all queues: resumed\n"


def test_unknown_queues(cli: CommandLine):
    for command in ("pause", "resume"):
        result = cli("queues", command, "nowhere", "mail", code=1)
        assert result.stderr == "Error: queue 'nowhere' is not found: a queue has a row once a client works it\n"
        assert result.stdout.startswith("queue mail: ")
    assert "Missing argument 'NAME...'" in cli("queues", "pause", code=2).stderr


def test_a_terminal_shows_pauses_if_there_are_any(cli: CommandLine):
    env = {"DATABASE_URL": cli.database_url, "COLUMNS": "120"}
    assert "paused_at" not in cli("queues", "list", settings=Settings(terminal=True), env=env).stdout
    cli("queues", "pause", "mail")
    assert "paused_at" in cli("queues", "list", settings=Settings(terminal=True), env=env).stdout
