"""What our adapter does about working jobs: the params of each method, and the client that runs."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

from riverqueue import Client, JobRow, Workers
from riverqueue.runtime import runner
from riverqueue.runtime.producer import Producer
from tests.interop import adapter as codes
from tests.interop.behaviors import Echo, EchoArgs, PeerArgs, RenamedArgs
from tests.interop.gates import Gate, Gates, passed
from tests.interop.stacks import Stack, settle
from tests.interop.strict import RefusedError, ShapeError

#: The kinds that there may be workers for.
KINDS = {args_type.kind: args_type for args_type in (EchoArgs, PeerArgs, RenamedArgs)}
ALIASES = {RenamedArgs.kind: [EchoArgs.kind]}
START: dict[str, Any] = {
    "claim_barrier": str,
    "client_id": str,
    "error_handler_cancel": bool,
    "fetch_only_known_kinds": bool,
    "fetch_poll_interval_ms": int,
    "job_timeout_ms": int,
    "leader_election_disabled": bool,
    "max_workers": int,
    "periodic_run_on_start": bool,
    "periodic_unique": bool,
    "poll_only": bool,
    "queues": [str],
    "rescue_after_ms": int,
    "retry_delay_ms": int,
    "schema": str,
    "tuning": {"elect_interval_ms": int, "rescuer_interval_ms": int, "scheduler_interval_ms": int},
    "worker_kinds": [str],
}
METHODS: dict[str, dict[str, Any]] = {"release": {"name": str}, "start": START, "stats": {}, "stop": {"cancel": bool}}

#: ``unobserved``: nobody counts events, so the client does not ask what became of a job.
EXTENDED: dict[str, dict[str, Any]] = {"start": START | {"unobserved": bool}}

#: What our client cannot do before it can lead.
OF_LEADERS = ("periodic_run_on_start", "periodic_unique", "rescue_after_ms")

EVENTS = ("job_cancelled", "job_completed", "job_failed", "job_snoozed", "queue_paused", "queue_resumed")
EVENT_BUFFER = 100_000
MAX_WORKERS = 4
STOP_LIMIT, CLOSE_LIMIT = 10.0, 20.0  # seconds


class Working:
    """The client that works jobs, if one runs, and the gates that hold it up.

    Parameters:
        stack: The way to use the client.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._gates = Gates()
        self._run: Run | None = None

    async def release(self, name: str = "") -> None:
        self._gates.open(name)

    async def start(self, claim_barrier: str = "", **params: Any) -> None:
        if self._run is not None:
            raise RefusedError(codes.REJECTED, "a client is already running")
        run = Run(Echo(self._gates), claim_barrier)
        runner.Producer = _holding(self._gates.get(claim_barrier)) if claim_barrier else Producer  # type: ignore[misc]
        await run.start(self._stack, **params)
        self._run = run

    async def stats(self) -> dict[str, Any]:
        return self._running().stats()

    async def stop(self, cancel: bool = False, limit: float = STOP_LIMIT) -> None:
        run = self._running()
        if run.claim_barrier:
            self._gates.open(run.claim_barrier)
        try:
            async with asyncio.timeout(limit):
                await run.stop(cancel)
        except TimeoutError:
            raise RefusedError(codes.REJECTED, f"the client did not stop within {limit:.0f} s") from None
        self._run = None

    async def close(self) -> None:
        """Stop the client, if one runs, and cancel its jobs."""
        if self._run is not None:
            await self.stop(cancel=True, limit=CLOSE_LIMIT)

    def _running(self) -> Run:
        if self._run is None:
            raise RefusedError(codes.REJECTED, "no client is running")
        return self._run


def _holding(gate: Gate) -> type[Producer]:
    """Make producers of which the first claim that returns jobs is held, after its commit."""
    unheld = [gate]

    class HoldingProducer(Producer):
        async def claim(self, count: int) -> list[JobRow]:
            jobs = await super().claim(count)
            if jobs and unheld:
                await passed(unheld.pop())
            return jobs

    return HoldingProducer


class Run:
    """One client at work, and what it saw since its start.

    Parameters:
        echo: Works its jobs.
        claim_barrier: Name of the gate that holds its first claim; empty for none.
    """

    def __init__(self, echo: Echo, claim_barrier: str) -> None:
        self.claim_barrier = claim_barrier
        self._echo = echo
        self._events: list[str] = []
        self._error_handler_calls = 0
        self._client: Any = None
        self._collecting: asyncio.Task[None] | None = None

    async def start(self, stack: Stack, schema: str = "", unobserved: bool = False, **params: Any) -> None:
        self._client = await stack.client(schema=schema or None, **self._options(stack.is_async, **params))
        if not unobserved:
            self._collect(self._client.subscribe(*EVENTS, buffer=EVENT_BUFFER))
        await settle(self._client.start())

    async def stop(self, cancel: bool) -> None:
        stop = self._client.stop_and_cancel if cancel else self._client.stop
        await (asyncio.to_thread(stop) if isinstance(self._client, Client) else stop())

    def stats(self) -> dict[str, Any]:
        return {
            "cancelled_at_start": self._echo.cancelled_at_start,
            "error_handler_calls": self._error_handler_calls,
            "events": list(self._events),
            "periodic_starts": 0,
        }

    def handle_error(self, job: JobRow, error: BaseException) -> bool:
        """Cancel any job that fails."""
        self._error_handler_calls += 1
        return True

    def _options(
        self,
        asynchronous: bool,
        client_id: str = "",
        error_handler_cancel: bool = False,
        fetch_only_known_kinds: bool = False,
        fetch_poll_interval_ms: int = 0,
        job_timeout_ms: int = 0,
        leader_election_disabled: bool = False,
        max_workers: int = 0,
        poll_only: bool = False,
        queues: list[str] | None = None,
        retry_delay_ms: int = 0,
        tuning: dict[str, int] | None = None,
        worker_kinds: list[str] | None = None,
        **of_leaders: Any,
    ) -> dict[str, Any]:
        """Return the client's options; what is zero or empty means its default."""
        if any(of_leaders.values()):
            raise RefusedError(codes.REJECTED, f"a client that cannot lead does nothing with {', '.join(of_leaders)}")
        durations = {"fetch_poll_interval": fetch_poll_interval_ms, "job_timeout": job_timeout_ms}
        return {
            "error_handler": self if error_handler_cancel else None,
            "fetch_cooldown": timedelta(milliseconds=1),
            "fetch_only_known_kinds": fetch_only_known_kinds,
            "id": client_id or None,
            "poll_only": poll_only,
            "queues": dict.fromkeys(queues or ["default"], max_workers or MAX_WORKERS),
            "retry_policy": FixedDelay(retry_delay_ms) if retry_delay_ms else None,
            "workers": self._workers(worker_kinds or [EchoArgs.kind], asynchronous),
            **{name: timedelta(milliseconds=value) for name, value in durations.items() if value},
        }

    def _workers(self, kinds: list[str], asynchronous: bool) -> Workers:
        """Make the workers: coroutine functions for an async client, plain ones for a sync one."""
        workers = Workers()
        for kind in kinds:
            if kind not in KINDS:
                raise ShapeError(f"unknown worker kind {kind!r}")
            register = workers.work(KINDS[kind], kind_aliases=ALIASES.get(kind, ()))
            register(self._echo.on_loop if asynchronous else self._echo.in_thread)
        return workers

    def _collect(self, events: Any) -> None:
        """Note events as they come, until the client has stopped."""
        if isinstance(self._client, Client):
            threading.Thread(target=self._collect_in_thread, args=[events], daemon=True).start()
        else:
            self._collecting = asyncio.create_task(self._collect_on_loop(events))

    def _collect_in_thread(self, events: Any) -> None:
        for event in events:
            self._events.append(event.kind.value)

    async def _collect_on_loop(self, events: Any) -> None:
        async for event in events:
            self._events.append(event.kind.value)


class FixedDelay:
    """Tries each job again after the same time.

    Parameters:
        milliseconds: After how long.
    """

    def __init__(self, milliseconds: int) -> None:
        self._delay = timedelta(milliseconds=milliseconds)

    def next_retry(self, job: JobRow) -> datetime:
        return datetime.now(UTC) + self._delay
