"""Who inserts and who works: one of the two is Go."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from typing import Any, Self

import psycopg

from tests.interop.adapter import REJECTED, Adapter
from tests.interop.scene import ask, insert, wait_for

_numbers = itertools.count()


def unused(name: str) -> str:
    """Return a name for a queue or a gate that nobody has had: neither forgets."""
    return f"{name}_{next(_numbers)}"


def started(adapter: Adapter, **params: Any) -> None:
    """Start a client that looks for jobs often, and does not lead."""
    often = {"fetch_poll_interval_ms": 20, "leader_election_disabled": True, "max_workers": 50}
    adapter.request("start", {"client_id": "worker", **often, **params})


class LastingSides:
    """Go's adapter and one of ours, for test after test; one that breaks is started anew.

    Parameters:
        start: Starts an adapter.
        stack: That of ours.
        ours_works: Whether ours is the one that works.
    """

    def __init__(self, start: Callable[[str], Adapter], stack: str, ours_works: bool) -> None:
        self._start = start
        self._stack = stack
        self._ours_works = ours_works
        self._adapters: dict[str, Adapter] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for adapter in self._adapters.values():
            adapter.close()

    def sides(self, db: psycopg.Connection) -> Sides:
        """Return both, for one test."""
        return Sides(self._get("go"), self._get(self._stack), self._ours_works, db)

    def rest(self) -> None:
        """Stop the clients that work, and cancel their jobs."""
        for name, adapter in list(self._adapters.items()):
            print(f"--- stderr of {adapter.application_name} ---\n{adapter.stderr}")  # shown if the test failed
            try:
                if ask(adapter, "stats") != REJECTED:
                    adapter.request("stop", {"cancel": True})
            except BaseException:
                self._adapters.pop(name).kill()
                raise

    def _get(self, name: str) -> Adapter:
        if name not in self._adapters:
            self._adapters[name] = self._start(name)
        return self._adapters[name]


class Sides:
    """Two adapters on one database.

    Parameters:
        go: Go's.
        ours: Ours.
        ours_works: Whether ours is the one that works.
        db: A connection of the test's own.
    """

    def __init__(self, go: Adapter, ours: Adapter, ours_works: bool, db: psycopg.Connection) -> None:
        self.go = go
        self.ours = ours
        self.inserter, self.worker = (go, ours) if ours_works else (ours, go)
        self.db = db

    @property
    def both(self) -> tuple[Adapter, Adapter]:
        """The one that inserts and the one that works."""
        return self.inserter, self.worker

    def insert(self, behavior: str = "", message: str = "", duration_ms: int = 0, **opts: Any) -> int:
        """Insert one job, and return its id."""
        job = {"behavior": behavior, "duration_ms": duration_ms, "message": message, "opts": opts}
        return insert(self.inserter, job)[0]["job"]["id"]  # type: ignore[no-any-return]

    def insert_kind(self, kind: str, **opts: Any) -> int:
        """Insert one job of any kind that does nothing, and return its id."""
        args = json.dumps({"behavior": "", "duration_ms": 0, "message": ""})
        return self.inserter.request("insert_args", {"kind": kind, "args": args, "opts": opts})["job"]["id"]  # type: ignore[no-any-return]

    def start(self, **params: Any) -> None:
        """Start the client that works."""
        started(self.worker, **params)

    def stop(self, *, cancel: bool = False) -> None:
        """Stop the client that works."""
        self.worker.request("stop", {"cancel": cancel})

    def events(self) -> list[str]:
        """Return what the client that works has told its subscriber."""
        return self.worker.request("stats")["events"]  # type: ignore[no-any-return]

    def wait_for_events(self, *kinds: str) -> None:
        """Wait until the client that works has told of so many events, which must be these."""
        wait_for(lambda: len(self.events()) >= len(kinds))
        assert self.events() == list(kinds)

    def column(self, job_id: int, name: str) -> Any:
        """Read one column of a job."""
        row = self.db.execute(f"SELECT to_jsonb(job)->%s FROM river_job AS job WHERE id = {job_id}", [name]).fetchone()
        assert row is not None
        return row[0]

    def wait(self, job_id: int, state: str, attempt: int | None = None) -> dict[str, Any]:
        """Wait until a job is in a state, in or after an attempt, and return it as both see it."""

        def arrived() -> bool:
            return self.column(job_id, "state") == state and attempt in (None, self.column(job_id, "attempt"))

        wait_for(arrived)
        theirs, mine = (self._get(adapter, job_id) for adapter in (self.go, self.ours))
        assert mine == theirs
        return mine

    def set(self, job_ids: int | Sequence[int], **columns: Any) -> None:
        """Set columns of jobs, each given as JSON has it."""
        assignments = ", ".join(f"{name} = new.{name}" for name in columns)
        self.db.execute(
            f"UPDATE river_job AS job SET {assignments} FROM jsonb_populate_record(NULL::river_job, %s::jsonb) AS new"
            " WHERE job.id = ANY(%s)",
            [json.dumps(columns), [job_ids] if isinstance(job_ids, int) else list(job_ids)],
        )

    def _get(self, adapter: Adapter, job_id: int) -> dict[str, Any]:
        job: dict[str, Any] = adapter.request("get", {"id": job_id})["job"]
        for error in job["errors"]:
            error["at"] = error["at"][:26].rstrip("Z").rstrip("0")  # Go's has nanoseconds
        return job
