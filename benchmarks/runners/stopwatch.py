"""The command line of every contestant, and the loop that times its calls.

The same as that of the Go peer (``river-peer bench``), so that all are run alike: a mode, a count, a batch and
a URL go in; one line of JSON comes out. A tenth of the count is inserted first and not counted. This file
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
    """What to insert, and by which method of the contestant."""

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
        size = {"insert": 1, "insert-tx": JOBS_PER_TX}.get(self.mode, self.batch)
        for start in range(0, count, size):
            yield range(start, min(start + size, count))

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
        _insert(plan, method, plan.warm_up)
        began = time.perf_counter()
        calls = _insert(plan, method, plan.count)
        plan.print_result(calls, time.perf_counter() - began)


def _insert(plan: Plan, method: Callable[[list[Any]], Any], count: int) -> list[float]:
    calls = []
    for batch in plan.batches(count):
        began = time.perf_counter()
        method([plan.args_type(num) for num in batch])
        calls.append(time.perf_counter() - began)
    return calls


def run_async(plan: Plan, opened: AbstractAsyncContextManager[Any]) -> None:
    """Time a contestant whose methods are coroutines."""
    asyncio.run(_run_async(plan, opened))


async def _run_async(plan: Plan, opened: AbstractAsyncContextManager[Any]) -> None:
    async with opened as contestant:
        method = getattr(contestant, plan.method)
        await _insert_async(plan, method, plan.warm_up)
        began = time.perf_counter()
        calls = await _insert_async(plan, method, plan.count)
        plan.print_result(calls, time.perf_counter() - began)


async def _insert_async(plan: Plan, method: Callable[[list[Any]], Any], count: int) -> list[float]:
    calls = []
    for batch in plan.batches(count):
        began = time.perf_counter()
        await method([plan.args_type(num) for num in batch])
        calls.append(time.perf_counter() - began)
    return calls
