"""The program of docs/cli.md is worked as the page says."""

import re
import shlex

import pytest

from tests.cli.test_docs import PAGE
from tests.cli.working import Worker
from tests.docs.fences import commands, fences

(PROGRAM,) = [fence.text for fence in fences(PAGE) if fence.language == "python"]

COMMANDS = [
    command
    for fence in fences(PAGE)
    if fence.language == "sh"
    for command in commands(fence)
    if command.startswith("riverqueue work ")
]


def test_there_are_commands():
    assert len(COMMANDS) > 3


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command(worker: Worker, command: str):
    if "--reload" in command:
        pytest.importorskip("watchfiles")
    worker.app.write_text(PROGRAM.replace("postgresql://localhost/app", worker.cli.database_url))
    words = re.sub(r":8080\b", ":0", command)  # nothing else may listen there
    _, _, target, *options = shlex.split(words)
    processes = int(options[options.index("--processes") + 1]) if "--processes" in options else 1
    queue = "mail" if "--queue" in options else "default"
    work = worker.at_work(*options, target=target, processes=processes)
    worker.cli("insert", "ship_order", '{"order_id": 1}', "--queue", queue)
    worker.until(lambda: worker.job(1)[0] != "available")
    work.stop()
    assert worker.job(1) == ("completed", 1)
