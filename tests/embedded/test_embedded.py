import asyncio
import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]
import psycopg
import psycopg2
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine

from riverqueue import embedded
from riverqueue.embedded import EmbeddedError, find_binaries, start, wheel_directories

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root's server runs as another user")

# The beginning of every script that stands for a user's process.
STARTED = """
import sys
from riverqueue import embedded
server = embedded.start()
print(server.url, server.data_dir, server.socket_dir, sep="\\n", flush=True)
"""
WAIT = "sys.stdin.read()"


@pytest.fixture(scope="module")
def server() -> Iterator[embedded.Server]:
    with start() as running:
        yield running


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory that everyone may enter, unlike pytest's own: as root, the server is nobody."""
    made = Path(tempfile.mkdtemp())
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@contextlib.contextmanager
def child(script: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def read_lines(process: subprocess.Popen[str], count: int) -> list[str]:
    assert process.stdout
    return [process.stdout.readline().strip() for _ in range(count)]


def eventually(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.005)


def is_gone(*directories: str) -> bool:
    return not any(Path(each).exists() or is_in_use(each) for each in directories)


def is_in_use(directory: str) -> bool:
    """Whether a process has the directory in its command line: the server and its guard have."""
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if directory.encode() in place.read_bytes():
                return True
    return False


def execute(url: str, statement: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(statement.encode())


def query(url: str, statement: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(statement.encode()).fetchone()
    return row and row[0]


# --- Start and stop ---


def test_a_started_server_answers_and_leaves_nothing_behind() -> None:
    with start() as running:
        assert query(running.url, "show server_version") is not None
        assert query(running.url, "show timezone") == "UTC"
        assert query(running.url, "show listen_addresses") == ""
        assert str(query(running.url, "show server_version")).split()[0] == running.version
        assert is_in_use(str(running.data_dir)) or not Path("/proc").exists()
    assert is_gone(str(running.data_dir), str(running.socket_dir))


def test_stop_is_idempotent_and_ends_the_log() -> None:
    running = start()
    assert "ready to accept connections" in running.log
    running.stop()
    running.stop()
    assert running.log == ""
    with pytest.raises(EmbeddedError, match="not running"):
        running.restart()


def test_two_servers_run_side_by_side(server: embedded.Server) -> None:
    with start() as other:
        assert query(other.url, "select 1") == query(server.url, "select 1")
        assert other.socket_dir != server.socket_dir


def test_settings_replace_the_ones_made_by_start() -> None:
    with start(durable=True, settings={"max_connections": "7", "timezone": "Asia/Tokyo"}) as running:
        assert query(running.url, "show max_connections") == "7"
        assert query(running.url, "show timezone") == "Asia/Tokyo"
        assert query(running.url, "show fsync") == "on"


def test_a_failed_start_shows_the_log_and_leaves_nothing_behind() -> None:
    with pytest.raises(EmbeddedError, match='unrecognized configuration parameter "nonsense"') as caught:
        start(settings={"nonsense": "1"})
    assert is_gone(str(caught.value).split("did not start on ")[1].splitlines()[0])


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_restart_keeps_data_and_url(server: embedded.Server, mode: str) -> None:
    execute(server.url, f"create table kept_{mode} as select 1")
    before = query(server.url, "select pg_postmaster_start_time()")
    server.restart("fast" if mode == "fast" else "immediate")
    assert query(server.url, f"select count(*) from kept_{mode}") == 1
    assert query(server.url, "select pg_postmaster_start_time()") != before
    assert ("database system was not properly shut down" in server.log) == (mode == "immediate")


# --- URLs ---


def test_the_url_suits_the_drivers(server: embedded.Server) -> None:
    async def through_asyncpg() -> object:
        connection = await asyncpg.connect(server.url)
        try:
            return await connection.fetchval("select 1")
        finally:
            await connection.close()

    assert query(server.url, "select 1") == 1
    psycopg2.connect(server.url).close()
    assert asyncio.run(through_asyncpg()) == 1


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_sqlalchemy_url(server: embedded.Server, driver: str) -> None:
    engine = create_engine(server.sqlalchemy_url(driver, "template1"))
    with engine.connect() as connection:
        assert connection.scalar(text("select current_database()")) == "template1"
    engine.dispose()


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
async def test_sqlalchemy_url_async(server: embedded.Server, driver: str) -> None:
    engine = create_async_engine(server.sqlalchemy_url(driver))
    async with engine.connect() as connection:
        assert await connection.scalar(text("select current_database()")) == "postgres"
    await engine.dispose()


def test_a_database_with_an_odd_name(server: embedded.Server) -> None:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute('create database "a b/c?d"')
    assert query(server.url_for("a b/c?d"), "select current_database()") == "a b/c?d"


# --- However the process ends ---


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_is_left_after_a_signal(number: signal.Signals) -> None:
    with child(STARTED + WAIT) as process:
        url, *directories = read_lines(process, 3)
        with psycopg.connect(url):  # an open session must not delay the end
            process.send_signal(number)
            process.wait()
            eventually(lambda: is_gone(*directories))


def test_nothing_is_left_after_an_exit_without_stop() -> None:
    with child(STARTED) as process:
        _, *directories = read_lines(process, 3)
        assert process.wait() == 0
        assert is_gone(*directories)


def test_nothing_is_left_after_a_kill_in_the_middle_of_the_start() -> None:
    script = """
import sys
from riverqueue import embedded
def wait_ready(server, before):
    print(server.data_dir, server.socket_dir, sep="\\n", flush=True)
    sys.stdin.read()
embedded.Server._wait_ready = wait_ready
embedded.start()
"""
    with child(script) as process:
        directories = read_lines(process, 2)
        process.kill()
        process.wait()
        eventually(lambda: is_gone(*directories))


def test_a_forked_child_neither_stops_the_server_nor_keeps_it() -> None:
    script = """
import os, time
reading, writing = os.pipe()
if (pid := os.fork()) == 0:
    os.close(writing)
    server.stop()
    os.read(reading, 1)  # until the parent is gone, holding the pipe to the guard
    os._exit(0)
print(os.path.exists(server.data_dir / "postmaster.pid"), flush=True)
server.stop()
print(server.data_dir.exists(), flush=True)
"""
    with child(STARTED + script) as process:
        *_, alive, left = read_lines(process, 5)
        assert (alive, left) == ("True", "False")


def test_the_command_prints_the_url_and_stays_until_a_signal() -> None:
    command = [sys.executable, "-m", "riverqueue.embedded"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        (url,) = read_lines(process, 1)
        socket_dir = query(url, "show unix_socket_directories")
        process.terminate()
        assert process.wait() == 0
    assert is_gone(str(socket_dir))


# --- A directory that is kept ---


def test_data_in_a_kept_directory_survive(directory: Path) -> None:
    with start(directory / "data") as running:
        execute(running.url, "create table kept as select 42 as answer")
    with start(directory / "data") as running:
        assert query(running.url, "select answer from kept") == 42
        assert running.data_dir == directory / "data"
    assert (directory / "data" / "PG_VERSION").exists()


def test_data_in_a_kept_directory_survive_a_kill(directory: Path) -> None:
    script = STARTED.replace("start()", f"start({str(directory / 'data')!r})") + WAIT
    with child(script) as process:
        url, _, socket_dir = read_lines(process, 3)
        execute(url, "create table kept as select 42 as answer")
        process.kill()
        process.wait()
        eventually(lambda: is_gone(socket_dir))
    with start(directory / "data") as running:
        assert query(running.url, "select answer from kept") == 42


def test_a_second_process_is_refused(directory: Path) -> None:
    script = STARTED.replace("start()", f"start({str(directory)!r})")
    with start(directory) as first:
        answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
        assert f"EmbeddedError: the data directory {directory} is in use by another server" in answer.stderr
        assert query(first.url, "select 1") == 1


@pytest.mark.parametrize("name", ["with a space and 'quotes' $HOME", "/".join(["a long path"] * 12)])
def test_odd_paths(directory: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    odd = directory / name
    odd.mkdir(parents=True)
    monkeypatch.setenv("TMPDIR", str(odd))
    monkeypatch.setattr(tempfile, "tempdir", None)  # its cache of TMPDIR
    with start(odd / "data") as running:
        assert query(running.url, "show data_directory") == str(odd / "data")


@as_root
def test_a_directory_out_of_reach_is_refused(directory: Path) -> None:
    directory.chmod(0o700)
    with pytest.raises(EmbeddedError, match="out of reach for uid"):
        start(directory / "data")


@as_root
def test_the_owner_of_a_kept_directory_runs_its_server(directory: Path) -> None:
    data = directory / "data"
    data.mkdir(0o700)
    owner = pwd.getpwnam("daemon")  # initdb wants a user with a name
    os.chown(data, owner.pw_uid, owner.pw_gid)
    with start(data) as running:
        assert query(running.url, "select 1") == 1
        assert (data / "postmaster.pid").stat().st_uid == owner.pw_uid


def test_a_directory_with_other_files_is_refused_and_left_alone(directory: Path) -> None:
    (directory / "mine").write_text("precious")
    before = directory.stat()
    with pytest.raises(EmbeddedError):
        start(directory)
    assert [each.name for each in directory.iterdir()] == ["mine"]
    assert (directory.stat().st_uid, directory.stat().st_mode) == (before.st_uid, before.st_mode)


# --- TCP ---


def test_tcp_asks_for_the_password(directory: Path) -> None:
    with start(directory, tcp=True) as running:
        assert query(running.url, "select 1") == 1
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(f"postgresql://postgres@127.0.0.1:{running.port}/postgres?passfile=nowhere")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(f"postgresql://postgres:wrong@127.0.0.1:{running.port}/postgres")
        first = running.url
    with start(directory, tcp=True) as running:
        assert query(running.url, "select 1") == 1
        assert running.url.split(":")[2].split("@")[0] == first.split(":")[2].split("@")[0]


async def test_tcp_urls_suit_sqlalchemy(directory: Path) -> None:
    with start(directory, tcp=True) as running:
        engine = create_async_engine(running.sqlalchemy_url("asyncpg"))
        async with engine.connect() as connection:
            assert await connection.scalar(text("select 1")) == 1
        await engine.dispose()


def test_tcp_on_a_directory_without_a_password_is_refused(directory: Path) -> None:
    start(directory).stop()
    (directory / "river_password").unlink()
    with pytest.raises(EmbeddedError, match="no password"):
        start(directory, tcp=True)


# --- Binaries ---


def test_binaries_are_found_in_a_prefix_and_in_its_bin() -> None:
    found = find_binaries()
    assert find_binaries(found) == find_binaries(str(found)) == found


def test_missing_binaries_name_the_directory(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match=f"{tmp_path}/bin.*pip install"):
        find_binaries(tmp_path)


def test_missing_binaries_name_everything_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(embedded, "_INSTALLATIONS", ("nowhere/*",))
    monkeypatch.setattr(embedded, "_WHEELS", ("no_such_wheel",))
    with pytest.raises(EmbeddedError) as caught:
        find_binaries()
    for tried in ("no_such_wheel", "pg_config", "PATH", "nowhere/*", "pip install 'riverqueue[embedded]'"):
        assert tried in str(caught.value)


@as_root
def test_binaries_out_of_reach_are_copied(directory: Path) -> None:
    package = next(wheel_directories()).parents[1]
    shutil.copytree(package, directory / package.name, ignore=shutil.ignore_patterns("include"))
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, directory / libraries.name)
    directory.chmod(0o700)
    with start(binaries=directory / package.name / "pginstall") as running:
        assert query(running.url, "select 1") == 1
    assert is_gone(str(running.socket_dir))
    assert directory.stat().st_mode & 0o777 == 0o700
