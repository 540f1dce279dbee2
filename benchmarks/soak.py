"""``python -m benchmarks.soak``: one client works two million jobs while they are inserted; does its memory grow?

One job in a hundred fails the first time, and one in a hundred is put off. What is finished is deleted meanwhile,
unless it is to be kept.
"""

import argparse
import asyncio
import csv
import logging
import resource
import time
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import psycopg

import riverqueue_psycopg
from benchmarks import chart, server
from riverqueue import AsyncClient, Job, JobDeleteManyParams, JobRow, JobSnooze, Workers

_BATCH = 1_000
_SLOTS = 1_000

#: The most jobs that wait to be worked, and the most that one call deletes.
_AHEAD = 20_000
_DELETED = 10_000

#: Within five seconds, after which a job would need a client that leads.
_LATER = timedelta(seconds=1)

_STATES = "SELECT state::text, count(*) FROM river_job GROUP BY 1"


@dataclass
class SoakArgs:
    """What a job carries: its number decides what becomes of it."""

    kind: ClassVar[str] = "soak"

    num: int


@dataclass
class Sample:
    """What is so at one time."""

    seconds: int
    rss_mib: float
    inserted: int
    worked: int
    deleted: int


class Soak:
    """The jobs, and who inserts, works and deletes them.

    Parameters:
        url: Of a database.
        jobs: How many.
        keep: Whether finished jobs stay.
    """

    def __init__(self, url: str, jobs: int, *, keep: bool) -> None:
        self.samples: list[Sample] = []
        self.failed = self.snoozed = 0
        self._url = url
        self._jobs = jobs
        self._keep = keep
        self._inserted = self._worked = self._deleted = 0
        self._began = time.monotonic()

    async def run(self) -> None:
        """Work all jobs."""
        workers = Workers()
        workers.work(SoakArgs)(self._work)
        async with (
            riverqueue_psycopg.AsyncDriver(self._url) as driver,
            AsyncClient(driver, workers=workers, queues={"default": _SLOTS}, retry_policy=Soon()) as client,
        ):
            sampling = asyncio.create_task(self._sample())
            deleting = None if self._keep else asyncio.create_task(self._delete(client))
            await self._insert(client)
            while self._worked < self._jobs:  # noqa: ASYNC110  (what is counted is not worth an event)
                await asyncio.sleep(0.1)
            for task in filter(None, (sampling, deleting)):
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        self._add_sample()

    async def _work(self, job: Job[SoakArgs]) -> None:
        if job.args.num % 100 == 1 and job.attempt == 1:
            self.failed += 1
            raise ValueError("the first attempt fails")
        if job.args.num % 100 == 2 and "snoozes" not in job.metadata:
            self.snoozed += 1
            raise JobSnooze(_LATER)
        self._worked += 1

    async def _insert(self, client: AsyncClient[Any, Any]) -> None:
        for start in range(0, self._jobs, _BATCH):
            while self._inserted - self._worked > _AHEAD:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            size = min(_BATCH, self._jobs - start)
            await client.insert_many([SoakArgs(num) for num in range(start, start + size)])
            self._inserted += size

    async def _delete(self, client: AsyncClient[Any, Any]) -> None:
        finished = JobDeleteManyParams(states=["completed"], first=_DELETED)
        while True:
            deleted = await client.job_delete_many(finished)
            self._deleted += len(deleted)
            if len(deleted) < _DELETED:
                await asyncio.sleep(1)

    async def _sample(self) -> None:
        while True:
            self._add_sample()
            await asyncio.sleep(1)

    def _add_sample(self) -> None:
        seconds = round(time.monotonic() - self._began)
        self.samples.append(Sample(seconds, _resident(), self._inserted, self._worked, self._deleted))


class Soon:
    """Tries each job again in a second."""

    def next_retry(self, _: JobRow) -> datetime:
        return datetime.now(UTC) + _LATER


def main() -> None:
    options = _options()
    logging.getLogger("riverqueue.worker").setLevel(logging.CRITICAL)  # or each failure would be logged
    with server.server(options.database_url, waits_for_disk=True) as server_url, server.database(server_url) as url:
        print(server.description(server_url))
        soak = Soak(url, options.jobs, keep=options.keep)
        asyncio.run(soak.run())
        with psycopg.connect(url) as connection:
            states: dict[str, int] = dict(connection.execute(_STATES).fetchall())
    _report(soak, states)
    if options.csv:
        _write_csv(options.csv, soak.samples)
    if options.svg:
        points = [(sample.seconds, sample.rss_mib) for sample in soak.samples]
        options.svg.write_text(chart.svg(points, f"Memory while {options.jobs:,} jobs are worked", "s", "MiB"))
    _check(soak, states, options.jobs)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2_000_000, help="how many (default 2,000,000)")
    parser.add_argument("--keep", action="store_true", help="keep finished jobs; default: delete them as it goes")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write a line for each second there")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw the memory there")
    parser.add_argument("--database-url", help="a server to use; a database is made on it and dropped again")
    return parser.parse_args()


def _report(soak: Soak, states: dict[str, int]) -> None:
    samples, last = soak.samples, soak.samples[-1]
    warm = samples[len(samples) // 10]
    print(f"{last.worked:,} jobs worked in {last.seconds} s, {last.worked / max(last.seconds, 1):,.0f} a second")
    print(f"{soak.failed:,} failed once, {soak.snoozed:,} were put off, {last.deleted:,} deleted; left: {states}")
    print(f"memory in MiB: first {samples[0].rss_mib:.1f}, after a tenth of the time {warm.rss_mib:.1f}, ", end="")
    print(f"most {max(sample.rss_mib for sample in samples):.1f}, last {last.rss_mib:.1f}")


def _check(soak: Soak, states: dict[str, int], jobs: int) -> None:
    """See that each job was completed once."""
    last = soak.samples[-1]
    completed = last.deleted + states.pop("completed", 0)
    if states or not jobs == last.worked == completed:
        raise SystemExit(f"{completed} jobs are completed and {last.worked} were worked, of {jobs}; others: {states}")


def _write_csv(path: Path, samples: list[Sample]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(field.name for field in fields(Sample))
        writer.writerows(astuple(sample) for sample in samples)


def _resident() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


if __name__ == "__main__":
    main()
