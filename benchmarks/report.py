"""Tables for a terminal, by rich if it is there; and the same as JSON."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.goals import GOALS, Bound, Goal
from benchmarks.samples import Samples

try:
    import rich.console
    import rich.table
except ImportError:
    rich = None  # type: ignore[assignment]


def show(samples: Samples) -> None:
    """Print what was measured, then the goals beside it."""
    trips = bool(samples.round_trips)
    head = ["", f"median {samples.unit}", "min - max", "ours / it"] + ["round trips"] * trips
    _table(samples.title, head, [_row(samples, name, trips) for name in samples.values])
    rows = []
    for goal in _goals(samples):
        found, met = samples.verdict(goal)
        spread = samples.measured(goal)
        each = f"{min(spread):.2f} - {max(spread):.2f}"
        rows.append([goal.name, f"{found:.2f}", each, goal.text(samples.unit), _word(met)])
    _table("", ["goal", "median", "min - max", "to reach", "met"], rows)


def _goals(samples: Samples) -> list[Goal | Bound]:
    return [goal for goal in GOALS.get(samples.mode, ()) if samples.is_measured(goal)]


def _row(samples: Samples, name: str, trips: bool) -> list[str]:
    values = samples.values[name]
    ours = _reference(samples)
    ratio = f"{median(samples.ratios(ours, name)):.2f}" if ours in samples.values else ""
    cells = [name, _number(samples.median(name)), f"{_number(min(values))} - {_number(max(values))}", ratio]
    return cells + [f"{samples.round_trips[name]:.1f}" if name in samples.round_trips else ""] * trips


def _reference(samples: Samples) -> str:
    """Name whose value is divided by the others'."""
    goals = GOALS.get(samples.mode)
    return goals[0].ours if goals else next(iter(samples.values))


def show_modules(title: str, modules: Sequence[tuple[float, str]]) -> None:
    """Print the modules that are slowest to import."""
    _table(title, ["module", "own ms"], [[module, f"{own:.1f}"] for own, module in modules])


def write_json(path: Path, machine: str, found: Sequence[Samples]) -> None:
    """Write every value of every round."""
    tables = [{**vars(samples), "goals": _verdicts(samples)} for samples in found]
    path.write_text(json.dumps({"machine": machine, "tables": tables}, indent=1, ensure_ascii=False) + "\n")


def _verdicts(samples: Samples) -> list[dict[str, object]]:
    return [
        {**vars(goal), "found": found, "met": met} for goal in _goals(samples) for found, met in [samples.verdict(goal)]
    ]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _word(met: bool) -> str:
    return "yes" if met else "NO"


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if not rows:
        return
    if rich is not None:
        table = rich.table.Table(title=title or None, title_justify="left")
        for number, name in enumerate(head):
            table.add_column(name, justify="right" if number else "left")
        for row in rows:
            table.add_row(*row)
        # A file or a pipe has no width of its own.
        rich.console.Console(width=None if sys.stdout.isatty() else 120).print(table)
        return
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    print(f"\n{title}" if title else "")
    for line in (head, *rows):
        first, *others = zip(line, widths, strict=True)
        print(first[0].ljust(first[1]), *[cell.rjust(width) for cell, width in others], sep="  ")
