"""What the jobs of the protocol do, each as its args say."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, TypeAlias

from riverqueue import (
    Job,
    JobCancel,
    JobSnooze,
    metadata_set,
    record_output,
    resumable_step,
    resumable_step_cursor,
    set_cursor,
    work_context,
)
from tests.interop.gates import Gate, Gates, passed, passed_in_thread

#: A job at work: whenever it waits, it gives what for, and how many seconds at most.
Work: TypeAlias = Generator[tuple[Gate, float | None], None, None]


@dataclass
class EchoArgs:
    """Args of every job of the protocol, of any kind; those that are missing are zero."""

    kind: ClassVar[str] = "conformance_echo"

    behavior: str = ""
    duration_ms: int = 0
    message: str = ""


class PeerArgs(EchoArgs):
    """Of the second kind."""

    kind: ClassVar[str] = "conformance_echo_peer"


class RenamedArgs(EchoArgs):
    """Of the first kind under a new name."""

    kind: ClassVar[str] = "conformance_echo_renamed"


class ConformanceError(Exception):
    """What a job fails with."""


class Echo:
    """Works all kinds of the protocol, on the loop or in a thread.

    Parameters:
        gates: Where jobs wait.
    """

    def __init__(self, gates: Gates) -> None:
        self.cancelled_at_start = 0
        self._gates = gates

    async def on_loop(self, job: Job[EchoArgs]) -> None:
        work = self._work(job)
        for gate, seconds in work:
            try:
                await passed(gate, seconds)
            except asyncio.CancelledError as cancelled:
                _cancel_work(work, cancelled)

    def in_thread(self, job: Job[EchoArgs]) -> None:
        work = self._work(job)
        for gate, seconds in work:
            try:
                passed_in_thread(gate, seconds)
            except asyncio.CancelledError as cancelled:
                _cancel_work(work, cancelled)

    def _work(self, job: Job[EchoArgs]) -> Work:
        behavior = job.args.behavior
        if behavior not in BEHAVIORS:
            raise ConformanceError(f'unknown behavior "{behavior}"')
        yield from BEHAVIORS[behavior](self, job) or ()

    def _barrier_wait(self, job: Job[EchoArgs]) -> Work:
        yield self._gates.get(job.args.message), None

    def _barrier_output(self, job: Job[EchoArgs]) -> Work:
        yield from self._barrier_wait(job)
        record_output({"race": "worker"})

    def _barrier_error(self, job: Job[EchoArgs]) -> Work:
        yield from self._barrier_wait(job)
        _error(self, job)

    def _cooperative_cancel(self, _: Job[EchoArgs]) -> Work:
        if work_context().cancelled:
            self.cancelled_at_start += 1
        yield Gate(), None

    def _cancel_error(self, job: Job[EchoArgs]) -> Work:
        yield from self._cancel_ignored(job)
        _error(self, job)

    def _cancel_ignored(self, _: Job[EchoArgs]) -> Work:
        with suppress(asyncio.CancelledError):
            yield Gate(), None

    def _sleep(self, job: Job[EchoArgs]) -> Work:
        yield Gate(), job.args.duration_ms / 1000


def _cancel_work(work: Work, cancelled: asyncio.CancelledError) -> None:
    """Let a job that waits know that it is cancelled; it may end as it likes, but wait no more."""
    with suppress(StopIteration):
        work.throw(cancelled)


def _complete(_: Echo, job: Job[EchoArgs]) -> None:
    pass


def _cancel(_: Echo, job: Job[EchoArgs]) -> None:
    raise JobCancel("conformance cancelled by worker")


def _error(_: Echo, job: Job[EchoArgs]) -> None:
    raise ConformanceError("conformance retryable error")


def _output(_: Echo, job: Job[EchoArgs]) -> None:
    record_output({"message": job.args.message})


def _snooze(_: Echo, job: Job[EchoArgs]) -> None:
    raise JobSnooze(timedelta(milliseconds=job.args.duration_ms))


def _snooze_once(_: Echo, job: Job[EchoArgs]) -> None:
    if "snoozes" not in job.metadata:
        raise JobSnooze(timedelta(milliseconds=max(job.args.duration_ms, 1)))


def _panic(_: Echo, job: Job[EchoArgs]) -> None:
    raise ConformanceError("conformance panic")


def _output_and_error(echo: Echo, job: Job[EchoArgs]) -> None:
    _output(echo, job)
    _error(echo, job)


def _metadata(_: Echo, job: Job[EchoArgs]) -> None:
    metadata_set(job.args.message, job.args.duration_ms)


def _metadata_and_error(echo: Echo, job: Job[EchoArgs]) -> None:
    _metadata(echo, job)
    _error(echo, job)


def _resumable_cursor(_: Echo, job: Job[EchoArgs]) -> None:
    def second(cursor: Any) -> None:
        if job.attempt == 1:
            set_cursor(7)
            raise ConformanceError("conformance failure in the second step")
        if cursor != 7:
            raise ConformanceError(f"cursor is {cursor}, not 7")
        metadata_set("cursor_observed", cursor)

    def third() -> None:
        if job.attempt == 2:
            raise ConformanceError("conformance failure in the third step")

    resumable_step("first", lambda: metadata_set("first_attempt", job.attempt))
    resumable_step_cursor("second", second)
    resumable_step("third", third)


BEHAVIORS: dict[str, Callable[[Echo, Job[EchoArgs]], Work | None]] = {
    "": _complete,
    "barrier_output": Echo._barrier_output,
    "barrier_wait": Echo._barrier_wait,
    "cancel": _cancel,
    "cooperative_cancel": Echo._cooperative_cancel,
    "error": _error,
    "output": _output,
    "resumable_cursor": _resumable_cursor,
    "sleep": Echo._sleep,
    "snooze_once": _snooze_once,
    # Of our own:
    "barrier_error": Echo._barrier_error,
    "cancel_error": Echo._cancel_error,
    "cancel_ignored": Echo._cancel_ignored,
    "metadata": _metadata,
    "metadata_and_error": _metadata_and_error,
    "output_and_error": _output_and_error,
    "panic": _panic,
    "snooze": _snooze,
}
