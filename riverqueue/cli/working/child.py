"""A process that works for the supervisor, and the next one when it ends."""

import asyncio
import json
import os
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from riverqueue.cli.failures import ExitCode, Failure
from riverqueue.cli.working import live, logs
from riverqueue.cli.working.link import CANCEL, LINK, NUMBER
from riverqueue.cli.working.plan import Plan
from riverqueue.cli.working.state import State

#: A process that has worked so long, in seconds, does not end at once again and again.
LONG = 60.0

#: The most seconds between the end of a process and the next.
LONGEST_PAUSE = 30.0

#: A process that has told nothing for so many seconds is stuck.
SILENCE = 10.0

#: How long, in seconds, the rest of what an ended process has written may take to come.
_REST = 1.0

#: The longest line that a process may write.
_LINE = 1 << 20


def pause(early_ends: int) -> float:
    """Return how many seconds to wait, given how many processes in a row have ended early."""
    return min(2.0 ** (early_ends - 2), LONGEST_PAUSE) if early_ends > 1 else 0.0


@dataclass(slots=True)
class Life:
    """One process, from its start to its end.

    Parameters:
        process: The process.
        reader: What it tells.
        writer: The way to it.
        began: When it was started, on the loop's clock.
    """

    process: asyncio.subprocess.Process
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    began: float
    told: float | None = None
    was_ready: bool = False
    was_asked: bool = False
    failure: Failure | None = None

    @property
    def end(self) -> str:
        """How it ended."""
        code = self.process.returncode or 0
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    @property
    def ended_well(self) -> bool:
        """Whether it stopped as it was asked to, perhaps before it had begun."""
        return self.was_asked and self.process.returncode in {0, -signal.SIGTERM}


class Child:
    """A place for one process at a time.

    Parameters:
        number: Its number, from 1.
        plan: What the command line says.
    """

    def __init__(self, number: int, plan: Plan) -> None:
        self.number = number
        self.ended_well = True
        self._plan = plan
        self._relayed = live.is_wanted(plan)  # what it prints must not disturb the live line
        self._state = State()
        self._past = State()
        self._life: Life | None = None
        self._wake = asyncio.Event()
        self._stopping = False
        self._was_ready = False
        self._early_ends = 0
        self._killer: asyncio.TimerHandle | None = None

    @property
    def state(self) -> State:
        """How it is doing; its past processes count as well."""
        return replace(self._past + self._state, ready=self._state.ready and not self._stopping)

    @property
    def is_stuck(self) -> bool:
        """Whether the process has told nothing for long."""
        told = self._life.told if self._life else None
        return told is not None and asyncio.get_running_loop().time() - told > SILENCE

    async def keep(self) -> None:
        """Have a process at work, and another one when it ends, until asked to stop.

        Raises:
            Failure: The first could not start.
        """
        while not self._stopping:
            life = await self._live()
            self.ended_well = life.ended_well
            if not life.was_asked:
                self._check(life)
                await self._pause(life)

    def stop(self) -> None:
        """Ask the process to stop, and have no other."""
        self._stopping = True
        self.restart()

    def restart(self) -> None:
        """Ask the process to stop, and have another one at once."""
        self._wake.set()
        if self._life is not None:
            self._ask(self._life)

    def cancel(self) -> None:
        """Have running jobs cancelled."""
        if self._life is not None:
            self._life.writer.write(CANCEL)

    # --- One process ---

    async def _live(self) -> Life:
        self._wake.clear()
        life = self._life = await self._started()
        if self._wake.is_set():  # asked meanwhile
            self._ask(life)
        heard = [asyncio.create_task(self._listen(life)), asyncio.create_task(_relay(life.process))]
        await life.process.wait()
        self._life = None
        if self._killer is not None:
            self._killer.cancel()
        await asyncio.wait(heard, timeout=_REST)  # a process that it has started may hold the other ends
        for task in heard:
            task.cancel()
        life.writer.close()
        self._past, self._state = self._past + self._state.past(), State()
        return life

    async def _started(self) -> Life:
        ours, theirs = socket.socketpair()
        with theirs:
            reader, writer = await asyncio.open_connection(sock=ours, limit=_LINE)
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "riverqueue",
                *self._plan.child_words(),
                env=self._environment(theirs),
                pass_fds=[theirs.fileno()],
                stdin=asyncio.subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C on the terminal is for the supervisor alone
                limit=_LINE,
                **self._output(),
            )
        return Life(process, reader, writer, asyncio.get_running_loop().time())

    def _environment(self, theirs: socket.socket) -> dict[str, str]:
        link = {"number": self.number, "fileno": theirs.fileno(), "log_format": logs.default_format()}
        unbuffered = {"PYTHONUNBUFFERED": "1"} if self._relayed else {}
        return {**os.environ, LINK: json.dumps(link), NUMBER: str(self.number), **unbuffered}

    def _output(self) -> dict[str, Any]:
        if not self._relayed:
            return {}
        if sys.stdout.isatty():
            return {"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.STDOUT}
        return {"stderr": asyncio.subprocess.PIPE}

    async def _listen(self, life: Life) -> None:
        with suppress(OSError):
            async for line in life.reader:
                self._hear(life, json.loads(line))

    def _hear(self, life: Life, told: dict[str, Any]) -> None:
        life.told = asyncio.get_running_loop().time()
        if "failure" in told:
            life.failure = Failure(told["failure"], ExitCode(told["code"]))
        else:
            self._state = State(**told["state"])
            life.was_ready = life.was_ready or self._state.ready
            self._was_ready = self._was_ready or self._state.ready

    def _ask(self, life: Life) -> None:
        with suppress(ProcessLookupError):
            life.process.terminate()
        if self._plan.stop_timeout is not None and not life.was_asked:
            self._killer = asyncio.get_running_loop().call_later(self._plan.stop_timeout, self._kill, life)
        life.was_asked = True

    def _kill(self, life: Life) -> None:
        logs.logger().error("process %d is killed by --stop-timeout; jobs that still ran will be rescued", self.number)
        with suppress(ProcessLookupError):
            os.killpg(life.process.pid, signal.SIGKILL)

    # --- The next process ---

    def _check(self, life: Life) -> None:
        """Give up if no process could start, and say how this one ended."""
        end = (
            str(life.failure or life.end) if life.was_ready else f"could not start: {life.failure or f'it {life.end}'}"
        )
        if not self._was_ready:
            raise life.failure or Failure(f"process {self.number} {end}")
        logs.logger().error("process %d (pid %d) %s", self.number, life.process.pid, end)

    async def _pause(self, life: Life) -> None:
        """Wait until it is time for another one."""
        lived = asyncio.get_running_loop().time() - life.began
        self._early_ends = self._early_ends + 1 if lived < LONG else 0
        seconds: float | None = pause(self._early_ends)
        if self._plan.reload_dirs and not life.was_ready:
            seconds = None
            logs.logger().warning("process %d is started again when a file changes", self.number)
        elif seconds:
            logs.logger().warning("process %d is started again in %d s", self.number, seconds)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()


async def _relay(process: asyncio.subprocess.Process) -> None:
    """Print what a process prints, above the live line."""
    pipe = process.stdout or process.stderr
    if pipe is not None:
        async for line in pipe:
            sys.stderr.write(line.decode(errors="replace"))
