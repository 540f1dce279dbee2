"""What the options of every command say, and how commands take them."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

import click

from riverqueue.cli.types import duration

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


@dataclass
class Settings:
    """What the options of every command say, wherever on the line they stand.

    Parameters:
        database_url: Of ``--database-url``.
        schema: Of ``--schema``; None leaves it to the ``search_path``.
        statement_timeout: Of ``--statement-timeout``.
        verbose: Whether to say what is connected to.
        debug: The same, and whether to show tracebacks.
        secrets: Passwords in use, which no message may show.
        sleep: For tests: waits between the rounds of ``--watch``.
        rounds: For tests: ends ``--watch`` after so many.
        terminal: For tests: whether standard output is a terminal; None asks it.
    """

    database_url: str | None = None
    schema: str | None = None
    statement_timeout: timedelta | None = None
    verbose: bool = False
    debug: bool = False
    secrets: set[str] = field(default_factory=set)
    sleep: Callable[[float], None] = time.sleep
    rounds: int | None = None
    terminal: bool | None = None


def _remember(context: click.Context, parameter: click.Parameter, value: object) -> None:
    settings = context.ensure_object(Settings)
    if value and parameter.name:
        setattr(settings, parameter.name, value)


def _checked_timeout(context: click.Context, parameter: click.Parameter, value: timedelta | None) -> None:
    if value is not None and value <= timedelta(milliseconds=1):
        raise click.BadParameter("must be greater than 1ms when set", context, parameter)
    _remember(context, parameter, value)


_OPTIONS = (
    click.option(
        "--database-url",
        metavar="URL",
        expose_value=False,
        callback=_remember,
        help="postgresql://user:password@host:5432/database. Comes before DATABASE_URL, which comes before libpq's "
        "PGHOST, PGDATABASE, PGSERVICE and so on.",
    ),
    click.option(
        "--schema",
        metavar="NAME",
        expose_value=False,
        callback=_remember,
        help="Schema of River's tables, if it is not found by the search_path.",
    ),
    click.option(
        "--statement-timeout",
        type=duration,
        expose_value=False,
        callback=_checked_timeout,
        help="Longest time for one statement, such as 30s or 5m. Comes before statement_timeout in the URL, which "
        "comes before the default, 10s.",
    ),
    click.option(
        "-v", "--verbose", is_flag=True, expose_value=False, callback=_remember, help="Say what is connected to."
    ),
    click.option(
        "--debug", is_flag=True, expose_value=False, callback=_remember, help="The same, and show tracebacks of errors."
    ),
)

#: What `with_settings` adds to a command.
SETTING_NAMES = ("--database-url", "--schema", "--statement-timeout", "-v", "--verbose", "--debug")


def setting_options(command: CommandT) -> CommandT:
    """Give a command the options of every command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def with_debug(command: CommandT) -> CommandT:
    """Give a command that does not connect by itself ``--debug``, and the `Settings` as its first argument."""
    taking: Any = click.make_pass_decorator(Settings, ensure=True)(command)
    help_text = "Show tracebacks of errors."
    option = click.option("--debug", is_flag=True, expose_value=False, callback=_remember, help=help_text)
    return option(taking)  # type: ignore[no-any-return]


def with_settings(command: CommandT) -> CommandT:
    """Give a command the options of every command, and the `Settings` as its first argument."""
    taking: Any = click.make_pass_decorator(Settings, ensure=True)(command)
    return setting_options(taking)  # type: ignore[no-any-return]
