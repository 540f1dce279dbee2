"""What the command logs, and how."""

import json
import logging
import sys

import pytest

from riverqueue.cli.working.logs import JsonFormatter, TextFormatter
from tests.cli.working import Worker


def record(message: str, **extra: object) -> logging.LogRecord:
    made = logging.makeLogRecord({"name": "app", "msg": message, "levelname": "INFO", "created": 1.5, **extra})
    if extra.pop("failed", None):
        try:
            raise ValueError("so\nit goes")
        except ValueError:
            made.exc_info = sys.exc_info()
    return made


def test_a_record_as_json():
    text = JsonFormatter().format(record("two\nlines", job_id=1, kind="ship", queue="default", attempt=2, other=3))
    assert json.loads(text) == {
        "time": "1970-01-01T00:00:01.500Z",
        "level": "info",
        "logger": "app",
        "message": "two\nlines",
        "job_id": 1,
        "kind": "ship",
        "queue": "default",
        "attempt": 2,
    }
    assert "\n" not in text


def test_an_exception_as_json():
    text = JsonFormatter(process=2).format(record("failed", failed=True, stack_info="Stack"))
    document = json.loads(text)
    assert document["exception"].endswith("ValueError: so\nit goes")
    assert (document["process"], document["stack"]) == (2, "Stack")
    assert "\n" not in text


def test_a_record_for_people():
    assert TextFormatter().format(record("done")) == "1970-01-01 00:00:01.500Z INFO    app: done"
    text = TextFormatter(process=2).format(record("failed", job_id=1, failed=True))
    assert text.splitlines()[0] == "1970-01-01 00:00:01.500Z INFO    [2] app: failed job_id=1"
    assert text.endswith("ValueError: so\nit goes")


def test_one_line_an_event(worker: Worker):
    job = worker.insert("fail", "--max-attempts", "1")
    work = worker("--processes", 1)
    failed = work.line("failed")
    assert (failed["level"], failed["logger"], failed["process"]) == ("error", "app", 1)
    assert failed["exception"].endswith("ValueError: so\nit goes")
    worker.until(lambda: worker.job(job) == ("discarded", 1))
    work.stop()
    assert all(json.loads(line)["time"] for line in work.lines)


@pytest.mark.parametrize("words", [[], ["--processes", "1"]], ids=["one", "processes"])
def test_for_people(worker: Worker, words: list[str]):
    worker.insert("quick")
    work = worker("--log-format", "text", "--log-level", "info", *words)
    assert work.process.stderr
    line = next(line for line in work.process.stderr if "worked by" in line)
    assert line.endswith(" job_id=1 kind=quick queue=default attempt=1\n")
    work.stop()


def test_levels(worker: Worker):
    worker.insert("quick")
    work = worker("--log-level", "warning", "--health-file", "health")
    worker.until((worker.path / "health").exists)
    assert json.loads(work.stop())["level"] == "warning"


OWN = "\nlogging.basicConfig(format='mine: %(message)s', level=logging.INFO)\n"


def test_a_program_that_logs_by_itself(worker: Worker):
    worker.app.write_text(worker.app.read_text() + OWN)
    worker.insert("quick")
    work = worker("--health-file", "health")
    worker.until((worker.path / "health").exists)
    assert "mine: stopping when running jobs have ended" in work.stop()
    assert all(line.startswith("mine: ") for line in work.lines)


def test_a_program_that_logs_by_itself_unless_a_format_is_given(worker: Worker):
    worker.app.write_text(worker.app.read_text() + OWN)
    worker.insert("quick")
    work = worker("--log-format", "json")
    work.line("worked by")
    work.stop()
    assert all(line.startswith("{") for line in work.lines)


def test_a_program_that_logs_by_itself_at_another_level(worker: Worker):
    worker.app.write_text(worker.app.read_text() + OWN)
    work = worker("--log-level", "warning", "--health-file", "health")
    worker.until((worker.path / "health").exists)
    assert work.stop() == "mine: stopping when running jobs have ended; another signal cancels them\n"
