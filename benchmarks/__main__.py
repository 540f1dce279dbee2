"""``python -m benchmarks``: ours beside raw drivers, Go's River, the existing package and other queues."""

import argparse
import itertools
import os
import platform
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from benchmarks import gates, imports, latency, memory, report, round_trips, rounds, server, shifts
from benchmarks.contestants import CONTESTANTS, taking_part
from benchmarks.samples import Samples

_LOOKING_AFTER = ("insert", "insert-tx", "insert-many", "insert-many-fast", "job-get", "job-list", "job-delete-many")
_WORKING = ("work", "work-1000", "work-threads", "latency", "memory", "grown", "gates", "processes")
_MODES = (*_LOOKING_AFTER, "import", *_WORKING, "working", "all")
_LATENCIES = 150  # of each contestant in each round
_ROUND_TRIPS = {"insert", "job-get", "job-delete-many"}


def main() -> None:
    options = _options()
    found: list[Samples] = []
    machine = _machine()
    if options.mode != "import":
        with server.server(options.database_url, waits_for_disk=not options.async_commit) as server_url:
            machine += "; " + server.description(server_url)
            print(machine)
            with server.database(server_url) as url:
                for samples in itertools.chain(_works(options, url), _working(options, server_url, url)):
                    report.show(samples)
                    found.append(samples)
    if options.mode in {"import", "all"}:
        samples = imports.measure(8 if options.quick else 10 * options.rounds)
        report.show(samples)
        report.show_modules("slowest of psycopg + riverqueue", imports.slowest("psycopg + riverqueue"))
        found.append(samples)
    if options.json:
        report.write_json(options.json, machine, found)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument(
        "mode",
        nargs="?",
        choices=_MODES,
        default="all",
        help="what to measure; working: all that is about working jobs",
    )
    parser.add_argument("--rounds", type=int, default=3, help="how often each contestant is measured (default 3)")
    parser.add_argument("--quick", action="store_true", help="a tenth of the jobs: to see that it runs")
    parser.add_argument(
        "--only",
        type=lambda text: text.split(","),
        default=[],
        metavar="NAMES",
        help="of ours, raw, go, existing, pgqueuer, oban, chancy, procrastinate; by commas",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every value there, too")
    parser.add_argument("--async-commit", action="store_true", help="let no commit wait for the disk")
    parser.add_argument("--database-url", help="a server to use; a database is made on it and dropped again")
    options = parser.parse_args()
    families = {contestant.family for contestant in CONTESTANTS}
    if not families.issuperset(options.only):
        parser.error(f"--only takes some of {', '.join(sorted(families))}")
    return options


def _works(options: argparse.Namespace, url: str) -> Iterator[Samples]:
    for work in rounds.WORKS:
        if options.mode not in {work.mode, "all"}:
            continue
        if options.quick:
            work = replace(work, count=max(work.count // 10, work.batch))
        samples = rounds.measure(work, url, options.rounds, options.only)
        if work.mode in _ROUND_TRIPS:
            for contestant in taking_part(work.mode, options.only):
                if contestant.name in samples.values:
                    samples.round_trips[contestant.name] = round_trips.of_one_call(contestant, work, url)
        yield samples


def _working(options: argparse.Namespace, server_url: str, url: str) -> Iterator[Samples]:
    """Measure what is about working jobs."""
    wanted = _WORKING if options.mode in {"working", "all"} else (options.mode,)
    rounds_, only, part = options.rounds, options.only, 10 if options.quick else 1
    for shift in shifts.SHIFTS:
        if shift.mode in wanted:
            yield shifts.measure(replace(shift, count=shift.count // part), url, rounds_, only)
    if "grown" in wanted:
        shift = replace(shifts.GROWN_SHIFT, count=shifts.GROWN_SHIFT.count // part)
        yield shifts.measure_grown(shift, server_url, url, rounds_, shifts.OTHERS // part)
    if "latency" in wanted:
        yield from latency.measure(server_url, _LATENCIES // part, rounds_, only)
    if "memory" in wanted:
        yield from memory.measure(url, rounds_, only)
    if "gates" in wanted:
        yield from gates.measure(url, rounds_, only)


def _machine() -> str:
    cores = os.cpu_count()
    python = platform.python_version()
    return f"{cores} cores, Python {python}, psycopg {version('psycopg')}, SQLAlchemy {version('sqlalchemy')}"


if __name__ == "__main__":
    main()
