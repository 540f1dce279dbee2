"""The supervisor, as seen by a process that works for it: a socket, whose end is the supervisor's end."""

import asyncio
import json
import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress

from riverqueue.cli.failures import Failure
from riverqueue.cli.redaction import redacted
from riverqueue.cli.working.state import State

#: Tells a process which socket to use. The program may read the other: the process's number, from 1.
LINK = "RIVERQUEUE_WORK_LINK"
NUMBER = "RIVERQUEUE_PROCESS"

#: What the supervisor says, beside the signal that asks to stop.
CANCEL = b"cancel\n"


class Link:
    """The way to the supervisor.

    Parameters:
        number: Number of this process.
        fileno: The socket.
        log_format: How to log if the command line does not say.
    """

    def __init__(self, number: int, fileno: int, log_format: str) -> None:
        self.number = number
        self.log_format = log_format
        self._socket = socket.socket(fileno=fileno)
        self._socket.set_inheritable(False)
        self._socket.setblocking(False)

    @classmethod
    def from_environment(cls) -> "Link | None":
        """Return the link, if there is a supervisor; once, for programs that this one starts have none."""
        text = os.environ.pop(LINK, None)
        return None if text is None else cls(**json.loads(text))

    async def listen(self, *, cancel: Callable[[], None], lost: Callable[[], None]) -> None:
        """Hear what the supervisor says, and when it has gone."""
        loop = asyncio.get_running_loop()
        with suppress(OSError):
            while heard := await loop.sock_recv(self._socket, 1024):
                if CANCEL in heard:
                    cancel()
        lost()

    def show(self, states: Mapping[str, State]) -> None:
        """Tell how this process is doing."""
        for state in states.values():
            self._tell(state.line())

    def fail(self, failure: Failure) -> None:
        """Tell why this process ends."""
        self._tell(json.dumps({"failure": redacted(str(failure)), "code": failure.exit_code}).encode() + b"\n")

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()

    def _tell(self, line: bytes) -> None:
        with suppress(OSError):  # it has gone, which `listen` notices, or is held up, and will hear the next
            self._socket.send(line)
