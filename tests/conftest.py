"""Databases for the tests; `tests.support.server` says where the server comes from."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.server import (
    NoServerError,
    ReusedDatabase,
    RunningServer,
    create_database,
    create_template,
    drop_databases,
    find_server,
    url_for,
)

_SERVER = pytest.StashKey[RunningServer]()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:  # xdist has no types
    """Tell an xdist worker of the one server, which the controller starts and stops."""
    server = _running(node.config)
    node.workerinput["river_server"] = (server.url, server.run)


def pytest_unconfigure(config: pytest.Config) -> None:
    if _SERVER in config.stash:
        config.stash[_SERVER].close()


def _running(config: pytest.Config) -> RunningServer:
    if _SERVER not in config.stash:
        try:
            config.stash[_SERVER] = find_server()
        except NoServerError as error:
            pytest.exit(str(error), returncode=3)
    return config.stash[_SERVER]


@pytest.fixture(scope="session")
def _server(pytestconfig: pytest.Config) -> RunningServer:
    given = getattr(pytestconfig, "workerinput", {}).get("river_server")
    return RunningServer(given[0], run=given[1]) if given else _running(pytestconfig)


@pytest.fixture(scope="session")
def server_url(_server: RunningServer) -> str:
    """The libpq URL of the maintenance database, as a superuser."""
    return _server.url


@pytest.fixture(scope="session")
def template_database(_server: RunningServer) -> str:
    """The name of a database with River's tables, made once a run; nobody may stay connected to it."""
    name = f"{_server.run}_template"
    create_template(_server.url, name)
    return name


@pytest.fixture(scope="session")
def _database_names(_server: RunningServer, request: pytest.FixtureRequest) -> Iterator[str]:
    worker = getattr(request.config, "workerinput", {}).get("workerid", "main")
    return (f"{_server.run}_{worker}_{number}" for number in itertools.count())


@pytest.fixture(scope="session")
def reused_database(server_url: str, template_database: str, _database_names: Iterator[str]) -> ReusedDatabase:
    """This process's database behind `database_url`."""
    return ReusedDatabase(server_url, template_database, next(_database_names))


@pytest.fixture
def database_url(reused_database: ReusedDatabase) -> str:
    """The libpq URL of a database with River's tables, empty, for this test alone."""
    reused_database.make_clean()
    return reused_database.url


@pytest.fixture
def fresh_database_url(server_url: str, template_database: str, _database_names: Iterator[str]) -> Iterator[str]:
    """The libpq URL of a newly made database with River's tables, dropped after the test."""
    name = next(_database_names)
    create_database(server_url, name, template_database)
    yield url_for(server_url, name)
    drop_databases(server_url, name)


@pytest.fixture
def empty_database_url(server_url: str, _database_names: Iterator[str]) -> Iterator[str]:
    """The libpq URL of a newly made database without River's tables, dropped after the test."""
    name = next(_database_names)
    create_database(server_url, name)
    yield url_for(server_url, name)
    drop_databases(server_url, name)
