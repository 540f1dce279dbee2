"""How much memory a client has when it is idle, and how much more when a thousand jobs wait in it."""

from collections.abc import Iterator, Sequence

from benchmarks.contestants import Contestant, taking_part
from benchmarks.conversation import Conversation
from benchmarks.rounds import in_turns
from benchmarks.samples import Samples
from benchmarks.shifts import fill

_JOBS = 1_000


def measure(url: str, rounds: int, only: Sequence[str]) -> Iterator[Samples]:
    """Weigh every contestant once in each round."""
    idle = Samples("memory: an idle client with 1,000 slots", "memory-idle", "MiB")
    more = Samples("memory: how much more with 1,000 jobs waiting", "memory", "MiB")

    def once(contestant: Contestant) -> None:
        fill(contestant, url, 0)
        with Conversation(contestant, "memory", url, count=_JOBS, slots=_JOBS) as conversation:
            before = conversation.hear()["mib"]
            fill(contestant, url, _JOBS)
            conversation.say()
            idle.add(contestant.name, before)
            more.add(contestant.name, conversation.hear()["mib"] - before)

    in_turns([idle, more], taking_part("memory", only), rounds, once)
    yield idle
    yield more
