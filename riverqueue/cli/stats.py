"""``riverqueue stats``: how many jobs there are."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import click

from riverqueue.cli.connection import open_client
from riverqueue.cli.output import View
from riverqueue.cli.settings import Settings, with_settings
from riverqueue.cli.watch import show_or_watch, with_watch
from riverqueue.jobs import JobState

#: A queue's name, and its jobs by state.
Count: TypeAlias = tuple[str, Mapping[JobState, int]]


def _document(count: Count) -> dict[str, str | int]:
    name, states = count
    return {"queue": name, **{state.value: states.get(state, 0) for state in JobState}, "total": sum(states.values())}


def _cells(count: Count) -> list[str]:
    return [str(value) for value in _document(count).values()]


def _footer(counts: Sequence[Count]) -> list[str]:
    return _cells(("total", {state: sum(states.get(state, 0) for _, states in counts) for state in JobState}))


_STATES = tuple(state.value for state in JobState)

STATS: View[Count] = View(("queue", *_STATES, "total"), _cells, _document, optional=_STATES, footer=_footer)


@click.command()
@click.option("--queue", "queues", multiple=True, metavar="NAME", help="Of this queue; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object for each queue.")
@with_watch
@with_settings
def stats(settings: Settings, queues: Sequence[str], as_json: bool, every: float | None) -> None:
    """Count jobs by queue and state."""
    with open_client(settings) as client:

        def fetch() -> Iterable[Count]:
            return client.job_count(queues=queues or None).by_queue.items()

        show_or_watch(STATS, fetch, settings, as_json=as_json, every=every)
