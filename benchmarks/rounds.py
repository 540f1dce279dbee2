"""Runs the contestants one after the other, round by round, so that what disturbs one disturbs all alike."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks import environments
from benchmarks.contestants import Contestant, taking_part
from benchmarks.goals import Unit
from benchmarks.samples import Samples
from benchmarks.server import fill

#: The longest that one turn may take, in seconds.
LIMIT = 300


@dataclass(frozen=True)
class Work:
    """What all contestants do.

    Parameters:
        title: Heading of its table.
        mode: What is called.
        count: Jobs of one round.
        batch: Jobs of one call, where a call takes several.
        unit: What is measured: of one call the time, or of all the jobs of a second.
        rows: Jobs that are there before.
    """

    title: str
    mode: str
    count: int
    batch: int = 1
    unit: Unit = "jobs/s"
    rows: int = 0

    def value(self, result: dict[str, Any]) -> float:
        """Take what is measured from a contestant's result."""
        if self.unit == "jobs/s":
            return float(result["jobs_per_second"])
        return float(result["p50_us"]) / (1000 if self.unit == "ms" else 1)


WORKS = (
    Work("insert: one job, a transaction of its own", "insert", 1_000, unit="µs"),
    Work("insert in the caller's transaction, 100 jobs each", "insert-tx", 3_000),
    Work("insert_many of 1,000, rows returned", "insert-many", 20_000, 1_000),
    Work("insert_many of 10,000, rows returned", "insert-many", 40_000, 10_000),
    Work("insert_many_fast of 10,000", "insert-many-fast", 60_000, 10_000),
    Work("job_get", "job-get", 5_000, unit="µs", rows=10_000),
    Work("job_list of 10,000", "job-list", 100_000, 10_000, unit="ms", rows=20_000),
    Work("job_delete_many of 10,000, rows returned", "job-delete-many", 50_000, 10_000, unit="ms", rows=60_000),
)


def measure(work: Work, url: str, rounds: int, only: Sequence[str] = ()) -> Samples:
    """Let every contestant do the work once in each round."""
    samples = Samples(work.title, work.mode, work.unit)

    def once(contestant: Contestant) -> None:
        fill(url, work.rows)
        samples.add(contestant.name, work.value(run(contestant, work, url)))

    in_turns([samples], taking_part(work.mode, only), rounds, once)
    return samples


def in_turns(
    tables: Sequence[Samples], contestants: Sequence[Contestant], rounds: int, once: Callable[[Contestant], None]
) -> None:
    """Let each contestant add to the tables once in each round; a peer that fails leaves."""
    present = [contestant for contestant in contestants if is_present(contestant)]
    for number in range(1, rounds + 1):
        for contestant in list(present):
            print(f"{tables[0].title}: round {number} of {rounds}, {contestant.name}", file=sys.stderr)
            try:
                once(contestant)
            except (RuntimeError, subprocess.TimeoutExpired) as error:
                if contestant.family == "ours":
                    raise
                print(f"without {contestant.name}: {error}", file=sys.stderr)
                present.remove(contestant)
                for samples in tables:
                    samples.values.pop(contestant.name, None)


def run(contestant: Contestant, work: Work, url: str) -> dict[str, Any]:
    """Run one contestant in a process of its own and return what it measured."""
    return output(contestant, work.mode, url, count=work.count, batch=work.batch)


def output(contestant: Contestant, mode: str, url: str, **options: float) -> dict[str, Any]:
    """Run one contestant and return the last line it said.

    Raises:
        RuntimeError: if it fails.
    """
    command = contestant.command(environments.program(contestant.environment), mode, url, **options)
    variables = environments.variables(contestant.environment)
    result = subprocess.run(command, env=variables, capture_output=True, text=True, check=False, timeout=LIMIT)
    if result.returncode != 0:
        raise RuntimeError(f"`{' '.join(command)}` failed:\n{result.stdout}{result.stderr}")
    found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return found


def is_present(contestant: Contestant) -> bool:
    """Tell whether a contestant can run here; if not, print why."""
    try:
        environments.program(contestant.environment)
    except environments.MissingError as error:
        print(f"without {contestant.name}: {error}", file=sys.stderr)
        return False
    return True
