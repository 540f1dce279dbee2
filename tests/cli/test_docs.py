"""docs/cli.md says what there is, and its examples print what it says."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from riverqueue.cli.app import app
from riverqueue.cli.failures import ExitCode
from riverqueue.cli.settings import SETTING_NAMES
from tests.cli.conftest import CommandLine
from tests.docs.fences import ROOT, fences

PAGE = ROOT / "docs" / "cli.md"
TEXT = PAGE.read_text(encoding="utf-8")

_CHANGING = {r"\d{4}-\d\d-\d\dT[\d:.]+Z": "TIME", r"\[[\d.]+(ms|µs|s)\]": "[DURATION]"}


def leaves(group: click.Group, *path: str) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from leaves(command, *path, name)
        else:
            yield " ".join(("riverqueue", *path, name)), command


COMMANDS = dict(leaves(app))


def usage(name: str, command: click.Command) -> str:
    """Return a command with its arguments, as its heading has it."""
    arguments = [
        param.make_metavar(click.Context(command)) for param in command.params if isinstance(param, click.Argument)
    ]
    return " ".join((name, *arguments))


def section(heading: str) -> str:
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", TEXT, re.M | re.S)
    assert found, heading
    return found[1]


def first_column(heading: str) -> list[str]:
    return re.findall(r"^\| (.+?) \|", section(heading), re.M)


def options(heading: str) -> set[str]:
    return {*re.findall(r"(?<![\w-])--?[a-z][\w-]*", " ".join(first_column(heading)))}


def test_every_command_has_its_section():
    headings = re.findall(r"^### `(.+)`$", TEXT, re.M)
    assert headings == [*dict.fromkeys(headings)]
    assert {*headings} == {usage(name, command) for name, command in COMMANDS.items()}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_stands_in_its_commands_section(name: str):
    command = COMMANDS[name]
    ours = {word for param in command.params if isinstance(param, click.Option) for word in param.opts}
    assert options(f"`{usage(name, command)}`") == ours - {*SETTING_NAMES}


def test_the_options_of_every_command():
    assert options("Options of every command") == {*SETTING_NAMES, "-h", "--help"}
    root = {word for param in app.params for word in param.opts}
    assert root == {*SETTING_NAMES, "--version"}
    for name, command in COMMANDS.items():
        words = {word for param in command.params for word in param.opts}
        fewer = {"riverqueue version": set(), "riverqueue work": {"--debug"}}
        assert words & {*SETTING_NAMES} == fewer.get(name, {*SETTING_NAMES})


def test_every_metavar():
    """A value's name in the page is that of the help."""
    for name, command in COMMANDS.items():
        rows = " ".join(first_column(f"`{usage(name, command)}`"))
        context = click.Context(command)
        for param in command.params:
            if isinstance(param, click.Option) and not param.is_flag and param.opts[0] not in SETTING_NAMES:
                metavar = param.make_metavar(context)
                if not metavar.startswith("[") or metavar == "[SECONDS]":
                    assert f"`{param.opts[-1]} {metavar}`" in rows


def test_the_exit_codes():
    assert first_column("Exit codes")[1:] == ["0", *(str(int(code)) for code in ExitCode)]


def test_the_states_of_the_precedence():
    order = [section("Which database").index(word) for word in ("`--database-url`", "`DATABASE_URL`", "`PGHOST`")]
    assert order == sorted(order)


def examples() -> list[tuple[str, str]]:
    """Return the examples of the page: a command, and what it prints."""
    found = []
    for fence in fences(PAGE):
        if fence.language == "console":
            found += [part.partition("\n")[::2] for part in re.split(r"^\$ ", fence.text, flags=re.M)[1:]]
    return found


@pytest.mark.timeout(180)
def test_the_examples(bare_cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DATABASE_URL", bare_cli.database_url)
    monkeypatch.setenv("PATH", str(_programs(tmp_path)), prepend=os.pathsep)
    monkeypatch.chdir(tmp_path)
    assert len(examples()) > 10
    for command, expected in examples():
        if "jq " in command and not shutil.which("jq"):
            continue
        printed, code = _in_a_shell(command) if re.search(r"[|>] ?\w", command) else _here(bare_cli, command)
        assert _settled(printed + (f"[{code}]\n" if code else "")) == _settled(expected), command


def _programs(path: Path) -> Path:
    program = path / "riverqueue"
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m riverqueue "$@"\n')
    program.chmod(0o755)
    return path


def _in_a_shell(command: str) -> tuple[str, int]:
    done = subprocess.run(command, shell=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.stdout, done.returncode


def _here(cli: CommandLine, command: str) -> tuple[str, int]:
    program, *words = shlex.split(command)
    assert program == "riverqueue"
    result = cli.run(*words)
    return result.output, result.exit_code


def _settled(text: str) -> str:
    """Put a word where what is printed changes from run to run."""
    for pattern, word in _CHANGING.items():
        text = re.sub(pattern, word, text)
    return re.sub(r"\s+$", "", text, flags=re.M)  # the page has no tabs at the end of a line
