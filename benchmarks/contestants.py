"""Who takes part, and the command that makes each one work."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

RUNNERS = Path(__file__).parent / "runners"

Environment = Literal["ours", "peers", "oban", "chancy", "procrastinate", "go"]

_INSERTS = ("insert", "insert-tx", "insert-many", "insert-many-fast")
_WITH_ROWS = ("insert", "insert-tx", "insert-many")
_JOBS = ("job-get", "job-list", "job-delete-many")
_ALL = _INSERTS + _JOBS


@dataclass(frozen=True)
class Contestant:
    """One library in one set-up.

    Parameters:
        name: Shown in the tables.
        environment: Whose interpreter runs it.
        runner: Its file among the runners; of Go's, its command.
        variant: Passed on to the runner.
        modes: What it can do.
        share: It does one job of so many, where all of them would take too long.
        most: It does no more than so many, for the same reason.
    """

    name: str
    environment: Environment
    runner: str
    variant: str = ""
    modes: tuple[str, ...] = _ALL
    share: int = 1
    most: int | None = None

    @property
    def family(self) -> str:
        """What ``--only`` calls it."""
        first = self.name.split(",")[0]
        return {"riverqueue": "ours", GO: "go"}.get(first, first.split(" ")[0])

    def part(self, count: int) -> int:
        """Return how many of so many jobs it does."""
        return max(min(count // self.share, self.most or count), 1)

    def command(self, program: Path, mode: str, url: str, **options: float) -> list[str]:
        """Spell one measurement; `program` is the interpreter, or the Go peer."""
        words = [
            "--database-url",
            url,
            *[word for name, value in options.items() for word in (f"--{name}", str(value))],
        ]
        words += ["--variant", self.variant] if self.variant else []
        runner = self.runner if self.environment == "go" else str(RUNNERS / self.runner)
        return [str(program), runner, mode, *words]


OURS = "riverqueue, psycopg"
RAW = "raw psycopg"
POOLED = "raw psycopg, pooled"
GO = "River for Go"
SESSION = "riverqueue, SQLAlchemy on "
EXISTING = "existing package, "

WORKING = "riverqueue, psycopg async"
TUNED = "River for Go, tuned"
WORKING_TUNED = "riverqueue, psycopg async, tuned"
FASTEST = "fastest Python peer"
PYTHON_PEERS = ("pgqueuer, asyncpg", "oban", "chancy", "procrastinate")

IN_THREADS = "riverqueue, psycopg, functions in threads"
IN_THREADS_ASYNC = "riverqueue, psycopg async, functions in threads"

_MANY = ("work", "work-1000")
_FIGURES = (*_MANY, "latency", "memory")
_GATES = ("worker", "mixed")

CONTESTANTS = (
    Contestant(RAW, "ours", "raw_psycopg.py", modes=_INSERTS),
    Contestant(POOLED, "ours", "raw_psycopg_jobs.py", modes=_JOBS),
    Contestant(OURS, "ours", "ours_psycopg.py"),
    Contestant("riverqueue, psycopg, all looked at", "ours", "ours_psycopg.py", "looking", ("job-get", "job-list")),
    Contestant("raw psycopg, our expressions", "ours", "raw_psycopg_jobs.py", "expressions", _JOBS),
    Contestant("raw psycopg, held connection", "ours", "raw_psycopg_jobs.py", "held", _JOBS),
    Contestant(GO, "go", "bench"),
    Contestant("raw asyncpg", "ours", "raw_asyncpg.py", modes=_INSERTS),
    Contestant("riverqueue, psycopg async", "ours", "ours_psycopg.py", "async"),
    *[
        Contestant(SESSION + library, "ours", "ours_sqlalchemy.py", library)
        for library in ("psycopg", "psycopg2", "asyncpg")
    ],
    *[
        Contestant(EXISTING + library, "peers", "existing_package.py", library, _WITH_ROWS)
        for library in ("psycopg", "psycopg2", "asyncpg")
    ],
    Contestant("pgqueuer, asyncpg", "peers", "peer_pgqueuer.py", modes=_WITH_ROWS),
    Contestant(RAW, "ours", "work_raw.py", modes=(*_MANY, "latency")),
    Contestant(
        WORKING,
        "ours",
        "work_ours.py",
        modes=(*_FIGURES, *_GATES, "work-threads", "grown", "batching", "pressure"),
    ),
    Contestant(SESSION + "asyncpg", "ours", "work_ours_sqlalchemy.py", modes=(*_FIGURES, "batching", "pressure")),
    Contestant(WORKING_TUNED, "ours", "work_ours.py", "tuned", _GATES),
    Contestant(IN_THREADS_ASYNC, "ours", "work_ours.py", "threads", ("work-threads",)),
    Contestant(IN_THREADS, "ours", "work_ours.py", "client", ("work-threads",)),
    Contestant(GO, "go", "bench-work", modes=(*_FIGURES, *_GATES), share=5),
    Contestant(TUNED, "go", "bench-work", "tuned", (*_MANY, "latency", *_GATES)),
    Contestant("pgqueuer, asyncpg", "peers", "work_pgqueuer.py", modes=_FIGURES),
    Contestant("oban", "oban", "work_oban.py", modes=_FIGURES, most=5_000),
    Contestant("chancy", "chancy", "work_chancy.py", modes=_FIGURES, most=10_000),
    Contestant("procrastinate", "procrastinate", "work_procrastinate.py", modes=_FIGURES, most=2_000),
    *[
        Contestant(f"riverqueue, psycopg async, {words}", "ours", "work_in_processes.py", variant, ("processes",))
        for variant, words in (("1", "one process"), ("2", "two processes"), ("thread", "threads"))
    ],
)


def taking_part(mode: str, only: Sequence[str] = ()) -> list[Contestant]:
    """Return those that can do what a mode asks; of these families, if any are given."""
    return [one for one in CONTESTANTS if mode in one.modes and (not only or one.family in only)]
