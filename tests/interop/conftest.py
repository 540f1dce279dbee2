"""Pairs of adapters on one database: Go's, built from `go/`, and ours over each stack."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import psycopg
import pytest

from tests.interop.adapter import Adapter, go_command, python_command
from tests.interop.scene import Listener
from tests.interop.stacks import STACKS
from tests.support.go import go_missing_reason, peer

DID_NOT_RUN = "INTEROP WITH GO DID NOT RUN"

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


@pytest.fixture
def start_on(request: pytest.FixtureRequest) -> Iterator[Start]:
    """Start adapters on a given database; each must end with status 0 after the test."""
    with ExitStack() as ends:

        def start(name: str, url: str, *, extended: bool = True) -> Adapter:
            if name == "go":
                command = go_command(request.getfixturevalue("go_program"), extended=extended)
            else:
                command = python_command(name, extended=extended)
            adapter = Adapter(command, url, f"interop {name}")
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
