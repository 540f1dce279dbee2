"""Who takes part, and the command that makes each one work."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

RUNNERS = Path(__file__).parent / "runners"

Environment = Literal["ours", "peers", "go"]

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
        runner: Its file among the runners; empty for Go.
        variant: Passed on to the runner.
        modes: What it can do.
    """

    name: str
    environment: Environment
    runner: str = ""
    variant: str = ""
    modes: tuple[str, ...] = _ALL

    def command(self, program: Path, mode: str, count: int, batch: int, url: str) -> list[str]:
        """Spell one measurement; `program` is the interpreter, or the Go peer."""
        options = ["--count", str(count), "--batch", str(batch), "--database-url", url]
        if self.environment == "go":
            return [str(program), "bench", mode, *options]
        variant = ["--variant", self.variant] if self.variant else []
        return [str(program), str(RUNNERS / self.runner), mode, *options, *variant]


OURS = "riverqueue, psycopg"
RAW = "raw psycopg"
POOLED = "raw psycopg, pooled"
GO = "River for Go"
SESSION = "riverqueue, SQLAlchemy on "
EXISTING = "existing package, "

CONTESTANTS = (
    Contestant(RAW, "ours", "raw_psycopg.py", modes=_INSERTS),
    Contestant(POOLED, "ours", "raw_psycopg_jobs.py", modes=_JOBS),
    Contestant(OURS, "ours", "ours_psycopg.py"),
    Contestant("riverqueue, psycopg, all looked at", "ours", "ours_psycopg.py", "looking", ("job-get", "job-list")),
    Contestant("raw psycopg, our expressions", "ours", "raw_psycopg_jobs.py", "expressions", _JOBS),
    Contestant("raw psycopg, held connection", "ours", "raw_psycopg_jobs.py", "held", _JOBS),
    Contestant(GO, "go"),
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
)


def taking_part(mode: str) -> Iterator[Contestant]:
    """Yield those that can do what a mode asks."""
    return (contestant for contestant in CONTESTANTS if mode in contestant.modes)
