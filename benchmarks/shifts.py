"""How fast jobs are worked: those that are there when a client starts, until the database has it that all are done."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks import server
from benchmarks.contestants import WORKING, Contestant, taking_part
from benchmarks.goals import EMPTY, GROWN
from benchmarks.rounds import in_turns, output
from benchmarks.samples import Samples

_RIVER = {"ours", "raw", "go"}


@dataclass(frozen=True)
class Shift:
    """What all contestants work.

    Parameters:
        title: Heading of its table.
        mode: The command's word for it.
        count: How many jobs.
        slots: Worked at once.
    """

    title: str
    mode: str
    count: int
    slots: int = 100


SHIFTS = (
    Shift("work: 20,000 jobs, 100 at once", "work", 20_000),
    Shift("work-1000: 100,000 jobs, 1,000 at once", "work-1000", 100_000, 1_000),
    Shift("work-threads: 20,000 jobs, 100 at once", "work-threads", 20_000),
    Shift("processes: 100 jobs of some 20 ms on the processor", "processes", 100, 4),
)
GROWN_SHIFT = Shift("grown: 20,000 jobs beside others, 100 at once", "grown", 20_000)

#: Finished jobs beside those that are worked, and as many in another queue.
OTHERS = 1_000_000


def fill(contestant: Contestant, url: str, count: int) -> None:
    """Empty a contestant's table, and put jobs there."""
    if contestant.family in _RIVER:
        server.fill_available(url, count)
    else:
        output(contestant, "fill", url, count=count)
        server.vacuum(url)


def measure(shift: Shift, url: str, rounds: int, only: Sequence[str]) -> Samples:
    """Let every contestant work once in each round."""
    samples = Samples(shift.title, shift.mode, "jobs/s")

    def once(contestant: Contestant) -> None:
        count = contestant.part(shift.count)
        fill(contestant, url, 0 if shift.mode == "processes" else count)
        samples.add(contestant.name, _rate(contestant, shift, url, count))

    in_turns([samples], taking_part(shift.mode, only), rounds, once)
    return samples


def measure_grown(shift: Shift, server_url: str, empty_url: str, rounds: int, others: int) -> Samples:
    """Let ours work in an empty table and in a large one."""
    samples = Samples(shift.title, shift.mode, "jobs/s")

    def once(contestant: Contestant) -> None:
        for name, url in ((EMPTY, empty_url), (GROWN, grown_url)):
            server.refill(url, shift.count)
            samples.add(name, _rate(contestant, shift, url, shift.count))

    with server.database(server_url, "_grown") as grown_url:
        server.fill_other(grown_url, others)
        server.fill_available(empty_url, 0)
        in_turns([samples], [one for one in taking_part(shift.mode) if one.name == WORKING], rounds, once)
    return samples


def _rate(contestant: Contestant, shift: Shift, url: str, count: int) -> float:
    return float(output(contestant, "work", url, count=count, slots=shift.slots)["jobs_per_second"])
