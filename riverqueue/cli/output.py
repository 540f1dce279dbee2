"""What commands print: a table on a terminal, lines with tabs elsewhere, or JSON."""

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import click

from riverqueue.cli.settings import Settings

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

T = TypeVar("T")

# What a program stored may hold what a terminal obeys.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class View(Generic[T]):
    """How things of one sort are shown.

    Parameters:
        columns: The table's columns.
        cells: One thing's text for each of them.
        document: One thing as a JSON object.
        wide: Columns whose text may be long; a terminal cuts it off.
        optional: Columns that a terminal does not show if they are empty, or 0 in every line.
        footer: The last line of a table on a terminal.
    """

    columns: Sequence[str]
    cells: Callable[[T], Sequence[str]]
    document: Callable[[T], Mapping[str, Any]]
    wide: Sequence[str] = ()
    optional: Sequence[str] = ()
    footer: Callable[[Sequence[T]], Sequence[str]] | None = None


def show(view: View[T], things: Iterable[T], settings: Settings, *, as_json: bool) -> None:
    """Print things: as JSON, one object a line; else as a table or as lines with tabs between cells."""
    if as_json:
        for thing in things:
            print_json(view.document(thing))
    elif is_terminal(settings):
        from rich.console import Console

        Console(force_terminal=True, highlight=False).print(table(view, things))
    else:
        for line in _lines(view, things):
            click.echo(line)


def _lines(view: View[T], things: Iterable[T]) -> Iterator[str]:
    waiting = iter(things)
    first = list(islice(waiting, 1))  # before the header: if this fails, nothing is printed
    yield "\t".join(view.columns)
    for thing in chain(first, waiting):
        yield "\t".join(map(_cell, view.cells(thing)))


def is_terminal(settings: Settings) -> bool:
    """Tell whether a person looks on."""
    return sys.stdout.isatty() if settings.terminal is None else settings.terminal


def table(view: View[T], things: Iterable[T]) -> "Table":
    """Draw a table for a terminal."""
    from rich.table import Table

    shown = list(things)
    rows = [view.cells(thing) for thing in shown] + ([view.footer(shown)] if view.footer else [])
    columns = {name: [row[index] for row in rows] for index, name in enumerate(view.columns)}
    kept = {name: cells for name, cells in columns.items() if name not in view.optional or {*cells} - {"", "0"}}
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name, cells in kept.items():
        numbers = bool(cells) and all(map(str.isdigit, cells))
        # A column that may not wrap is made narrower only after those that may.
        made.add_column(name, justify="right" if numbers else "left", no_wrap=bool(view.wide) and name not in view.wide)
    texts = ([_text(cell, name in view.wide) for cell in cells] for name, cells in kept.items())
    for row in zip(*texts, strict=True):
        made.add_row(*row)
    return made


def _text(cell: str, wide: bool) -> "Text":
    from rich.text import Text

    return Text(_cell(cell), no_wrap=wide, overflow="ellipsis" if wide else "fold")


def _cell(text: str) -> str:
    return printable(text).replace("\t", r"\t").replace("\n", r"\n")


def printable(text: str) -> str:
    """Spell out control characters, but for tabs and line breaks."""
    return _CONTROL.sub(lambda match: repr(match[0])[1:-1], text)


def print_json(document: Mapping[str, Any]) -> None:
    """Print an object in one line."""
    click.echo(_CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", json_text(document)))


def json_text(value: Any, indent: int | None = None) -> str:
    """Spell a value as JSON that people can read."""
    return json.dumps(value, ensure_ascii=False, indent=indent)


def time_text(time: datetime | None) -> str:
    """Spell a time in UTC to the second; nothing if there is none."""
    return "" if time is None else time.strftime("%Y-%m-%dT%H:%M:%SZ")


def json_time(time: datetime | None) -> str | None:
    """Spell a time in UTC as exactly as it is stored."""
    return None if time is None else time.isoformat().replace("+00:00", "Z")
