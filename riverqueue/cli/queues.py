"""``riverqueue queues …``: look after queues."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from riverqueue.cli.connection import open_client
from riverqueue.cli.each import each
from riverqueue.cli.output import View, json_text, json_time, time_text
from riverqueue.cli.settings import Settings, with_settings
from riverqueue.cli.watch import show_or_watch, with_watch

if TYPE_CHECKING:
    from riverqueue.queues import Queue


def _document(queue: "Queue") -> dict[str, Any]:
    return {
        "name": queue.name,
        "paused_at": json_time(queue.paused_at),
        "created_at": json_time(queue.created_at),
        "updated_at": json_time(queue.updated_at),
        "metadata": queue.metadata,
    }


def _cells(queue: "Queue") -> tuple[str, ...]:
    times = (queue.paused_at, queue.created_at, queue.updated_at)
    return (queue.name, *map(time_text, times), json_text(queue.metadata))


QUEUES: "View[Queue]" = View(
    ("name", "paused_at", "created_at", "updated_at", "metadata"),
    _cells,
    _document,
    wide=("metadata",),
    optional=("paused_at",),
)

_names = click.argument("names", metavar="NAME...", nargs=-1, required=True)


@click.group()
def queues() -> None:
    """List, pause and resume queues."""


@queues.command("list")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=100, metavar="N", help="At most so many; default: 100."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
@with_watch
@with_settings
def list_queues(settings: Settings, limit: int, as_json: bool, every: float | None) -> None:
    """List the queues that clients work, or worked within the last day."""
    with open_client(settings) as client:
        show_or_watch(QUEUES, lambda: client.queue_list(first=limit), settings, as_json=as_json, every=every)


@queues.command("pause")
@_names
@with_settings
def pause(settings: Settings, names: Sequence[str]) -> int:
    """Let no more jobs of queues be begun. '*' is all queues that there are now."""
    with open_client(settings) as client:
        return _set(client.queue_pause, names, "paused")


@queues.command("resume")
@_names
@with_settings
def resume(settings: Settings, names: Sequence[str]) -> int:
    """Let jobs of queues be begun again. '*' is all queues."""
    with open_client(settings) as client:
        return _set(client.queue_resume, names, "resumed")


def _set(change: Callable[[str], None], names: Sequence[str], done: str) -> int:
    def one(name: str) -> None:
        change(name)
        click.echo("all queues: " + done if name == "*" else f"queue {name}: {done}")

    return each(names, one)
