"""A line on the terminal that says how fast jobs are worked."""

import importlib.util
import os
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from riverqueue.cli.working.plan import Plan
from riverqueue.cli.working.state import Rate, State

if TYPE_CHECKING:
    from rich.live import Live


class Line(Protocol):
    """Where it is shown how processes are doing."""

    def show(self, states: Mapping[str, State]) -> None:
        """Show it, by the processes' names."""
        ...


class NoLine:
    """Shows nothing."""

    def show(self, states: Mapping[str, State]) -> None:
        """Show nothing."""


class LiveLine:
    """Draws a line for all, and if there are several processes, one for each."""

    def __init__(self, live: "Live") -> None:
        self._live = live
        self._rates: dict[str, Rate] = {}

    def show(self, states: Mapping[str, State]) -> None:
        """Draw."""
        from rich.text import Text

        now = time.monotonic()
        total = _total(states)
        lines = [self._text("", total, now)]
        if len(states) > 1:
            lines += [self._text(name, state, now) for name, state in states.items()]
        self._live.update(Text("\n".join(lines), no_wrap=True, overflow="ellipsis"), refresh=True)

    def _text(self, name: str, state: State, now: float) -> str:
        rate = self._rates.setdefault(name, Rate())(state.ended, now)
        counts = f"{rate:.1f} jobs/s  running {state.running}  completed {state.completed}  failed {state.failed}"
        return f"{name:>4}  {counts}" + ("" if state.ready else "  (not ready)")


def _total(states: Mapping[str, State]) -> State:
    return sum(states.values(), State(ready=True))


def is_wanted(plan: Plan) -> bool:
    """Tell whether a person looks on who would like a line."""
    rich = importlib.util.find_spec("rich") is not None
    return rich and plan.live and plan.log_format != "json" and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


@contextmanager
def line(plan: Plan) -> Generator[Line]:
    """Draw on the terminal while the block runs, if a person looks on; what is logged stands above."""
    if not is_wanted(plan):
        yield NoLine()
        return
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    with Live(console=console, auto_refresh=False, transient=True, redirect_stdout=sys.stdout.isatty()) as live:
        yield LiveLine(live)
