"""The tree of commands, and its way out."""

import io
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import click

from riverqueue.cli.failures import ExitCode, explain
from riverqueue.cli.insert import insert
from riverqueue.cli.jobs import jobs
from riverqueue.cli.migrate import migrate_down, migrate_get, migrate_list, migrate_up, validate
from riverqueue.cli.queues import queues
from riverqueue.cli.redaction import redacted
from riverqueue.cli.settings import Settings, setting_options
from riverqueue.cli.stats import stats
from riverqueue.cli.version import print_version, version
from riverqueue.cli.work import work


class _PipeError(Exception):
    """Whoever read standard output has gone."""


class App(click.Group):
    """The command line: turns whatever goes wrong into one line without passwords, and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (the name is Click's)
        """Return the commands in the order in which one comes to need them."""
        return list(self.commands)

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        """Run, and exit."""
        settings = extra.setdefault("obj", Settings())
        extra["standalone_mode"] = False
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")
        try:
            sys.exit(super().main(*args, **extra) or 0)
        except click.Abort:
            sys.exit(ExitCode.INTERRUPTED)
        except _PipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(ExitCode.PIPE)
        except click.ClickException as error:
            shown = io.StringIO()
            error.show(shown)
            _report(error, shown.getvalue(), settings)
            sys.exit(error.exit_code)
        except Exception as error:
            failure = explain(error)
            _report(error, f"Error: {failure}\n", settings)
            sys.exit(failure.exit_code)

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Read the command line; prints the help if that is asked for."""
        with _reader():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command, and see that what it prints has gone out."""
        with _reader():
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result


@contextmanager
def _reader() -> Iterator[None]:
    """Notice that the reader has gone before Click does, whose exit code for it says that something failed."""
    try:
        yield
    except BrokenPipeError as error:
        raise _PipeError from error


def _report(error: Exception, text: str, settings: Settings) -> None:
    if settings.debug:
        text = "".join(traceback.format_exception(error)) + text
    click.echo(redacted(text, settings.secrets), err=True, nl=False)


@click.group(cls=App, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, help="Print the version.")
@setting_options
@click.pass_context
def app(context: click.Context, *, version: bool) -> None:
    """River, the job queue on PostgreSQL: migrate, work jobs, insert them, look after jobs and queues.

    The database is that of --database-url; else that of the variable DATABASE_URL; else that of libpq's variables
    PGHOST, PGDATABASE, PGUSER, PGSERVICE and so on. What a URL leaves open, libpq's variables fill in, such as
    PGPASSWORD and PGSSLMODE.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no connection, 4 River's tables are missing or too old.
    """
    if version:
        print_version()
    elif context.invoked_subcommand is None:
        click.echo(context.get_help())


_MIGRATIONS = (migrate_up, migrate_down, migrate_list, migrate_get, validate)

for command in (*_MIGRATIONS, work, insert, jobs, queues, stats, version):
    app.add_command(command)
