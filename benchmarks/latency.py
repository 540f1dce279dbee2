"""How long a job that is inserted into an idle system waits for its work to begin.

All contestants are there at once, each in a database of its own, so that none hears what another notifies; only one
has a job at a time. So all of them see the same machine, and it takes no longer than one alone.
"""

import random
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from benchmarks import server
from benchmarks.contestants import Contestant, taking_part
from benchmarks.conversation import Conversation
from benchmarks.rounds import is_present
from benchmarks.samples import Samples
from benchmarks.shifts import fill

#: Seconds between two jobs of one contestant.
_APART = (0.150, 0.350)


def measure(server_url: str, count: int, rounds: int, only: Sequence[str]) -> Iterator[Samples]:
    """Have each contestant work `count` jobs in each round."""
    p50 = Samples("latency: from COMMIT to the start of the work, p50", "latency", "ms")
    p99 = Samples("latency: from COMMIT to the start of the work, p99", "latency", "ms")
    contestants = [contestant for contestant in taking_part("latency", only) if is_present(contestant)]
    with ExitStack() as databases:
        urls = {
            contestant.name: databases.enter_context(server.database(server_url, f"_{number}"))
            for number, contestant in enumerate(contestants)
        }
        for number in range(1, rounds + 1):
            print(f"latency: round {number} of {rounds}", file=sys.stderr)
            found = _round(contestants, urls, count)
            for name, values in found.items():
                p50.add(name, statistics.median(values))
                p99.add(name, sorted(values)[len(values) * 99 // 100])
            contestants = [contestant for contestant in contestants if contestant.name in found]
    for samples in (p50, p99):
        samples.values = {contestant.name: samples.values[contestant.name] for contestant in contestants}
    yield p50
    yield p99


def _round(contestants: Sequence[Contestant], urls: dict[str, str], count: int) -> dict[str, list[float]]:
    """Return what each contestant measured; who fails is not among them."""
    found: dict[str, list[float]] = {contestant.name: [] for contestant in contestants}
    with ExitStack() as stack:
        conversations = {}
        for contestant in contestants:
            fill(contestant, urls[contestant.name], 0)
            conversation = Conversation(contestant, "latency", urls[contestant.name])
            conversations[contestant.name] = stack.enter_context(conversation)
        for conversation in conversations.values():
            conversation.hear()
        for _ in range(count):
            pause = random.uniform(*_APART) / len(contestants)
            for name in list(found):
                began = time.perf_counter()
                try:
                    found[name].append(_one(conversations[name]))
                except (RuntimeError, OSError) as error:
                    print(f"without {name}: {error}", file=sys.stderr)
                    del found[name]
                time.sleep(max(began + pause - time.perf_counter(), 0))
    return found


def _one(conversation: Conversation) -> float:
    conversation.say()
    return float(conversation.hear()["ms"])
