"""A database in memory, as the worker sees it: it answers the statements of `riverqueue.operations.work` by name.

What it answers can be delayed, held back or replaced by an error, which no real server does on demand.
"""

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from riverqueue.statement import Params, Statement
from tests.runtime.virtual_time import LoopClock, seconds

LISTENER = "listener"  # its opening, beside the statements

_COLUMNS = [
    *("args", "attempt", "attempted_at", "attempted_by", "created_at", "errors", "finalized_at", "kind"),
    *("max_attempts", "metadata", "priority", "queue", "scheduled_at", "state", "tags", "unique_key", "unique_states"),
]
_TO_BE_WORKED = {"available", "retryable", "scheduled"}


class DatabaseError(Exception):
    """What a library raises.

    Parameters:
        sqlstate: PostgreSQL's code; none if the connection is lost.
    """

    def __init__(self, text: str = "the connection is lost", sqlstate: str | None = None) -> None:
        super().__init__(text)
        self.sqlstate = sqlstate


@dataclass
class Asked:
    """A statement that was run, and when."""

    name: str
    params: Params
    at: float


@dataclass
class Hold:
    """An answer that is there, and held back until it is let go."""

    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def release(self) -> None:
        self.released.set()


@dataclass
class _Trouble:
    """What happens to one answer."""

    error: Exception | None = None
    seconds: float = 0
    hold: Hold | None = None
    done: bool = True  # whether the statement was run all the same


class FakeListener:
    """Hears what the store notifies."""

    def __init__(self, store: "FakeStore") -> None:
        self._store = store
        self._channels: set[str] = set()
        self._heard: list[tuple[str, str]] = []
        self._some = asyncio.Event()
        self._lost = False

    async def listen(self, channel: str) -> None:
        self._channels.add(channel)

    async def fetch(self, sql: str, params: Any) -> Sequence[tuple[Any, ...]]:
        self._store.probed.append(seconds())
        if not self._store.answers:
            await asyncio.Event().wait()
        return [("public",)]

    async def wait(self, seconds: float) -> Sequence[tuple[str, str]]:
        try:
            async with asyncio.timeout(seconds):
                await self._some.wait()
        except TimeoutError:
            return []
        if self._lost:
            raise DatabaseError
        heard, self._heard = self._heard, []
        self._some.clear()
        return heard

    def hear(self, channel: str, payload: str) -> None:
        if channel in self._channels:
            self._heard.append((channel, payload))
            self._some.set()

    def sever(self) -> None:
        self._lost = True
        self._some.set()


class FakeStore:
    """A database in memory.

    Attributes:
        jobs: Its jobs, by id.
        asked: What it was asked, in order.
        opened: When listening connections were opened.
        probed: When they were asked something.
        answers: Whether they answer that.
        check: Called before each statement; what it raises is the statement's error.
    """

    listens = True

    def __init__(self, clock: LoopClock) -> None:
        self._clock = clock
        self.jobs: dict[int, dict[str, Any]] = {}
        self.queues: dict[str, dict[str, Any]] = {}
        self.asked: list[Asked] = []
        self.opened: list[float] = []
        self.probed: list[float] = []
        self.answers = True
        self.check: Callable[[Statement[Any]], None] = lambda statement: None
        self.listeners: set[FakeListener] = set()
        self._trouble: dict[str, deque[_Trouble]] = defaultdict(deque)
        self._statements: dict[str, Callable[[Statement[Any]], Sequence[Any]]] = {
            "JobCompleteMany": self._complete_many,
            "JobGetAvailable": self._get_available,
            "JobGetCancelRequested": self._get_cancel_requested,
            "JobSetStateIfRunningMany": self._set_state_if_running_many,
            "QueueCreateOrSetUpdatedAt": self._queue_create_or_set_updated_at,
            "QueueGet": self._queue_get,
        }

    # --- For the worker ---

    async def ask(self, operation: Any) -> Any:
        steps = operation(False)
        try:
            step = next(steps)
            while True:
                step = steps.send(step.decode(await self._answer(step)))
        except StopIteration as stop:
            return stop.value
        finally:
            steps.close()

    async def notifies(self) -> bool:
        return True

    @asynccontextmanager
    async def listener(self) -> AsyncGenerator[FakeListener]:
        self.opened.append(seconds())
        await self._after_trouble(LISTENER, lambda: None)
        listener = FakeListener(self)
        self.listeners.add(listener)
        try:
            yield listener
        finally:
            self.listeners.discard(listener)

    # --- For the test: what it does ---

    def insert(self, count: int = 1, *, notify: bool = True, **values: Any) -> list[int]:
        """Insert jobs alike."""
        now = self._clock.now()
        ids = list(range(len(self.jobs) + 1, len(self.jobs) + 1 + count))
        for job_id in ids:
            self.jobs[job_id] = {
                "args": {}, "attempt": 0, "attempted_at": None, "attempted_by": [], "created_at": now, "errors": [],
                "finalized_at": None, "kind": "job", "max_attempts": 25, "metadata": {}, "priority": 1,
                "queue": "default", "scheduled_at": now, "state": "available", "tags": [], "unique_key": None,
                "unique_states": None,
            } | values  # fmt: skip
        if notify:
            self.notify("river_insert", {"queue": self.jobs[ids[0]]["queue"]})
        return ids

    def request_cancel(self, job_id: int, *, notify: bool = True) -> None:
        """Cancel a job, as clients do."""
        job = self.jobs[job_id]
        if job["finalized_at"] is not None:
            return
        job["metadata"] = {**job["metadata"], "cancel_attempted_at": self._clock.now().isoformat()}
        if job["state"] != "running":
            job |= {"state": "cancelled", "finalized_at": self._clock.now()}
        if notify:
            self.notify("river_control", {"action": "cancel", "job_id": job_id, "queue": job["queue"]})

    def set_paused(self, paused: bool, queue: str = "default", *, notify: bool = True) -> None:
        """Pause or resume a queue, as clients do."""
        self.queues[queue]["paused_at"] = self._clock.now() if paused else None
        if notify:
            self.notify("river_control", {"action": "pause" if paused else "resume", "queue": queue})

    def notify(self, topic: str, payload: Any) -> None:
        for listener in self.listeners:
            listener.hear(f"public.{topic}", json.dumps(payload))

    def sever(self) -> None:
        """Lose all listening connections."""
        for listener in self.listeners:
            listener.sever()

    def fail(self, name: str, times: int = 1, error: Exception | None = None, *, done: bool = False) -> None:
        """Have a statement's next answers be errors; if it is done, only its answer is lost."""
        self._trouble[name].extend([_Trouble(error or DatabaseError(), done=done)] * times)

    def delay(self, name: str, seconds: float, times: int = 1) -> None:
        """Have a statement's next answers come late."""
        self._trouble[name].extend([_Trouble(seconds=seconds)] * times)

    def hold(self, name: str, error: Exception | None = None) -> Hold:
        """Hold the next answer to a statement back, which is run; or an error in its place, and it is not."""
        hold = Hold()
        self._trouble[name].append(_Trouble(error, hold=hold, done=error is None))
        return hold

    # --- For the test: what it sees ---

    def times(self, name: str) -> list[float]:
        """When a statement was run."""
        return [asked.at for asked in self.asked if asked.name == name]

    def count(self, name: str) -> int:
        return len(self.times(name))

    def states(self) -> list[str]:
        """The states of all jobs, in the order of their insertion."""
        return [job["state"] for job in self.jobs.values()]

    # --- Statements ---

    async def _answer(self, step: Statement[Any]) -> Sequence[Any]:
        self.asked.append(Asked(step.name, step.params, seconds()))
        self.check(step)
        run = self._statements[step.name]
        rows: Sequence[Any] = await self._after_trouble(step.name, lambda: run(step))
        return rows

    async def _after_trouble(self, name: str, run: Callable[[], Any]) -> Any:
        waiting = self._trouble[name]
        trouble = waiting.popleft() if waiting else _Trouble()
        await asyncio.sleep(0)  # as a server, it takes at least a moment
        answer = run() if trouble.done else None
        if trouble.seconds:
            await asyncio.sleep(trouble.seconds)
        if trouble.hold is not None:
            trouble.hold.arrived.set()
            await trouble.hold.released.wait()
        if trouble.error is not None:
            raise trouble.error
        return answer

    def _get_available(self, step: Statement[Any]) -> Sequence[Any]:
        params: Any = step.params
        now, kinds = self._clock.now(), params.get("_kinds")
        ready = [
            (job["priority"], job["scheduled_at"], job_id)
            for job_id, job in self.jobs.items()
            if job["state"] == "available" and job["queue"] == params["queue"] and job["scheduled_at"] <= now
            if kinds is None or job["kind"] in kinds
        ]
        chosen = [job_id for _, _, job_id in sorted(ready)[: params["count"]]]
        for job_id in chosen:
            job = self.jobs[job_id]
            job |= {"state": "running", "attempt": job["attempt"] + 1, "attempted_at": now}
            job["attempted_by"] = [*job["attempted_by"], params["client_id"]]
        return [self.row(job_id) for job_id in chosen]

    def _complete_many(self, step: Statement[Any]) -> Sequence[Any]:
        ids, attempts, times = (_numbers(step.params[name]) for name in ("ids", "attempts", "finalized_at"))
        for job_id, attempt, time in zip(ids, attempts, times, strict=True):
            job = self.jobs[job_id]
            if (job["state"], job["attempt"]) == ("running", attempt):
                job |= {
                    "state": "completed",
                    "finalized_at": datetime.fromtimestamp(0, UTC) + timedelta(microseconds=time),
                }
        return []

    def _set_state_if_running_many(self, step: Statement[Any]) -> Sequence[Any]:
        endings = json.loads(str(step.params["jobs"]))
        for ending in endings:
            self._end(self.jobs[ending["id"]], ending)
        return [self.row(ending["id"]) for ending in endings]

    def _end(self, job: dict[str, Any], ending: dict[str, Any]) -> None:
        ours = (job["state"], job["attempt"]) == ("running", ending["attempt"])
        job["metadata"] = {**job["metadata"], **ending.get("metadata", {})}
        if not ours:
            return
        if "error" in ending:
            job["errors"] = [*job["errors"], ending["error"]]
        if ending["state"] in _TO_BE_WORKED and "cancel_attempted_at" in job["metadata"]:
            job |= {"state": "cancelled", "finalized_at": self._clock.now()}
            return
        job["state"] = ending["state"]
        job["attempt"] = ending.get("next_attempt", job["attempt"])
        for name in ("finalized_at", "scheduled_at"):
            if name in ending:
                job[name] = datetime.fromisoformat(ending[name])

    def _get_cancel_requested(self, step: Statement[Any]) -> Sequence[Any]:
        ids: Any = step.params["ids"]
        return [
            (job_id,)
            for job_id in ids
            if self.jobs[job_id]["state"] == "running" and "cancel_attempted_at" in self.jobs[job_id]["metadata"]
        ]

    def _queue_create_or_set_updated_at(self, step: Statement[Any]) -> Sequence[Any]:
        name, now = str(step.params["name"]), self._clock.now()
        queue = self.queues.setdefault(name, {"created_at": now, "metadata": {}, "paused_at": None})
        queue["updated_at"] = now
        return self._queue_get(step)

    def _queue_get(self, step: Statement[Any]) -> Sequence[Any]:
        name = str(step.params["name"])
        queue = self.queues.get(name)
        return [] if queue is None else [(name, json.dumps([_spelled(queue[key]) for key in sorted(queue)]))]

    def row(self, job_id: int) -> tuple[int, str]:
        """A job as a driver reads it."""
        job = self.jobs[job_id]
        return job_id, json.dumps([_spelled(job[name]) for name in _COLUMNS])


def _numbers(text: Any) -> list[int]:
    return [int(number) for number in text.strip("{}").split(",")]


def _spelled(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
