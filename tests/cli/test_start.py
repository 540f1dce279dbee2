"""The program as a process of its own: what it costs to start, and how it ends."""

import os
import pty
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import psycopg
import pytest

from riverqueue.cli.app import app
from tests.cli.conftest import CommandLine
from tests.support.signals import hear_ctrl_c

ROOT = Path(__file__).parent.parent.parent

#: Runs a command, then tells the packages that it has imported.
IMPORTS = """
import sys
before = set(sys.modules)
from riverqueue.cli import main
sys.argv = ["riverqueue", *sys.argv[1:]]
try:
    main()
finally:
    print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before}), file=sys.stderr)
"""

WITHOUT = "import sys; sys.modules[sys.argv.pop(1)] = None; from riverqueue.cli import main; main()"


def environment(**variables: str) -> dict[str, str]:
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path, **variables}


def run(*words: str, code: int = 0, **variables: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, *words], env=environment(**variables), capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def start(*words: str, stdout: int = subprocess.PIPE, **variables: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "riverqueue", *words]
    return subprocess.Popen(
        command,
        env=environment(**variables),
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=hear_ctrl_c,
    )


def imported(*words: str, **variables: str) -> set[str]:
    packages = run("-c", IMPORTS, *words, **variables).stderr.splitlines()[-1].split()
    return {*packages} - {*sys.stdlib_module_names}


def commands(group: click.Group, *path: str) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)


def test_as_a_module(database_url: str):
    assert run("-m", "riverqueue", "--version").stdout.startswith("riverqueue version ")
    assert run("-m", "riverqueue", "version").stdout.splitlines()[1].startswith("Python 3.")
    assert run("-m", "riverqueue", "validate", DATABASE_URL=database_url).stdout == ""
    assert "Usage: riverqueue jobs list" in run("-m", "riverqueue", "jobs", "list", "--nonsense", code=2).stderr


def test_without_a_command():
    text = run("-m", "riverqueue").stdout
    assert text == run("-m", "riverqueue", "--help").stdout
    assert "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no connection, 4 River's" in " ".join(text.split())


def test_help_imports_nothing_but_click():
    allowed = {"click", "riverqueue"}
    assert imported("--help") <= allowed
    assert imported("jobs", "list", "--help") <= allowed
    assert imported("migrate-up", "--help") <= allowed


@pytest.mark.parametrize("words", [["--help"], *commands(app)], ids=" ".join)
def test_every_help(cli: CommandLine, words: tuple[str, ...]):
    assert cli(*words, "-h").stdout.startswith(f"Usage: app{' '.join(['', *words]).removesuffix(' --help')} ")


@pytest.mark.parametrize(
    ("words", "packages"),
    [
        (["jobs", "list"], set()),
        (["jobs", "list", "--json"], set()),
        (["insert", "ship", "{}"], set()),
        (["stats"], set()),
        (["queues", "list"], set()),
        (["validate"], {"sqlalchemy", "alembic", "riverqueue_migrations"}),
        (["migrate-get", "--all", "--up"], {"sqlalchemy", "alembic", "riverqueue_migrations"}),
    ],
)
def test_commands_import_what_they_use(database_url: str, words: list[str], packages: set[str]):
    others = {"sqlalchemy", "alembic", "riverqueue_migrations", "rich", "psycopg_pool", "riverqueue_sqlalchemy"}
    found = imported(*words, DATABASE_URL=database_url)
    assert found & others == packages
    assert ("psycopg" in found) == (words[0] != "migrate-get")


@pytest.mark.parametrize("words", [["--help"], ["jobs", "list", "--help"]], ids=" ".join)
def test_it_starts_in_less_than_a_third_of_a_second(tmp_path: Path, words: list[str]):
    """Of a processor's time, for the machine may be busy; compiled, as an installed program is."""
    env = environment(PYTHONPYCACHEPREFIX=str(tmp_path))
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    took = []
    for _ in range(6):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "riverqueue", *words], env=env, stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        took.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(took) < 0.3


@pytest.mark.parametrize(
    ("package", "words"),
    [("click", ["--help"]), ("psycopg", ["jobs", "list"]), ("sqlalchemy", ["validate"]), ("alembic", ["validate"])],
)
def test_a_missing_extra_is_named(database_url: str, package: str, words: list[str]):
    done = run("-c", WITHOUT, package, *words, code=1, DATABASE_URL=database_url)
    assert done.stdout == ""
    assert done.stderr.startswith("Error: ")
    assert done.stderr.endswith("pip install 'riverqueue[cli]'\n")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("words", [["--help"], ["migrate-get", "--all", "--up"], ["jobs", "list", "--watch", "0.001"]])
def test_a_reader_that_goes_away(database_url: str, words: list[str]):
    """As in `riverqueue jobs list | head -1`."""
    process = start(*words, DATABASE_URL=database_url)
    assert process.stdout
    process.stdout.close()
    assert process.stderr
    with process.stderr:
        assert process.stderr.read() == ""
    assert process.wait() == 141


def test_ctrl_c_while_watching(database_url: str):
    process = start("stats", "--watch", "60", DATABASE_URL=database_url)
    assert process.stdout
    assert process.stdout.readline().startswith("queue\tavailable")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert (process.returncode, out, err) == (0, "", "")


def test_ctrl_c_while_waiting(cli: CommandLine):
    with psycopg.connect(cli.database_url) as connection:
        connection.execute("LOCK TABLE river_job")
        process = start("stats", DATABASE_URL=cli.database_url)
        waiting = "SELECT count(*) FROM pg_locks WHERE relation = 'river_job'::regclass AND NOT granted"
        while cli.sql(waiting) == [(0,)]:
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert (process.returncode, out, err.strip()) == (130, "", "")


def on_a_terminal(words: list[str], variables: Mapping[str, str]) -> str:
    """Run a command whose standard output is a terminal of 100 columns, and return what it shows."""
    ours, its = pty.openpty()
    process = start(*words, stdout=its, **{"COLUMNS": "100", "TERM": "xterm-256color", **variables})
    os.close(its)
    shown = b""
    try:
        while piece := os.read(ours, 4096):
            shown += piece
    except OSError:  # Linux says so when nobody has the other end any more
        pass
    os.close(ours)
    process.communicate()
    assert process.returncode == 0
    return shown.decode()


def test_a_terminal_gets_a_table(cli: CommandLine):
    cli("insert", "ship", '{"order_id": 1}')
    shown = on_a_terminal(["jobs", "list"], {"DATABASE_URL": cli.database_url})
    assert "\x1b[1m" in shown
    assert '{"order_id": 1}' in shown
    plain = on_a_terminal(["jobs", "list"], {"DATABASE_URL": cli.database_url, "TERM": "dumb"})
    assert "\x1b" not in plain


def test_no_color(cli: CommandLine):
    cli("insert", "ship", '{"order_id": 1}')
    for words in (["jobs", "list"], ["stats"], ["jobs", "get", "1"]):
        shown = on_a_terminal(words, {"DATABASE_URL": cli.database_url, "NO_COLOR": "1"})
        assert not [code for code in range(30, 50) if f"\x1b[{code}m" in shown]
    as_json = on_a_terminal(["jobs", "list", "--json"], {"DATABASE_URL": cli.database_url})
    assert "\x1b" not in as_json
