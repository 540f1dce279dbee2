"""The command line of every contestant that works jobs, and what is measured of it.

The same as that of the Go peer (``river-peer bench-work``), so that all are run alike. Some modes are talked with,
a line at a time. This file imports nothing but the standard library, because it also runs in the peers' own
environments.

A contestant is an object with these methods:

* ``fill(count)`` empties its table and inserts jobs, if the benchmark does not do that for it;
* ``working(job)`` works jobs while its block runs: each calls ``job()``, and awaits what that returns;
* ``left()`` and ``completed()`` ask the database how many jobs are to be worked still, and are done;
* ``insert()`` inserts one job over a connection of its own, and returns the time when COMMIT was sent.
"""

import argparse
import asyncio
import itertools
import json
import os
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Between two looks, in seconds, whether the database has all.
_LOOK = 0.005

#: What a client may take, in seconds, to come to rest.
_REST = 0.5

#: The work of one job, as a contestant sees it.
Work = Callable[[], Awaitable[None]]


@dataclass
class Plan:
    """What to do.

    Parameters:
        mode: What is measured.
        count: Of so many jobs.
        slots: Worked at once.
        sleep: How long each takes, in milliseconds; those in threads take no time.
        database_url: Where.
        variant: How the contestant is set up.
    """

    mode: str
    count: int
    slots: int
    sleep: float
    database_url: str
    variant: str


class Shift:
    """The jobs of one measurement.

    Parameters:
        count: How many.
        sleep: How long each takes, in seconds.
    """

    def __init__(self, count: int, sleep: float = 0) -> None:
        self.first = 0.0
        self.all_begun = asyncio.Event()
        self.all_done = asyncio.Event()
        self.gate = asyncio.Event()
        self._count = count
        self._sleep = sleep
        self._begun = itertools.count(1)  # counts in threads, too
        self._done = itertools.count(1)
        self._loop = asyncio.get_running_loop()

    async def work(self) -> None:
        """Be one job."""
        self._begin()
        if self._sleep:
            await asyncio.sleep(self._sleep)
        self._end()

    async def wait(self) -> None:
        """Be one job that goes on until the gate opens."""
        self._begin()
        await self.gate.wait()
        self._end()

    def work_in_thread(self) -> None:
        """Be one job that takes no time."""
        self._begin()
        self._end()

    def _begin(self) -> None:
        number = next(self._begun)
        if number == 1:
            self.first = time.perf_counter()
        if number == self._count:
            self._loop.call_soon_threadsafe(self.all_begun.set)

    def _end(self) -> None:
        if next(self._done) == self._count:
            self._loop.call_soon_threadsafe(self.all_done.set)


def plan() -> Plan:
    """Read the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=list(_MODES))
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--count", type=int, default=1_000)
    parser.add_argument("--slots", type=int, default=100)
    parser.add_argument("--sleep", type=float, default=0)
    parser.add_argument("--variant", default="")
    return Plan(**vars(parser.parse_args()))


def main(opened: Callable[[Plan], AbstractAsyncContextManager[Any]], run: Callable[[Any], None] = asyncio.run) -> None:
    """Do what the command line says with a contestant, on an event loop that `run` makes."""
    run(_main(plan(), opened))


async def _main(plan: Plan, opened: Callable[[Plan], AbstractAsyncContextManager[Any]]) -> None:
    async with opened(plan) as contestant:
        await _MODES[plan.mode](plan, contestant)


async def _fill(plan: Plan, contestant: Any) -> None:
    await contestant.fill(plan.count)
    say(jobs=plan.count)


async def _work(plan: Plan, contestant: Any) -> None:
    """Work jobs that are there; the time is from the first's begin until all are completed in the database."""
    shift = Shift(plan.count, plan.sleep / 1e3)
    async with contestant.working(shift.work_in_thread if getattr(contestant, "in_threads", False) else shift.work):
        await shift.all_done.wait()
        await until_none_left(contestant)
        elapsed = time.perf_counter() - shift.first
    await _check(plan, contestant)
    say(jobs_per_second=plan.count / elapsed)


async def _mixed(plan: Plan, contestant: Any) -> None:
    """Work jobs that are inserted, one by one, meanwhile. What is measured is in the rows."""
    shift = Shift(plan.count, plan.sleep / 1e3)
    async with contestant.working(shift.work):
        for _ in range(plan.count):
            await contestant.insert()
        await shift.all_done.wait()
        await until_none_left(contestant)
    await _check(plan, contestant)
    say(jobs=plan.count)


async def _latency(_: Plan, contestant: Any) -> None:
    """For each line that is read, insert one job, and say how long after COMMIT its work began."""
    begun: asyncio.Queue[float] = asyncio.Queue()

    async def work() -> None:
        begun.put_nowait(time.perf_counter())

    lines = await _lines()
    async with contestant.working(work):
        await asyncio.sleep(_REST)
        say(ready=True)
        while await lines.readline():
            committed = await contestant.insert()
            say(ms=(await begun.get() - committed) * 1e3)


async def _memory(plan: Plan, contestant: Any) -> None:
    """Say how much memory is used idle and, when a line was read, with all jobs waiting."""
    shift = Shift(plan.count)
    lines = await _lines()
    async with contestant.working(shift.wait):
        await asyncio.sleep(_REST)
        say(mib=resident())
        await lines.readline()
        await shift.all_begun.wait()
        await asyncio.sleep(_REST)
        say(mib=resident())
        os._exit(0)  # the jobs would wait for ever


async def _batching(plan: Plan, contestant: Any) -> None:
    """Let all jobs end at once, and count the transactions that store it."""
    shift = Shift(plan.count)
    async with contestant.working(shift.wait):
        await shift.all_begun.wait()
        await asyncio.sleep(_REST)
        before = await contestant.write_transactions()
        shift.gate.set()
        await shift.all_done.wait()
        await until_none_left(contestant)
        found = await contestant.write_transactions() - before
    await _check(plan, contestant)
    say(write_transactions=found)


async def _pressure(plan: Plan, contestant: Any) -> None:
    """Look all the time how many connections there are."""
    shift = Shift(plan.count, plan.sleep / 1e3)
    most = 0
    async with contestant.working(shift.work):
        while not shift.all_done.is_set():
            most = max(most, await contestant.connections())
            await asyncio.sleep(_LOOK)
        await until_none_left(contestant)
        most = max(most, await contestant.connections())
    await _check(plan, contestant)
    say(connections=most)


_MODES = {
    "fill": _fill,
    "work": _work,
    "mixed": _mixed,
    "latency": _latency,
    "memory": _memory,
    "batching": _batching,
    "pressure": _pressure,
}


async def until_none_left(contestant: Any) -> None:
    """Wait until the database has it that all jobs were worked."""
    while await contestant.left():  # noqa: ASYNC110  (of a database)
        await asyncio.sleep(_LOOK)


async def _check(plan: Plan, contestant: Any) -> None:
    completed = await contestant.completed()
    if completed != plan.count:
        raise RuntimeError(f"{completed} jobs are completed instead of {plan.count}")


def say(**values: float) -> None:
    """Print one line of what was found."""
    print(json.dumps(values), flush=True)


async def _lines() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    return reader


def resident() -> float:
    """Return how much memory this process has, in MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20
