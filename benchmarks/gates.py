"""The gates of River's conformance suite that are about working: beside Go's clients, and by themselves.

``worker``: 200 jobs of 10 ms that are there, 32 at once, from attempt to finalization. ``mixed``: 200 that are inserted
meanwhile, one by one, 128 at once, from creation to finalization. The times are those of the rows. The suite has all
clients fetch with the least cool-down, which is "tuned".
"""

from collections.abc import Iterator, Sequence

import psycopg

from benchmarks.contestants import Contestant, taking_part
from benchmarks.goals import Unit
from benchmarks.rounds import in_turns, output
from benchmarks.samples import Samples
from benchmarks.shifts import fill

_COUNT, _SLEEP = 200, 10
_SLOTS = {"worker": 32, "mixed": 128}
_SINCE = {"worker": "attempted_at", "mixed": "created_at"}

#: All released at once.
_RELEASED = 1_000

#: How many connections there are while so many are worked, so many at once.
_PRESSED, _PRESSED_SLOTS = 600, 100

_TIMES = """
SELECT count(*) / extract(epoch FROM max(finalized_at) - min({since})),
    1000 * extract(epoch FROM percentile_disc(0.95) WITHIN GROUP (ORDER BY finalized_at - {since}))
FROM river_job
"""


def measure(url: str, rounds: int, only: Sequence[str]) -> Iterator[Samples]:
    """Let every contestant through each gate once in each round."""
    yield from _speed("worker", url, rounds, only)
    yield from _speed("mixed", url, rounds, only)
    yield _one("batching", "transactions", "write_transactions", url, rounds, only, _RELEASED, _RELEASED)
    yield _one("pressure", "connections", "connections", url, rounds, only, _PRESSED, _PRESSED_SLOTS, sleep=_SLEEP)


def _speed(gate: str, url: str, rounds: int, only: Sequence[str]) -> list[Samples]:
    rate = Samples(f"gate {gate}: throughput", "gate-rate", "jobs/s")
    p95 = Samples(f"gate {gate}: p95", "gate-p95", "ms")

    def once(contestant: Contestant) -> None:
        mode, there = ("mixed", 0) if gate == "mixed" else ("work", _COUNT)
        fill(contestant, url, there)
        output(contestant, mode, url, count=_COUNT, slots=_SLOTS[gate], sleep=_SLEEP)
        with psycopg.connect(url) as connection:
            row = connection.execute(_TIMES.format(since=_SINCE[gate])).fetchone()
        assert row is not None
        rate.add(contestant.name, float(row[0]))
        p95.add(contestant.name, float(row[1]))

    in_turns([rate, p95], taking_part(gate, only), rounds, once)
    return [rate, p95]


def _one(
    gate: str,
    unit: Unit,
    key: str,
    url: str,
    rounds: int,
    only: Sequence[str],
    count: int,
    slots: int,
    sleep: float = 0,
) -> Samples:
    samples = Samples(f"gate {gate}: {count} jobs, {slots} at once", f"gate-{gate}", unit)

    def once(contestant: Contestant) -> None:
        fill(contestant, url, count)
        samples.add(contestant.name, output(contestant, gate, url, count=count, slots=slots, sleep=sleep)[key])

    in_turns([samples], taking_part(gate, only), rounds, once)
    return samples
