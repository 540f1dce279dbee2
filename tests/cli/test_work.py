"""One process that works jobs."""

import signal

import psycopg
import pytest

from tests.cli.conftest import CommandLine
from tests.cli.working import Worker

CLIENTS = ["client", "make", "make_async", "managed", "started", "make_sync", "managed_sync"]


@pytest.mark.parametrize("name", CLIENTS)
def test_a_job_is_worked(worker: Worker, name: str):
    work = worker.at_work(target=f"app:{name}")
    job = worker.insert("quick")
    assert work.line("worked by")["job_id"] == job
    rest = work.stop()
    assert worker.job(job) == ("completed", 1)
    assert ("let go" in rest) == name.startswith("managed")
    assert "Traceback" not in "".join(work.lines)


@pytest.mark.parametrize("name", ["client", "make_sync"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_a_running_job_end(worker: Worker, name: str, number: int):
    job = worker.insert("hold")
    work = worker(target=f"app:{name}")
    worker.gate.wait()
    work.signal(number)
    work.line("stopping when running jobs have ended")
    later = worker.insert("quick")
    worker.gate.open()
    work.ended()
    assert worker.job(job) == ("completed", 1)
    assert worker.job(later) == ("available", 0)


@pytest.mark.parametrize("name", ["client", "make_sync"])
def test_a_second_signal_cancels_it_without_costing_an_attempt(worker: Worker, name: str):
    job = worker.insert("hold")
    work = worker(target=f"app:{name}")
    worker.gate.wait()
    work.signal(signal.SIGINT)
    work.line("stopping when running jobs have ended")
    work.signal(signal.SIGINT)
    work.line("cancelling")
    work.ended()
    assert worker.job(job) == ("available", 0)


def test_a_program_that_stops_by_itself(worker: Worker):
    job = worker.insert("leave")
    assert "stopping" not in worker().ended()
    assert worker.job(job) == ("completed", 1)


def test_what_does_not_end_is_ended(worker: Worker):
    job = worker.insert("stuck")
    work = worker("--stop-timeout", "0.01")
    worker.gate.wait()
    work.signal(signal.SIGTERM)
    assert "--stop-timeout" in work.ended(code=1)
    assert worker.job(job) == ("running", 1)


def test_a_signal_while_it_starts(worker: Worker):
    with psycopg.connect(worker.cli.database_url) as connection:
        connection.execute("LOCK TABLE river_queue")
        work = worker("--health", "0")
        work.line("health is told")
        work.signal(signal.SIGTERM)
        work.ended()


def test_only_these_queues(worker: Worker):
    jobs = {name: worker.insert("quick", "--queue", name) for name in ("default", "mail", "more")}
    work = worker("--queue", "mail", "--queue", "more=3")
    lines = work.all_lines("works queues", "worked by", "worked by")
    assert any("works queues mail (2), more (3);" in line["message"] for line in lines)
    work.stop()
    assert {name: worker.job(job)[0] for name, job in jobs.items()} == {
        "default": "available",
        "mail": "completed",
        "more": "completed",
    }


def test_queues_for_a_client_that_has_none(worker: Worker):
    job = worker.insert("quick")
    work = worker("--queue", "default=1", target="app:without_queues")
    assert work.line("worked by")["job_id"] == job
    work.stop()


@pytest.mark.parametrize(
    ("target", "words", "message"),
    [
        ("ap:client", [], "there is no module ap: did you mean app?"),
        ("app.jobs:client", [], "there is no module app.jobs"),
        ("nothing.like.it:client", [], "there is no module nothing\n"),
        ("app:cleint", [], "app has no cleint: did you mean client or Client?"),
        ("app:client.nothing", [], "AsyncClient has no nothing"),
        ("app:number", [], "app:number is of type int, not an AsyncClient or a Client, nor a function"),
        ("app:AsyncClient", [], "app:AsyncClient is the class AsyncClient, not an AsyncClient or a Client"),
        ("app:number_maker", [], "app:number_maker returned of type int, not an AsyncClient or a Client"),
        ("app:wants", [], "must be a function without parameters: missing a required argument: 'more'"),
        ("app:broken", [], "app:broken failed: KeyError: 'no such key' ("),
        ("app:idle", [], "app:idle cannot work: this client works no jobs"),
        ("app:without_queues", [], "app:without_queues cannot work: there is no queue to work"),
        ("app:client", ["--queue", "more"], "queue 'more' is not one of the client's (default, mail)"),
        ("app:client", ["--queue", "no/name=1"], "app:client cannot work: "),
        ("app:started", ["--queue", "mail"], "it works already, too late for --queue"),
        ("broken:client", [], "importing broken failed: ZeroDivisionError: division by zero ("),
        ("unreadable:client", [], "importing unreadable failed: SyntaxError: "),
        ("needy:client", [], "importing needy failed: ModuleNotFoundError: No module named 'no_such_package' ("),
    ],
)
def test_what_cannot_start(worker: Worker, target: str, words: list[str], message: str):
    (worker.path / "broken.py").write_text("1 / 0")
    (worker.path / "unreadable.py").write_text("client = (")
    (worker.path / "needy.py").write_text("import no_such_package")
    rest = worker(*words, target=target).ended(code=1)
    assert rest.startswith("Error: ")
    assert rest.count("\n") == 1
    assert message in rest


def test_debug_shows_where(worker: Worker):
    rest = worker("--debug", target="app:broken").ended(code=1)
    assert 'return {}["no such key"]' in rest


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["app"], "'app' is not MODULE:CLIENT"),
        (["app:"], "is not MODULE:CLIENT"),
        (["app.py:client:x"], "is not MODULE:CLIENT"),
        (["./app.py:client"], "is not MODULE:CLIENT"),
        (["app:client", "--queue", "mail="], "is not a queue such as mail"),
        (["app:client", "--queue", "mail=0"], "is not a queue such as mail"),
        (["app:client", "--queue", "=1"], "is not a queue such as mail"),
        (["app:client", "--processes", "0"], "--processes"),
        (["app:client", "--stop-timeout", "-1"], "--stop-timeout"),
        (["app:client", "--health", "localhost"], "is not a port such as 8080"),
        (["app:client", "--health", ":65536"], "is not a port such as 8080"),
        (["app:client", "--log-format", "xml"], "--log-format"),
        (["app:client", "--reload-dir", "."], "--reload-dir is for --reload"),
        (["app:client", "--reload", "--reload-dir", "nowhere"], "does not exist"),
        (["app:client", "--database-url", "postgresql://localhost/app"], "No such option"),
    ],
)
def test_wrong_usage(cli: CommandLine, words: list[str], message: str):
    assert message in cli("work", *words, code=2).stderr


def test_the_database_is_the_clients(cli: CommandLine):
    error = cli("--schema", "jobs", "work", "app:client", code=2).stderr
    assert "the client says which database it is" in error


def test_a_database_that_cannot_be_reached(worker: Worker):
    work = worker(target="app:client", DATABASE_URL="postgresql://127.0.0.1:1/app?connect_timeout=1")
    assert "Error: " in work.ended(code=3)


def test_a_database_without_tables(worker: Worker, empty_database_url: str):
    assert "Error: " in worker(target="app:client", DATABASE_URL=empty_database_url).ended(code=4)


@pytest.mark.parametrize("words", [[], ["--processes", "1"]], ids=["one", "processes"])
@pytest.mark.parametrize("name", ["client", "managed", "managed_sync"])
def test_nothing_is_left_open(worker: Worker, name: str, words: list[str]):
    work = worker.at_work("--health", 0, *words, target=f"app:{name}", PYTHONDEVMODE="1")
    work.stop()
    assert [line for line in work.lines if not line.startswith("{")] == []


def test_the_event_loop(worker: Worker):
    work = worker("--loop", "asyncio")
    assert work.line("works queues")["message"].endswith("event loop: asyncio")
    work.stop()


def test_an_event_loop_that_is_not_installed(worker: Worker):
    (worker.path / "uvloop.py").write_text("raise ImportError")
    assert worker("--loop", "uvloop").ended(code=1) == "Error: --loop uvloop needs uvloop: pip install uvloop\n"
    work = worker("--loop", "auto")
    assert work.line("works queues")["message"].endswith("event loop: asyncio")
    work.stop()
