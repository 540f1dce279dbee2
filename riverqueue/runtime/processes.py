"""Processes for CPU-bound functions: each does one job at a time, and is killed where its work is to end."""

import asyncio
import json
import logging
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import timedelta
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

from riverqueue.outcomes import JobCancel, JobSnooze
from riverqueue.process_pool import ProcessPool
from riverqueue.runtime import process_child
from riverqueue.runtime.error_entry import ProcessError
from riverqueue.work_context import WorkContext
from riverqueue.workers import WorkUnit

logger = logging.getLogger("riverqueue.worker")

#: How long, in seconds, a process that is not needed any more may take to end by itself.
_FAREWELL = 1.0

# A fork would copy the locks that other threads hold.
_spawn = multiprocessing.get_context("spawn")


class _Child:
    """One process.

    Parameters:
        units: The workers that it can be asked for.
    """

    def __init__(self, units: Sequence[WorkUnit]) -> None:
        ours, its = _spawn.Pipe()
        self.connection: Connection[Any, Any] = ours
        self.jobs = 0
        self.memory_mib = 0
        sent = [(unit.kind, unit.function, unit.args_type) for unit in units]
        level = logging.getLogger().getEffectiveLevel()
        self._process = _spawn.Process(
            target=process_child.serve, args=(its, sent, level), name="riverqueue", daemon=True
        )
        self._process.start()
        its.close()

    def ask(self, request: str) -> dict[str, Any]:
        """Have a job worked; passes on what is logged meanwhile.

        Raises:
            EOFError: if the process has ended.
        """
        self.connection.send_bytes(request.encode())
        self.jobs += 1
        while True:
            answer: dict[str, Any] = json.loads(self.connection.recv_bytes())
            if "log" not in answer:
                self.memory_mib = answer["memory_mib"]
                return answer
            record = logging.makeLogRecord(answer["log"])
            log = logging.getLogger(record.name)
            if log.isEnabledFor(record.levelno):
                log.handle(record)

    def kill(self) -> None:
        """End the process at once; whoever waits for its answer gets an EOFError."""
        self._process.kill()

    def end(self) -> int | None:
        """End the process, and return the code it ended with."""
        self.connection.close()  # which it takes for a farewell
        self._process.join(_FAREWELL)
        self._process.kill()
        self._process.join()
        code = self._process.exitcode
        self._process.close()
        return code


class Processes:
    """Works jobs in processes.

    Parameters:
        pool: How many, and how they are replaced.
        units: The workers whose functions may be called there.
    """

    def __init__(self, pool: ProcessPool, units: Sequence[WorkUnit]) -> None:
        self._pool = pool
        self._units = units
        self._idle: list[_Child] = []
        self._slots = asyncio.Semaphore(pool.size)
        self._threads: ThreadPoolExecutor | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._closed = False

    async def work(self, kind: str, context: WorkContext) -> None:
        """Work a job in a process, and take over what its function said: outcome, metadata.

        Parameters:
            kind: Of the worker.
            context: Of the attempt.

        Raises:
            ProcessError: as the worker raised, or the process died.
        """
        request = json.dumps({"kind": kind, "id": context.job.id, "row": context.job._text})
        async with self._slots:
            answer = await self._asked(request)
        context.take_updates(answer["metadata"])
        _raise(answer.get("raised"))
        if answer["returned"] is not None:
            logger.warning(
                "worker for kind %r returned %s, which is ignored; use record_output() to keep it",
                kind,
                answer["returned"],
            )

    async def close(self) -> None:
        """End all processes."""
        self._closed = True
        idle, self._idle = self._idle, []
        await asyncio.gather(*self._ending, *[self._in_thread(child.end) for child in idle])
        if self._threads is not None:
            self._threads.shutdown(wait=False)

    async def _asked(self, request: str) -> dict[str, Any]:
        child = self._idle.pop() if self._idle else await self._in_thread(_Child, self._units)
        asked: asyncio.Future[dict[str, Any]] = self._in_thread(copy_context().run, child.ask, request)
        try:
            answer = await asyncio.shield(asked)
        except (EOFError, OSError):
            code = await self._in_thread(child.end)
            raise ProcessError(f"the worker's process died ({_died(code)})") from None
        except asyncio.CancelledError:
            child.kill()
            ending = asyncio.create_task(self._ended(child, asked))
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)
            raise
        if self._closed or self._is_used_up(child):
            await self._in_thread(child.end)
        else:
            self._idle.append(child)
        return answer

    async def _ended(self, child: _Child, asked: "asyncio.Future[Any]") -> None:
        await asyncio.wait([asked])  # its thread reads from the child until that has died
        asked.exception()
        await self._in_thread(child.end)

    def _is_used_up(self, child: _Child) -> bool:
        jobs, memory = self._pool.max_jobs, self._pool.max_memory_mib
        return (jobs is not None and child.jobs >= jobs) or (memory is not None and child.memory_mib > memory)

    def _in_thread(self, function: Any, *arguments: Any) -> "asyncio.Future[Any]":
        if self._threads is None:
            # Each process may have one that waits for its answer and one that ends the process before it.
            self._threads = ThreadPoolExecutor(self._pool.size * 2, "riverqueue-process")
        return asyncio.get_running_loop().run_in_executor(self._threads, partial(function, *arguments))


def _raise(raised: dict[str, Any] | None) -> None:
    if raised is None:
        return
    if "snooze" in raised:
        raise JobSnooze(timedelta(seconds=raised["snooze"]))
    if "cancel" in raised:
        raise JobCancel(raised["cancel"])
    raise ProcessError(raised["error"], raised["trace"])


def _died(code: int | None) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
