"""``riverqueue migrate-…`` and ``riverqueue validate``: River's tables."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

import click

from riverqueue.cli.connection import checked_url, open_engine
from riverqueue.cli.failures import ExitCode
from riverqueue.cli.settings import Settings, with_settings
from riverqueue.cli.types import integers

if TYPE_CHECKING:
    from riverqueue_migrations import AppliedMigration
    from riverqueue_migrations.ladder import Direction

CommandT = TypeVar("CommandT", bound=Callable[..., Any])

_RULE = "-" * 80


def _check_line(context: click.Context, parameter: click.Parameter, value: str) -> None:
    if value not in ("", "main"):
        raise click.BadParameter(
            f"there is no migration line {value!r} here; did you mean 'main'? It is the only one", context, parameter
        )


_line = click.option(
    "--line",
    default="",
    metavar="NAME",
    expose_value=False,
    callback=_check_line,
    help="Migration line: main, the only one.",
)
_dry_run = click.option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")
_show_sql = click.option("--show-sql", is_flag=True, help="Print the SQL of each version.")
_max_steps = click.option(
    "--max-steps", type=click.IntRange(min=0), default=0, metavar="N", help="At most so many versions; 0 is no limit."
)


def _migrates(command: CommandT) -> CommandT:
    for option in (_show_sql, _max_steps, _line, _dry_run):
        command = option(command)
    return command


@click.command("migrate-up")
@click.option("--target-version", type=int, metavar="N", help="Last version to bring in; default, and 0: the newest.")
@_migrates
@with_settings
def migrate_up(settings: Settings, target_version: int | None, max_steps: int, dry_run: bool, show_sql: bool) -> None:
    """Create River's tables, or bring them up to date.

    All versions that are missing, in one transaction. Other migrators at the same time wait.
    """
    from riverqueue_migrations import upgrade

    target = None if target_version in (0, -1) else target_version
    with _warnings_shown():
        done = upgrade(open_engine(settings), target, settings.schema, max_steps=max_steps or None, dry_run=dry_run)
    _print_done(done, settings, max_steps, dry_run, show_sql)


@click.command("migrate-down")
@click.option(
    "--target-version",
    type=int,
    metavar="N",
    help="Version to arrive at, which stays; 0 removes River and all its jobs; default: one step.",
)
@_migrates
@with_settings
def migrate_down(settings: Settings, target_version: int | None, max_steps: int, dry_run: bool, show_sql: bool) -> None:
    """Take River's tables back, by one version or to a given one.

    What newer versions store is lost. In one transaction.
    """
    from riverqueue_migrations import downgrade

    target = 0 if target_version == -1 else target_version
    with _warnings_shown():
        done = downgrade(open_engine(settings), target, settings.schema, max_steps=max_steps or None, dry_run=dry_run)
    _print_done(done, settings, max_steps, dry_run, show_sql)


@click.command("migrate-list")
@_line
@with_settings
def migrate_list(settings: Settings) -> None:
    """List River's versions.

    * marks the one that the database is at.
    """
    from riverqueue_migrations import current, migrations

    at = current(open_engine(settings), settings.schema)
    for migration in migrations().values():
        mark = ("* " if migration.version == at else "  ") if at else ""
        click.echo(f"{mark}{migration.version:03} {migration.name}")


@click.command("migrate-get")
@click.option(
    "--version",
    "versions",
    type=integers,
    multiple=True,
    metavar="N,…",
    help="Versions to print, in this order; may be repeated.",
)
@click.option("--all", "every", is_flag=True, help="Print all versions; with --down, the newest first.")
@click.option("--up", is_flag=True, help="Print what brings them in.")
@click.option("--down", is_flag=True, help="Print what takes them out.")
@click.option(
    "--exclude-version",
    "excluded",
    type=integers,
    multiple=True,
    metavar="N,…",
    help="Versions to leave out; may be repeated.",
)
@click.option("--bookkeeping", is_flag=True, help="Write River's own rows in river_migration as well.")
@_line
@with_settings
def migrate_get(
    settings: Settings,
    versions: Sequence[tuple[int, ...]],
    every: bool,
    up: bool,
    down: bool,
    excluded: Sequence[tuple[int, ...]],
    bookkeeping: bool,
) -> None:
    """Print the SQL of River's versions.

    For another migration tool; no database is asked. For one that keeps its own books, leave out version 1, which
    is River's: --all --exclude-version 1 --up.
    """
    if every == bool(versions):
        raise click.UsageError("give one of --version and --all")
    if up == down:
        raise click.UsageError("give one of --up and --down")
    if settings.database_url:
        checked_url(settings.database_url)
    chosen = _chosen([*chain(*versions)], down)
    left_out = {*chain(*excluded)}
    direction: Direction = "down" if down else "up"
    texts = [_sql(version, direction, settings, bookkeeping) for version in chosen if version not in left_out]
    click.echo("\n".join(texts), nl=False)


def _chosen(versions: Sequence[int], down: bool) -> list[int]:
    from riverqueue_migrations import migrations
    from riverqueue_migrations.ladder import check_version

    for version in versions:
        check_version(version)
    return list(versions) or sorted(migrations(), reverse=down)


@click.command()
@click.option(
    "--target-version", type=int, metavar="N", help="Last version that must be applied; default, and 0: the newest."
)
@_line
@with_settings
def validate(settings: Settings, target_version: int | None) -> int:
    """Say which of River's versions are missing.

    Exits with 1 if any are.
    """
    from riverqueue_migrations import pending

    missing = pending(open_engine(settings), target_version or None, settings.schema)
    if missing:
        click.echo(f"Unapplied migrations: [{' '.join(map(str, missing))}]")
    return ExitCode.FAILED if missing else 0


@contextmanager
def _warnings_shown() -> Iterator[None]:
    """Show warnings as lines, after what raised them."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        click.echo(f"Warning: {warning.message}", err=True)


def _print_done(
    done: "Sequence[AppliedMigration]", settings: Settings, max_steps: int, dry_run: bool, show_sql: bool
) -> None:
    if not done:
        click.echo("no migrations to apply")
        return
    width = max(len(one.name) for one in done)
    for one in done:
        if dry_run:
            click.echo(f"migration {one.version:03} [{one.direction}] [DRY RUN]")
        else:
            took = duration(one.duration)
            click.echo(f"applied migration {one.version:03} [{one.direction}] {one.name:{width}} [{took}]")
        if show_sql:
            click.echo(f"{_RULE}\n{_sql(one.version, one.direction, settings, bookkeeping=True)}")
    if len(done) < max_steps:
        click.echo("no more migrations to apply")


def _sql(version: int, direction: "Direction", settings: Settings, bookkeeping: bool) -> str:
    from riverqueue_migrations import sql

    ends = (version - 1, version) if direction == "up" else (version, version - 1)
    return sql(direction, *ends, schema=settings.schema, bookkeeping=bookkeeping)


def duration(time: timedelta) -> str:
    """Spell a duration as Go does, with two digits after the point."""
    seconds = time.total_seconds()
    if seconds < 1:
        number, unit = (seconds * 1e3, "ms") if seconds >= 1e-3 else (seconds * 1e6, "µs")
        return f"{number:.2f}".rstrip("0").rstrip(".") + unit
    minutes, seconds = divmod(seconds, 60)
    text = f"{seconds:.2f}".rstrip("0").rstrip(".") + "s"
    return f"{minutes:.0f}m{text}" if minutes else text
