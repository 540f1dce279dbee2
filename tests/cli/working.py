"""Runs ``riverqueue work`` as a process of its own, on a program that is written for it."""

import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import sys
import termios
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.cli.conftest import CommandLine
from tests.support.signals import hear_ctrl_c

ROOT = Path(__file__).parent.parent.parent

#: The program. Job ``hold`` goes on until the test lets it; ``stuck`` cannot be cancelled while it does.
APP = """
import asyncio, logging, os, signal, socket
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from riverqueue import AsyncClient, Client, Workers
from riverqueue_psycopg import AsyncDriver, Driver

URL, GATE = os.environ["DATABASE_URL"], ("127.0.0.1", int(os.environ["GATE"]))
log = logging.getLogger("app")
workers = Workers()

@workers.work("quick")
async def quick(job):
    fields = {"job_id": job.id, "kind": job.kind, "queue": job.queue, "attempt": job.attempt}
    log.info("worked by %d", os.getpid(), extra=fields)

@workers.work("hold")
async def hold(job):
    reader, writer = await asyncio.open_connection(*GATE)
    writer.write(b"%d\\n" % os.getpid())
    await reader.read()
    writer.close()

@workers.work("stuck")
def stuck(job):
    with socket.create_connection(GATE) as connection:
        connection.sendall(b"%d\\n" % os.getpid())
        connection.recv(1)

@workers.work("fail")
async def fail(job):
    try:
        raise ValueError("so\\nit goes")
    except ValueError:
        log.exception("failed")
        raise

@workers.work("die")
async def die(job):
    os.kill(os.getpid(), signal.SIGKILL)

@workers.work("leave")
async def leave(job):
    leave.stopping = asyncio.create_task(client.stop())

options = {"workers": workers, "queues": {"default": 5, "mail": 2}, "fetch_poll_interval": timedelta(milliseconds=200)}
client = AsyncClient(AsyncDriver(URL), **options)
without_queues = AsyncClient(AsyncDriver(URL), workers=workers)
idle = AsyncClient(AsyncDriver(URL))
number = 7

def make():
    return AsyncClient(AsyncDriver(URL), **options)

async def make_async():
    return AsyncClient(AsyncDriver(URL), **options)

@asynccontextmanager
async def managed():
    async with AsyncDriver(URL) as driver:
        yield AsyncClient(driver, **options)
    log.info("let go")

@asynccontextmanager
async def started():
    async with AsyncDriver(URL) as driver, AsyncClient(driver, **options) as client:
        yield client

def make_sync():
    return Client(Driver(URL), **options)

@contextmanager
def managed_sync():
    with Driver(URL) as driver:
        yield Client(driver, **options)
    log.info("let go")

def wants(more):
    return client

def broken():
    return {}["no such key"]

def number_maker():
    return 7
"""


def _own_the_terminal() -> None:
    """Have Ctrl-C on the terminal reach a process that is about to start."""
    hear_ctrl_c()
    fcntl.ioctl(2, termios.TIOCSCTTY, 0)


class Gate:
    """Where jobs of the program wait, so that a test knows that they run, and says when they end."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._held: list[socket.socket] = []

    @property
    def port(self) -> int:
        return int(self._server.getsockname()[1])

    def wait(self) -> int:
        """Wait until a job runs, and return its process."""
        connection, _ = self._server.accept()
        self._held.append(connection)
        return int(connection.makefile().readline())

    def open(self) -> None:
        """Let the jobs end that wait."""
        while self._held:
            self._held.pop().close()

    def close(self) -> None:
        self.open()
        self._server.close()


class Work:
    """The command at work.

    Parameters:
        process: Its process.
    """

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.lines: list[str] = []

    def line(self, pattern: str) -> dict[str, Any]:
        """Wait until a message is logged that fits, and return the record."""
        return next(record for record in self._records() if re.search(pattern, record["message"]))

    def all_lines(self, *patterns: str) -> list[dict[str, Any]]:
        """Wait until messages are logged that fit, in any order."""
        waiting, found = list(patterns), []
        while waiting:
            found.append(self.line("|".join(waiting)))
            waiting.remove(next(each for each in waiting if re.search(each, found[-1]["message"])))
        return found

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def ended(self, code: int = 0) -> str:
        """Wait until the command has ended, check its exit code, and return what else it has written."""
        rest = "".join(self._raw())
        assert self.process.wait() == code, "".join(self.lines)
        return rest

    def stop(self) -> str:
        self.signal(signal.SIGTERM)
        return self.ended()

    def _records(self) -> Iterator[dict[str, Any]]:
        for line in self._raw():
            if line.startswith("{"):
                yield json.loads(line)
        raise AssertionError("it has ended:\n" + "".join(self.lines))

    def _raw(self) -> Iterator[str]:
        assert self.process.stderr
        for line in self.process.stderr:
            self.lines.append(line)
            yield line


class Worker:
    """Runs the command in a directory with the program.

    Parameters:
        cli: The command line, in this process.
        path: The directory.
    """

    def __init__(self, cli: CommandLine, path: Path) -> None:
        self.cli = cli
        self.path = path
        self.app = path / "app.py"
        self.app.write_text(APP)
        self.gate = Gate()
        self._started: list[subprocess.Popen[str]] = []

    def environment(self, **variables: str) -> dict[str, str]:
        given = {"DATABASE_URL": self.cli.database_url, "GATE": str(self.gate.port), "PYTHONPATH": str(ROOT)}
        return {**os.environ, **given, "PYTHONDONTWRITEBYTECODE": "1", **variables}

    def __call__(self, *words: object, target: str = "app:client", stderr: int = subprocess.PIPE, **env: str) -> Work:
        """Start the command."""
        command = [sys.executable, "-m", "riverqueue", "work", target, *map(str, words)]
        process = subprocess.Popen(
            command,
            cwd=self.path,
            env=self.environment(**env),
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            text=True,
            start_new_session=True,
            preexec_fn=hear_ctrl_c if stderr == subprocess.PIPE else _own_the_terminal,
        )
        self._started.append(process)
        return Work(process)

    def at_work(self, *words: object, processes: int = 1, **options: Any) -> Work:
        """Start the command, and wait until it works jobs."""
        work = self(*words, **options)
        for _ in range(processes):
            work.line("works queues")
        return work

    def insert(self, kind: str, *words: object) -> int:
        self.cli("insert", kind, "{}", *words)
        ((job_id,),) = self.cli.sql("SELECT max(id) FROM river_job")
        return int(job_id)

    def job(self, job_id: int) -> tuple[str, int]:
        """Return a job's state and its attempts."""
        ((state, attempt),) = self.cli.sql("SELECT state::text, attempt FROM river_job WHERE id = %s", job_id)
        return state, attempt

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for what nobody tells; the test's timeout ends it."""
        while not condition():
            pass

    def close(self) -> None:
        self.gate.close()
        for process in self._started:
            process.kill()
            process.wait()
            if process.stderr:
                process.stderr.close()


@contextmanager
def worker(cli: CommandLine, path: Path) -> Iterator[Worker]:
    """Give a `Worker`, and end what it has started."""
    made = Worker(cli, path)
    try:
        yield made
    finally:
        made.close()


def is_running(pid: int) -> bool:
    """Tell whether a process goes on; one that nobody has waited for has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def status(url: str) -> int:
    """Ask by HTTP; 0 if nobody answers."""
    try:
        with urllib.request.urlopen(url) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except OSError:
        return 0
