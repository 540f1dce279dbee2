"""The command line of every contestant, and the loop that times its calls.

The same as that of the Go peer (``river-peer bench``), so that all are run alike: a mode, a count, a batch and
a URL go in; one line of JSON comes out. A tenth of the count is done first and not counted. This file
imports nothing but the standard library, because it also runs in the peers' own environments.
"""

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar

#: Jobs of one transaction of ``insert-tx``, one call each.
JOBS_PER_TX = 100


@dataclass
class BenchArgs:
    """What each contestant's jobs carry."""

    kind: ClassVar[str] = "bench"
    num: int


@dataclass
class Plan:
    """What to do, and by which method of the contestant."""

    mode: str
    count: int
    batch: int
    database_url: str
    variant: str
    args_type: Callable[[int], Any]

    @property
    def method(self) -> str:
        return self.mode.replace("-", "_")

    def batches(self, count: int) -> Iterator[range]:
        size = {"insert": 1, "insert-tx": JOBS_PER_TX, "job-get": 1}.get(self.mode, self.batch)
        for start in range(0, count, size):
            yield range(start, min(start + size, count))

    def jobs(self, batch: range) -> list[Any]:
        """Return what one call is given: args to insert, or identities of jobs that are there."""
        if self.mode.startswith("job-"):
            return [num + 1 for num in batch]
        return [self.args_type(num) for num in batch]

    @property
    def warm_up(self) -> int:
        return max(self.count // 10, 1)

    def print_result(self, calls: list[float], elapsed: float) -> None:
        p50 = statistics.median(calls) * 1e6
        print(json.dumps({"mode": self.mode, "jobs_per_second": self.count / elapsed, "p50_us": p50}))


def plan(args_type: Callable[[int], Any] = BenchArgs) -> Plan:
    """Read the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("mode")
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--batch", type=int, default=1000)
    parser.add_argument("--variant", default="")
    options = parser.parse_args()
    return Plan(**vars(options), args_type=args_type)


def run(plan: Plan, opened: AbstractContextManager[Any]) -> None:
    """Time a contestant whose methods are functions."""
    with opened as contestant:
        method = getattr(contestant, plan.method)
        _call(plan, method, plan.warm_up)
        began = time.perf_counter()
        calls = _call(plan, method, plan.count)
        plan.print_result(calls, time.perf_counter() - began)


def _call(plan: Plan, method: Callable[[list[Any]], Any], count: int) -> list[float]:
    calls = []
    for batch in plan.batches(count):
        began = time.perf_counter()
        found = method(plan.jobs(batch))
        calls.append(time.perf_counter() - began)
        _check(found, batch)
    return calls


def run_async(plan: Plan, opened: AbstractAsyncContextManager[Any]) -> None:
    """Time a contestant whose methods are coroutines."""
    asyncio.run(_run_async(plan, opened))


async def _run_async(plan: Plan, opened: AbstractAsyncContextManager[Any]) -> None:
    async with opened as contestant:
        method = getattr(contestant, plan.method)
        await _call_async(plan, method, plan.warm_up)
        began = time.perf_counter()
        calls = await _call_async(plan, method, plan.count)
        plan.print_result(calls, time.perf_counter() - began)


async def _call_async(plan: Plan, method: Callable[[list[Any]], Any], count: int) -> list[float]:
    calls = []
    for batch in plan.batches(count):
        began = time.perf_counter()
        found = await method(plan.jobs(batch))
        calls.append(time.perf_counter() - began)
        _check(found, batch)
    return calls


def _check(found: list[Any] | None, batch: range) -> None:
    """See that a call found, if it says, as many jobs as it was to."""
    if found is not None and len(found) != len(batch):
        raise RuntimeError(f"{len(found)} jobs instead of {len(batch)}")
