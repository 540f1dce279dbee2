"""The line on a terminal that says how fast jobs are worked."""

import json
import os
import pty
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from riverqueue.cli.working.state import Rate, State
from tests.cli.working import Work, Worker


class Terminal:
    """A terminal on which the command runs."""

    def __init__(self) -> None:
        self.ours, self.its = pty.openpty()
        self.shown = ""

    def until(self, pattern: str) -> None:
        """Wait until something is shown."""
        while not re.search(pattern, self.shown):
            self.shown += os.read(self.ours, 4096).decode()

    def rest(self) -> None:
        try:
            while piece := os.read(self.ours, 4096):
                self.shown += piece.decode()
        except OSError:  # Linux says so when nobody has the other end any more
            pass


@contextmanager
def on_a_terminal(worker: Worker, *words: object) -> Iterator[tuple[Work, Terminal]]:
    terminal = Terminal()
    work = worker(*words, stderr=terminal.its, TERM="xterm-256color", COLUMNS="200")
    os.close(terminal.its)
    try:
        yield work, terminal
        work.signal(signal.SIGTERM)
        terminal.rest()
        assert work.process.wait() == 0
    finally:
        os.close(terminal.ours)


def test_one_process(worker: Worker):
    for kind in ("quick", "quick", "fail", "hold"):
        worker.insert(kind, "--max-attempts", "1")
    with on_a_terminal(worker) as (_, terminal):
        worker.gate.wait()
        terminal.until(r"\d\.\d jobs/s  running 1  completed 2  failed 1")
        terminal.until(r"INFO +app: worked by \d+ job_id=1 kind=quick")  # for people
        worker.gate.open()
        terminal.until(r"running 0  completed 3  failed 1")


def test_each_process(worker: Worker):
    jobs = [worker.insert("hold") for _ in range(2)]
    with on_a_terminal(worker, "--processes", 2, "--queue", "default=1") as (_, terminal):
        for _ in jobs:
            worker.gate.wait()
        terminal.until(r"jobs/s  running 2  completed 0")
        terminal.until(r" 1  0.0 jobs/s  running 1 ")
        terminal.until(r" 2  0.0 jobs/s  running 1 ")
        terminal.until(r"\[2\] riverqueue.cli: \S+ works queues")
        worker.gate.open()
        terminal.until(r"jobs/s  running 0  completed 2")


@pytest.mark.parametrize("words", [[], ["--processes", "2", "--queue", "default=1"]], ids=["one", "processes"])
def test_ctrl_c_comes_to_one_process_only(worker: Worker, words: list[str]):
    jobs = [worker.insert("hold") for _ in range(2)]
    with on_a_terminal(worker, *words) as (work, terminal):
        for _ in jobs:
            worker.gate.wait()
        os.write(terminal.ours, b"\x03")
        terminal.until("stopping when running jobs have ended")
        worker.gate.open()
        terminal.rest()
        assert work.process.wait() == 0
    assert "cancelling" not in terminal.shown
    assert [worker.job(job) for job in jobs] == [("completed", 1)] * 2


def test_what_is_counted_outlives_a_process(worker: Worker):
    worker.insert("quick")
    with on_a_terminal(worker, "--processes", 1) as (_, terminal):
        terminal.until("completed 1 ")
        worker.insert("die")
        terminal.until("was killed by SIGKILL")
        terminal.shown = ""
        worker.insert("quick")
        terminal.until("completed 2 ")


@pytest.mark.parametrize("words", [["--no-live"], ["--log-format", "json"], ["--processes", "1", "--no-live"]])
def test_no_line(worker: Worker, words: list[str]):
    worker.insert("quick")
    with on_a_terminal(worker, *words, "--health-file", "health") as (_, terminal):
        terminal.until("worked by")
        worker.until((worker.path / "health").exists)
    assert "jobs/s" not in terminal.shown
    assert "\x1b" not in terminal.shown


def test_the_rate():
    rate = Rate(seconds=5)
    assert rate(0, 100.0) == 0
    assert rate(30, 103.0) == 10
    assert rate(50, 105.0) == 10
    assert rate(50, 108.0) == 4
    assert rate(50, 113.1) == 0


def test_states():
    state = State(ready=True, running=1, completed=2, failed=3, ended=6)
    assert State(**json.loads(state.line())["state"]) == state
    assert state.line().count(b"\n") == 1
    assert state + state.past() == State(ready=False, running=1, completed=4, failed=6, ended=12)
