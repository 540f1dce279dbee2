"""Several processes that work jobs, and the one that looks after them."""

import os
import signal
from pathlib import Path

import psycopg
import pytest

from riverqueue.cli.working.child import LONGEST_PAUSE, pause
from tests.cli.working import Worker, is_running


def test_each_process_is_a_client(worker: Worker):
    jobs = [worker.insert("hold") for _ in range(6)]
    work = worker("--processes", 2, "--queue", "default=3")
    pids = [worker.gate.wait() for _ in jobs]
    assert sorted(map(pids.count, {*pids})) == [3, 3]
    assert work.process.pid not in pids
    ids = worker.cli.sql("SELECT DISTINCT attempted_by[1] FROM river_job")
    assert len(ids) == 2
    worker.gate.open()
    work.stop()
    assert [worker.job(job) for job in jobs] == [("completed", 1)] * 6


def test_a_process_knows_its_number(worker: Worker):
    with worker.app.open("a") as app:
        app.write("\nimport sys\nprint('number', os.environ['RIVERQUEUE_PROCESS'], file=sys.stderr)\n")
        app.write(
            "print('links', [name for name in os.environ if name.startswith('RIVERQUEUE_WORK')], file=sys.stderr)\n"
        )
    work = worker.at_work("--processes", 2, processes=2)
    text = "".join(work.lines)
    assert {"number 1", "number 2"} <= {*text.splitlines()}
    assert "links []" in text
    work.stop()


def test_the_supervisor_imports_nothing_of_the_program(worker: Worker):
    with worker.app.open("a") as app:
        app.write("\nimport sys\nprint('imported by', os.getpid(), file=sys.stderr)\n")
    work = worker.at_work("--processes", 1)
    work.stop()
    text = "".join(work.lines)
    assert text.count("imported by") == 1
    assert f"imported by {work.process.pid}" not in text


def test_a_process_that_dies_is_replaced(worker: Worker):
    running = [worker.insert("hold") for _ in range(4)]
    work = worker.at_work("--processes", 2, "--queue", "default=2", processes=2)
    pids = {worker.gate.wait() for _ in running}
    victim = pids.pop()
    os.kill(victim, signal.SIGKILL)
    work.line(rf"\(pid {victim}\) was killed by SIGKILL")
    work.line("works queues")
    later = worker.insert("quick")
    assert work.line("worked by")["job_id"] == later
    worker.gate.open()
    work.stop()
    states = [worker.job(job) for job in running]
    assert sorted(states) == [("completed", 1)] * 2 + [("running", 1)] * 2
    assert worker.job(later) == ("completed", 1)


def test_a_process_that_ends_by_itself_is_replaced(worker: Worker):
    work = worker.at_work("--processes", 1)
    worker.insert("leave")
    work.line("ended with exit code 0")
    work.line("works queues")
    work.stop()


def test_a_process_that_dies_again_and_again_is_replaced_later_and_later(worker: Worker):
    work = worker.at_work("--processes", 1)
    for _ in range(2):
        worker.insert("die")
        work.line("was killed by SIGKILL")
    assert work.line("is started again")["message"] == "process 1 is started again in 1 s"
    work.line("works queues")
    worker.insert("die")
    assert work.line("is started again")["message"] == "process 1 is started again in 2 s"
    work.signal(signal.SIGTERM)  # which it does not wait for
    work.ended(code=1)


def test_the_pauses():
    assert [pause(ends) for ends in range(7)] == [0, 0, 1, 2, 4, 8, 16]
    assert pause(100) == LONGEST_PAUSE


@pytest.mark.parametrize("ask", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_running_jobs_end(worker: Worker, ask: int):
    jobs = [worker.insert("hold") for _ in range(2)]
    work = worker("--processes", 2, "--queue", "default=1")
    for _ in jobs:
        worker.gate.wait()
    work.signal(ask)
    work.line("stopping when running jobs have ended")
    worker.gate.open()
    work.ended()
    assert [worker.job(job) for job in jobs] == [("completed", 1)] * 2


def test_a_second_signal_cancels_them(worker: Worker):
    jobs = [worker.insert("hold") for _ in range(2)]
    work = worker("--processes", 2, "--queue", "default=1")
    for _ in jobs:
        worker.gate.wait()
    work.signal(signal.SIGINT)
    work.line("stopping when running jobs have ended")
    work.signal(signal.SIGINT)
    work.ended()
    assert [worker.job(job) for job in jobs] == [("available", 0)] * 2


def test_who_signals_all_processes_cancels_nothing(worker: Worker):
    """As systemd does: each process hears it, and from the supervisor once more."""
    job = worker.insert("hold")
    work = worker("--processes", 1)
    pid = worker.gate.wait()
    os.kill(pid, signal.SIGTERM)
    work.signal(signal.SIGTERM)
    work.line("stopping when running jobs have ended")
    os.kill(pid, signal.SIGTERM)
    worker.gate.open()
    work.ended()
    assert worker.job(job) == ("completed", 1)


def test_what_does_not_end_is_killed(worker: Worker):
    job = worker.insert("stuck")
    work = worker("--processes", 2, "--stop-timeout", "0.01")
    pid = worker.gate.wait()
    work.signal(signal.SIGTERM)
    work.line(r"process \d is killed by --stop-timeout")
    work.ended(code=1)
    assert not is_running(pid)
    assert worker.job(job) == ("running", 1)


@pytest.mark.parametrize("job", ["hold", "stuck"])
def test_processes_end_without_their_supervisor(worker: Worker, job: str):
    ids = [worker.insert(job) for _ in range(2)]
    timeout = ["--stop-timeout", "0.01"] if job == "stuck" else []
    work = worker("--processes", 2, "--queue", "default=1", *timeout)
    pids = [worker.gate.wait() for _ in ids]
    work.signal(signal.SIGKILL)
    if job == "hold":
        work.line("the supervisor has gone")
        work.line("the supervisor has gone")
        worker.gate.open()
    work.ended(code=-signal.SIGKILL)  # standard error ends when the last process does
    worker.until(lambda: not any(map(is_running, pids)))
    assert [worker.job(each)[0] for each in ids] == ["completed" if job == "hold" else "running"] * 2


@pytest.mark.parametrize(
    ("target", "text", "code"),
    [
        ("app:broken", "Error: app:broken failed: KeyError: 'no such key' (", 1),
        ("broken:client", "Error: importing broken failed: ZeroDivisionError", 1),
        ("leaves:client", "Error: process 1 could not start: it ended with exit code 3\n", 1),
        ("app:without_queues", "Error: app:without_queues cannot work: there is no queue to work", 1),
    ],
)
def test_a_first_process_that_cannot_start_ends_it(worker: Worker, target: str, text: str, code: int):
    (worker.path / "broken.py").write_text("1 / 0")
    (worker.path / "leaves.py").write_text("import os; os._exit(3)")
    rest = worker("--processes", 1, target=target).ended(code=code)
    assert rest.startswith(text)
    assert rest.count("\n") == 1
    rest = worker("--processes", 3, target=target).ended(code=code)
    assert rest.count("Error: ") == 1 + rest.count("KeyError") + rest.count("ZeroDivisionError")


def test_a_later_process_that_cannot_start_is_tried_again(worker: Worker):
    work = worker.at_work("--processes", 1)
    text = worker.app.read_text()
    worker.app.write_text("1 / 0")
    worker.insert("die")
    work.line(r"could not start: importing app failed: ZeroDivisionError")
    worker.app.write_text(text)
    work.line("works queues")
    work.stop()


def test_a_signal_while_they_start(worker: Worker):
    with psycopg.connect(worker.cli.database_url) as connection:
        connection.execute("LOCK TABLE river_queue")
        work = worker("--processes", 2, "--health", 0)
        work.line("health is told")
        worker.until(lambda: len(_children(work.process.pid)) == 2)
        work.signal(signal.SIGTERM)
        work.ended()


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
