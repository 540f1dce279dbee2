"""Pairs of adapters on one database: Go's, built from `go/`, and ours over each stack."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import psycopg
import pytest

from tests.interop.adapter import Adapter, go_command, python_command
from tests.interop.scene import Listener
from tests.interop.sides import LastingSides, Sides
from tests.interop.stacks import STACKS
from tests.support.go import go_missing_reason, peer
from tests.support.server import create_database, drop_databases, url_for

DID_NOT_RUN = "INTEROP WITH GO DID NOT RUN"

#: The stacks over which all that belongs to working is tested: both faces, three libraries, engine and pool.
WORKING_STACKS = ["psycopg-async", "psycopg", "async-engine-asyncpg", "sqlalchemy-psycopg2"]

#: Starts an adapter: "go" or the name of a stack.
Start = Callable[..., Adapter]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly that nothing was compared with Go; a run without Go must not look like one with it."""
    skipped = [str(report.longrepr) for report in terminalreporter.stats.get("skipped", [])]
    if any(DID_NOT_RUN in reason for reason in skipped):
        terminalreporter.section(f"{DID_NOT_RUN}: {go_missing_reason()}", sep="!", red=True, bold=True)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build the Go peer now: the first time takes longer than a test may."""
    here = Path(__file__).parent
    wanted = any(here in item.path.parents for item in session.items)
    if wanted and not session.config.option.collectonly and not go_missing_reason():
        with suppress(RuntimeError):  # the tests that need it will say it again
            peer()


@pytest.fixture(scope="session")
def go_program() -> Path:
    """Go's adapter, built when first needed; without Go, every test that needs it is skipped."""
    if reason := go_missing_reason():
        pytest.skip(f"{DID_NOT_RUN}: {reason}")
    return peer()


@pytest.fixture(scope="session")
def launch(request: pytest.FixtureRequest) -> Start:
    """Start adapters on a given database, and leave ending them to the caller."""

    def launch(name: str, url: str, *, extended: bool = True) -> Adapter:
        if name == "go":
            command = go_command(request.getfixturevalue("go_program"), extended=extended)
        else:
            command = python_command(name, extended=extended)
        return Adapter(command, url, f"interop {name}")

    return launch


@pytest.fixture
def start_on(launch: Start) -> Iterator[Start]:
    """Start adapters on a given database; each must end with status 0 after the test."""
    with ExitStack() as ends:

        def start(name: str, url: str, *, extended: bool = True) -> Adapter:
            adapter = launch(name, url, extended=extended)
            ends.callback(_end, adapter)
            return adapter

        yield start


def _end(adapter: Adapter) -> None:
    print(f"--- stderr of {adapter.application_name} ---\n{adapter.stderr}")  # shown if the test failed
    adapter.close()


@pytest.fixture
def start(database_url: str, start_on: Start) -> Start:
    """Start adapters on the test's database."""
    return lambda name, **options: start_on(name, database_url, **options)


@pytest.fixture
def go(start: Start) -> Adapter:
    """Go's adapter."""
    return start("go")


@pytest.fixture(params=STACKS)
def ours(request: pytest.FixtureRequest, start: Start, go_program: Path) -> Adapter:
    """Our adapter, over each stack: for what depends on how a driver sends and reads."""
    return start(request.param)


@pytest.fixture(params=["psycopg", "async-engine-asyncpg"])
def ours_either_way(request: pytest.FixtureRequest, start: Start, go_program: Path) -> Adapter:
    """Our adapter, sync and async: for what no driver has a say in."""
    return start(request.param)


@pytest.fixture(params=["go first", "python first"])
def pair(request: pytest.FixtureRequest, start: Start) -> tuple[Adapter, Adapter]:
    """Both adapters, in both orders; ours over one stack."""
    names = ["go", "psycopg"]
    first, second = names if request.param == "go first" else reversed(names)
    return start(first), start(second)


@pytest.fixture(scope="session")
def lasting_database_url(server_url: str, template_database: str, _database_names: Iterator[str]) -> Iterator[str]:
    """A database for adapters that outlive a test."""
    name = next(_database_names)
    create_database(server_url, name, template_database)
    yield url_for(server_url, name)
    drop_databases(server_url, name)


def _directions() -> Iterator[object]:
    for stack in WORKING_STACKS:
        yield pytest.param((stack, True), id=f"{stack} works")
    for stack in WORKING_STACKS[:2]:  # Go works alike what was inserted alike
        yield pytest.param((stack, False), id=f"go works for {stack}")


@pytest.fixture(scope="session", params=_directions())
def lasting(
    request: pytest.FixtureRequest, launch: Start, lasting_database_url: str, go_program: Path
) -> Iterator[LastingSides]:
    """Both adapters, and which of them works, for all tests that ask for `sides`: starting them takes longest."""
    with LastingSides(lambda name: launch(name, lasting_database_url), *request.param) as lasting:
        yield lasting


@pytest.fixture
def sides(lasting: LastingSides, lasting_database_url: str) -> Iterator[Sides]:
    """One inserts what the other works, both ways."""
    with psycopg.connect(lasting_database_url, autocommit=True) as db:
        yield lasting.sides(db)
        lasting.rest()
        db.execute("TRUNCATE river_job, river_queue, river_leader RESTART IDENTITY")


@pytest.fixture(params=WORKING_STACKS)
def working_stack(request: pytest.FixtureRequest, go_program: Path) -> str:
    """A stack that works."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def db(database_url: str) -> Iterator[psycopg.Connection]:
    """A connection of the test's own, in autocommit mode."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def listener(database_url: str) -> Iterator[Listener]:
    """Hears every notification on River's channels from now on."""
    with Listener(database_url) as listener:
        yield listener
