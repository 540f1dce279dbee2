"""``riverqueue work --reload``."""

import signal

import pytest

from tests.cli.working import Work, Worker

pytest.importorskip("watchfiles")


def edit(worker: Worker, work: Work, text: str) -> None:
    """Change the program, again and again until it is seen: the watching may begin late."""
    worker.app.write_text(text)
    work.line("app.py changed; restarting")


def test_a_change_restarts_it(worker: Worker):
    before = worker.app.read_text()
    work = worker.at_work("--reload")
    edit(worker, work, before.replace("worked by %d", "worked anew by %d"))
    work.line("works queues")
    worker.insert("quick")
    work.line("worked anew by")
    work.stop()


def test_running_jobs_end_first(worker: Worker):
    work = worker.at_work("--reload", "--processes", 2, processes=2)
    job = worker.insert("hold")
    worker.gate.wait()
    edit(worker, work, worker.app.read_text() + "\n")
    work.line("works queues")  # the process without a job
    assert worker.job(job) == ("running", 1)
    worker.gate.open()
    work.line("works queues")
    assert worker.job(job) == ("completed", 1)
    work.stop()


def test_a_mistake_is_waited_out(worker: Worker):
    before = worker.app.read_text()
    work = worker.at_work("--reload")
    edit(worker, work, "client = (")
    work.line("could not start: importing app failed: SyntaxError")
    work.line("is started again when a file changes")
    edit(worker, work, before)
    work.line("works queues")
    work.stop()


def test_a_mistake_at_first_ends_it(worker: Worker):
    worker.app.write_text("client = (")
    assert worker("--reload").ended(code=1).startswith("Error: importing app failed: SyntaxError")


def test_only_this_directory(worker: Worker):
    (worker.path / "here").mkdir()
    work = worker.at_work("--reload", "--reload-dir", "here")
    (worker.path / "elsewhere.py").touch()
    (worker.path / "here" / "notes.txt").touch()
    (worker.path / "here" / "module.py").touch()
    assert work.line("restarting")["message"] == "module.py changed; restarting"
    work.signal(signal.SIGINT)
    work.ended()


def test_without_the_package(worker: Worker):
    (worker.path / "watchfiles.py").write_text("raise ImportError")
    rest = worker("--reload").ended(code=1)
    assert rest == "Error: --reload needs watchfiles: pip install 'riverqueue[reload]'\n"
