"""``--watch``: show something again and again."""

import itertools
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import click

from riverqueue.cli.output import View, is_terminal, show, table
from riverqueue.cli.settings import Settings

CommandT = TypeVar("CommandT", bound=Callable[..., None])
T = TypeVar("T")

with_watch = click.option(
    "--watch",
    "every",
    type=click.FloatRange(min=0, min_open=True),
    is_flag=False,
    flag_value=2.0,
    metavar="[SECONDS]",
    help="Show it again every so many seconds, by default 2, until Ctrl-C.",
)


def show_or_watch(
    view: View[T], fetch: Callable[[], Iterable[T]], settings: Settings, *, as_json: bool, every: float | None
) -> None:
    """Show things once, or again and again.

    On a terminal the table is drawn over the one before; elsewhere it follows, behind an empty line.

    Parameters:
        view: How to show them.
        fetch: Asks for them anew.
        settings: Say how to wait, and how often.
        as_json: Whether to print JSON.
        every: How many seconds lie between; None shows them once.
    """
    if every is None:
        show(view, fetch(), settings, as_json=as_json)
        return
    try:
        if is_terminal(settings) and not as_json:
            _redraw(view, fetch, settings, every)
        else:
            _repeat(view, fetch, settings, every, as_json)
    except KeyboardInterrupt:
        return  # that is how one ends it


def _redraw(view: View[T], fetch: Callable[[], Iterable[T]], settings: Settings, every: float) -> None:
    from rich.console import Console
    from rich.live import Live

    console = Console(force_terminal=True, highlight=False)
    with Live(console=console, auto_refresh=False, screen=True, vertical_overflow="crop") as live:
        for _ in _rounds(settings, every):
            live.update(table(view, fetch()), refresh=True)


def _repeat(view: View[T], fetch: Callable[[], Iterable[T]], settings: Settings, every: float, as_json: bool) -> None:
    for number in _rounds(settings, every):
        if number and not as_json:
            click.echo()
        show(view, fetch(), settings, as_json=as_json)
        sys.stdout.flush()


def _rounds(settings: Settings, every: float) -> Iterator[int]:
    for number in itertools.count():
        yield number
        if number + 1 == settings.rounds:
            return
        settings.sleep(every)
