"""The other end of an adapter process: starts one, asks it, and holds it to River's protocol.

An adapter reads JSON-RPC 2.0 requests from its standard input, one a line, and answers each with one line
on its standard output. At the end of its input it ends by itself, with status 0 and within 30 seconds.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).parent.parent.parent

ANSWER_LIMIT = 45.0  # seconds; below the time limit of a test, so that this error comes first
END_LIMIT = 30.0

NOT_FOUND, REJECTED = -32001, -32002
INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS, INTERNAL_ERROR = -32600, -32601, -32602, -32603
PARSE_ERROR = -32700


class AdapterError(Exception):
    """An adapter answered with an error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class ProtocolError(AssertionError):
    """An adapter did something the protocol does not allow."""


def go_command(program: Path, *, extended: bool = True) -> list[str]:
    """The command of the Go adapter."""
    return [str(program), "adapter", *(["--extended"] if extended else [])]


def python_command(stack: str, *, extended: bool = True) -> list[str]:
    """The command of our adapter over one stack."""
    module = [sys.executable, "-W", "error", "-m", "tests.interop.python_adapter"]
    return [*module, "--stack", stack, *(["--extended"] if extended else [])]


class Adapter:
    """One adapter process; a context manager that ends it.

    Parameters:
        command: The program and its arguments.
        database_url: Given to the adapter as it is.
        application_name: That of all the adapter's database sessions.
    """

    def __init__(self, command: Sequence[str], database_url: str, application_name: str) -> None:
        self.application_name = application_name
        self._answers = b""
        self._last_id = 0
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  (closed when the process has ended)
        self._process = subprocess.Popen(
            command,
            bufsize=0,
            cwd=ROOT,
            env=os.environ
            | {
                "RIVER_CONFORMANCE_APPLICATION_NAME": application_name,
                "RIVER_CONFORMANCE_DATABASE_URL": database_url,
                "RIVER_CONFORMANCE_DRIVER": "postgres",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
            return
        error.add_note(f"--- stderr of {self.application_name} ---\n{self.stderr}")
        self.kill()

    def request(self, method: str, params: Mapping[str, Any] | None = None) -> Any:
        """Ask, wait and return the result.

        Raises:
            AdapterError: if the adapter answered with an error.
        """
        self.send(method, params)
        return self.receive()

    def send(self, method: str, params: Mapping[str, Any] | None = None) -> None:
        """Ask without waiting; `receive` must follow before the next request."""
        self._last_id += 1
        request = {"jsonrpc": "2.0", "id": self._last_id, "method": method}
        # Unescaped: Go passes JSON on as it is spelled.
        self.send_line(json.dumps(request | ({} if params is None else {"params": params}), ensure_ascii=False))

    def send_line(self, line: str) -> None:
        """Send a line that may be no request at all."""
        assert self._process.stdin is not None
        unsent = memoryview(line.encode() + b"\n")
        try:
            while unsent:  # without a buffer, a write may be partial
                unsent = unsent[self._process.stdin.write(unsent) :]
        except BrokenPipeError:
            raise self._broken("has ended") from None

    def receive(self) -> Any:
        """Wait for the answer to the last request and return its result.

        Raises:
            AdapterError: if it is an error.
        """
        answer = self.receive_answer()
        if answer["id"] != self._last_id:
            raise self._broken(f"answered id {answer['id']!r} to {self._last_id}")
        if "error" in answer:
            raise AdapterError(answer["error"]["code"], answer["error"]["message"])
        return answer["result"]

    def receive_answer(self) -> dict[str, Any]:
        """Wait for one line of output and check that it is an answer of the right form."""
        line = self._read_line()
        try:
            answer = json.loads(line, parse_constant=_refuse_constant)
        except ValueError:
            raise self._broken(f"wrote {line!r}, which is not JSON") from None
        if not isinstance(answer, dict) or answer.get("jsonrpc") != "2.0":
            raise self._broken(f"wrote {line!r}, which is not a JSON-RPC 2.0 answer")
        if set(answer) == {"jsonrpc", "id", "error"}:
            error = answer["error"]
            if set(error) == {"code", "message"} and type(error["code"]) is int and type(error["message"]) is str:
                return answer
        elif set(answer) == {"jsonrpc", "id", "result"} and isinstance(answer["result"], dict):
            return answer
        raise self._broken(f"answered with other members than the protocol's: {line!r}")

    def close(self) -> None:
        """End the input, and check that the process ends by itself with status 0.

        Raises:
            ProtocolError: if it does not.
        """
        if self._stderr.closed:
            return
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            status = self._process.wait(END_LIMIT)
        except subprocess.TimeoutExpired:
            problem: ProtocolError | None = self._broken(f"did not end within {END_LIMIT:.0f} s")
        else:
            problem = self._broken(f"ended with status {status}") if status else None
        self.kill()
        if problem:
            raise problem

    def kill(self) -> None:
        """End the process at once."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._stderr):
            if stream is not None:
                stream.close()

    @property
    def stderr(self) -> str:
        """What the process has written to its standard error so far."""
        if self._stderr.closed:
            return ""
        return os.pread(self._stderr.fileno(), 20_000, 0).decode(errors="replace")

    def _read_line(self) -> bytes:
        assert self._process.stdout is not None
        deadline = time.monotonic() + ANSWER_LIMIT
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            pieces = [self._answers]
            while b"\n" not in pieces[-1]:
                if not selector.select(deadline - time.monotonic()):
                    raise self._broken(f"did not answer within {ANSWER_LIMIT:.0f} s")
                piece = os.read(self._process.stdout.fileno(), 1 << 20)
                if not piece:
                    raise self._broken("ended its output instead of answering")
                pieces.append(piece)
        line, _, self._answers = b"".join(pieces).partition(b"\n")
        return line

    def _broken(self, what: str) -> ProtocolError:
        return ProtocolError(f"{self.application_name} {what}\n--- its stderr ---\n{self.stderr}")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
