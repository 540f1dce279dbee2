"""Who asks how the command is gets an answer."""

import os
import signal
import socket
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.cli.working import Work, Worker, status

SUPERVISED = pytest.mark.parametrize("words", [[], ["--processes", "2"]], ids=["one", "processes"])


def base(work: Work) -> str:
    return str(work.line("health is told")["message"].split()[4]).removesuffix("/live")


@SUPERVISED
def test_from_its_start_to_its_end(worker: Worker, words: list[str]):
    worker.insert("hold")
    with psycopg.connect(worker.cli.database_url) as connection:
        connection.execute("LOCK TABLE river_queue")
        work = worker("--health", 0, *words)
        url = base(work)
        assert (status(f"{url}/live"), status(f"{url}/ready")) == (200, 503)
    worker.gate.wait()
    worker.until(lambda: status(f"{url}/ready") == 200)
    assert status(f"{url}/live") == 200
    work.signal(signal.SIGTERM)
    work.line("stopping")
    assert (status(f"{url}/live"), status(f"{url}/ready")) == (200, 503)
    worker.gate.open()
    work.ended()
    assert status(f"{url}/live") == 0


def test_it_is_not_ready_while_a_process_is_replaced(worker: Worker):
    work = worker("--health", 0, "--processes", 2)
    url = base(work)
    worker.until(lambda: status(f"{url}/ready") == 200)
    worker.insert("hold")
    pid = worker.gate.wait()
    with psycopg.connect(worker.cli.database_url) as connection:
        connection.execute("LOCK TABLE river_queue")  # the next one cannot start
        os.kill(pid, signal.SIGKILL)
        worker.until(lambda: status(f"{url}/ready") == 503)
    worker.until(lambda: status(f"{url}/ready") == 200)
    work.stop()


@pytest.mark.parametrize("target", ["app:client", "app:make_sync"])
def test_a_loop_that_is_held_up_is_not_alive(worker: Worker, target: str):
    """A process that is held up says nothing to its supervisor; a loop in a thread does not answer its process."""
    with worker.app.open("a") as app:
        app.write('\n@workers.work("block")\nasync def block(job):\n    stuck(job)\n')
    worker.insert("block")
    words = ["--processes", 1] if target == "app:client" else []
    work = worker("--health", 0, *words, target=target)
    url = base(work)
    worker.gate.wait()
    worker.until(lambda: status(f"{url}/live") == 503)
    worker.gate.open()
    worker.until(lambda: status(f"{url}/live") == 200)
    work.stop()


def test_what_else_is_asked(worker: Worker):
    work = worker("--health", "localhost:0")
    url = base(work)
    assert status(f"{url}/") == 404
    assert status(f"{url}/live?verbose=1") == 200
    assert ask(url, b"HEAD /live HTTP/1.0\r\n\r\n").endswith(b"Connection: close\r\n\r\n")
    assert ask(url, b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n").endswith(b"\r\n\r\nlive\n")
    assert ask(url, b"POST /live HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 405 ")
    assert ask(url, b"\r\n\r\n").startswith(b"HTTP/1.1 405 ")
    assert ask(url, b"GET /" + b"x" * 100_000) == b""
    assert status(f"{url}/live") == 200
    assert "client_connected_cb" not in work.stop()  # as asyncio calls what has failed


def ask(url: str, request: bytes) -> bytes:
    place = urlsplit(url)
    assert place.hostname
    assert place.port
    with socket.create_connection((place.hostname, place.port)) as connection:
        try:
            connection.sendall(request)
            return b"".join(iter(lambda: connection.recv(1024), b""))
        except ConnectionError:
            return b""


@SUPERVISED
def test_a_port_that_is_taken(worker: Worker, words: list[str]):
    rest = worker("--health", worker.gate.port, *words).ended(code=1)
    assert rest == f"Error: cannot listen on 127.0.0.1:{worker.gate.port} for --health: Address already in use\n"


def test_a_host_that_is_unknown(worker: Worker):
    rest = worker("--health", "no.such.host.invalid:0").ended(code=1)
    assert rest.startswith("Error: cannot listen on no.such.host.invalid:0 for --health: ")
    assert rest.count("\n") == 1


@SUPERVISED
def test_a_file(worker: Worker, words: list[str]):
    file = worker.path / "health"
    file.touch()  # left behind by one that was killed
    worker.insert("hold")
    with psycopg.connect(worker.cli.database_url) as connection:
        connection.execute("LOCK TABLE river_queue")
        work = worker("--health-file", file, "--health", 0, *words)
        base(work)
        worker.until(lambda: not file.exists())
    worker.gate.wait()
    worker.until(file.exists)
    os.utime(file, (0, 0))
    worker.until(lambda: file.stat().st_mtime > 0)
    work.signal(signal.SIGTERM)
    work.line("stopping")
    worker.until(lambda: not file.exists())
    worker.gate.open()
    work.ended()
    assert not file.exists()


@SUPERVISED
def test_a_file_that_cannot_be_written(worker: Worker, words: list[str]):
    file = Path("no") / "such" / "health"
    rest = worker("--health-file", file, *words).ended(code=1)
    assert rest == "Error: cannot write no/such/health for --health-file: No such file or directory\n"
