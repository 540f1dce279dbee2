import contextlib
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine

from riverqueue import embedded
from tests.support import server as support
from tests.support.server import (
    NoServerError,
    ReusedDatabase,
    RunningServer,
    connect,
    find_server,
    sqlalchemy_url,
    url_for,
)


@pytest.fixture
def no_binaries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_INSTALLATIONS", ())
    monkeypatch.setattr(embedded, "_WHEELS", ())
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
def no_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")


@pytest.fixture
def silent_docker(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A socket that accepts connections and never answers."""
    with tempfile.TemporaryDirectory() as place, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{place}/docker.sock")
        listener.listen()
        monkeypatch.setenv("DOCKER_HOST", f"unix://{place}/docker.sock")
        yield


def row(url: str, statement: str) -> object:
    with connect(url) as connection:
        return connection.execute(statement.encode()).fetchone()


# --- The order ---


@pytest.mark.usefixtures("no_binaries", "no_docker")
def test_the_failure_names_every_reason() -> None:
    with pytest.raises(NoServerError) as caught:
        find_server({})
    lines = str(caught.value).splitlines()
    assert [line.split(":")[0].strip() for line in lines[1:]] == ["url", "embedded", "local", "docker"]
    for reason in ("DATABASE_URL is not set", "no wheel", "no PostgreSQL is installed", "docker: NoServerError: "):
        assert reason in str(caught.value)


@pytest.mark.usefixtures("no_binaries", "silent_docker")
def test_a_docker_that_never_answers_costs_few_seconds() -> None:
    begin = time.monotonic()
    with pytest.raises(NoServerError, match="docker: "):
        find_server({"RIVER_TEST_PG": "docker"})
    assert time.monotonic() - begin < 20


def test_the_given_url_comes_first_and_its_server_stays(server_url: str) -> None:
    found = find_server({"DATABASE_URL": server_url})
    assert found.url == server_url
    assert found.stop is None
    found.close()
    assert row(server_url, "select 1") == (1,)


def test_a_given_url_may_be_in_sqlalchemys_form(server_url: str) -> None:
    assert find_server({"DATABASE_URL": sqlalchemy_url(server_url, "psycopg2")}).url == server_url


def test_a_given_url_that_does_not_answer_is_an_error() -> None:
    with pytest.raises(NoServerError, match=r"url: OperationalError") as caught:
        find_server({"DATABASE_URL": "postgresql:///x?host=/nowhere"})
    assert "embedded" not in str(caught.value)


def test_a_wheel_comes_before_an_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(support, "_WAYS", {way: _stub(way) for way in support._WAYS})
    assert find_server({}).url == "url"
    monkeypatch.setitem(support._WAYS, "url", support._url)
    assert find_server({}).url == "embedded"


@pytest.mark.parametrize("forced", ["url", "embedded", "local", "docker"])
def test_a_forced_way_is_the_only_one(monkeypatch: pytest.MonkeyPatch, forced: str) -> None:
    monkeypatch.setattr(support, "_WAYS", {way: _stub(way) for way in support._WAYS})
    assert find_server({"RIVER_TEST_PG": forced, "DATABASE_URL": "given"}).url == forced


@pytest.mark.usefixtures("no_binaries")
@pytest.mark.parametrize("forced", ["url", "embedded", "local"])
def test_a_forced_way_that_fails_is_not_worked_around(forced: str) -> None:
    with pytest.raises(NoServerError, match=f"(?s)tried\n  {forced}: [^\n]*$"):
        find_server({"RIVER_TEST_PG": forced})


def test_an_unknown_way_is_refused() -> None:
    with pytest.raises(NoServerError, match="'sqlite', not one of url, embedded, local, docker"):
        find_server({"RIVER_TEST_PG": "sqlite"})


def test_a_started_server_has_the_settings_of_the_tests() -> None:
    found = find_server({"RIVER_TEST_PG": "embedded"})
    try:
        for name, value in support.SETTINGS.items():
            assert row(found.url, f"show {name}") == (value,)
    finally:
        found.close()
    with pytest.raises(psycopg.OperationalError):
        connect(found.url)


def _stub(way: str) -> object:
    return lambda _: RunningServer(way)


# --- URLs ---


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_sqlalchemy_url(empty_database_url: str, driver: str) -> None:
    engine = create_engine(sqlalchemy_url(empty_database_url, driver))
    with engine.connect() as connection:
        assert connection.scalar(text("select 1")) == 1
    engine.dispose()


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
async def test_sqlalchemy_url_async(empty_database_url: str, driver: str) -> None:
    engine = create_async_engine(sqlalchemy_url(empty_database_url, driver))
    async with engine.connect() as connection:
        assert await connection.scalar(text("select 1")) == 1
    await engine.dispose()


def test_tcp_urls_keep_password_and_options() -> None:
    given = "postgresql://u:p%40@h:5433/d?sslmode=require"
    assert sqlalchemy_url(given, "psycopg") == "postgresql+psycopg://u:p%40@h:5433/d?sslmode=require"
    assert sqlalchemy_url(given, "asyncpg") == "postgresql+asyncpg://u:p%40@h:5433/d?ssl=require"
    assert url_for(given, "other") == "postgresql://u:p%40@h:5433/other?sslmode=require"


# --- Databases ---

INSERT = "insert into river_job (kind, args, max_attempts, state) values ('k', '{}', 5, 'available') returning id"


@pytest.mark.parametrize("_", range(2))
def test_each_test_gets_empty_tables_and_the_first_id(database_url: str, _: int) -> None:
    assert row(database_url, INSERT) == (1,)


CHANGES = [
    "create table mine (id int)",
    "create schema mine",
    "create function mine() returns int language sql return 1",
    "alter table river_job add column mine int",
    "create index mine on river_job (kind)",
    "drop table river_notification cascade",
    "update river_migration set version = version + 100",
    "alter database {} set timezone to 'Europe/Paris'",
]


@pytest.mark.parametrize("change", [*CHANGES, "select 1"])
def test_what_a_test_changes_is_undone(database_url: str, change: str) -> None:
    assert row(database_url, "show timezone") == ("UTC",)
    assert row(database_url, "select to_regclass('mine'), to_regprocedure('mine()')") == (None, None)
    assert row(database_url, "select count(*) from pg_namespace where nspname = 'mine'") == (0,)
    assert row(database_url, "select count(*) from pg_attribute where attname = 'mine'") == (0,)
    assert row(database_url, "select to_regclass('river_notification') is not null") == (True,)
    assert row(database_url, "select max(version) < 100 from river_migration") == (True,)
    with connect(database_url) as connection:
        connection.execute(change.format(connection.info.dbname).encode())


def test_a_left_prepared_transaction_is_rolled_back(database_url: str, reused_database: ReusedDatabase) -> None:
    with contextlib.closing(psycopg.connect(database_url)) as connection:
        connection.tpc_begin(connection.xid(1, "left", "behind"))
        connection.execute(INSERT.encode())
        connection.tpc_prepare()
    reused_database.make_clean()
    assert row(database_url, "select count(*) from pg_prepared_xacts where database = current_database()") == (0,)


def test_a_left_session_is_ended(database_url: str, reused_database: ReusedDatabase) -> None:
    with psycopg.connect(database_url) as left:
        left.execute("lock table river_job")
        reused_database.make_clean()
        with pytest.raises(psycopg.OperationalError):
            left.execute("select 1")


def test_fresh_and_empty_databases(fresh_database_url: str, empty_database_url: str) -> None:
    assert row(fresh_database_url, INSERT) == (1,)
    assert row(empty_database_url, "select to_regclass('river_job')") == (None,)
