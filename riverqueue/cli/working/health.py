"""Answers whoever asks how this process is, by HTTP or by a file."""

import asyncio
import os
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from riverqueue.cli.failures import Failure
from riverqueue.cli.working.logs import logger
from riverqueue.cli.working.plan import Address

#: How long, in seconds, a client may take to ask, and a worker to answer.
PATIENCE = 5.0


@dataclass(frozen=True, slots=True)
class Health:
    """How to find out.

    Parameters:
        alive: Tells whether all that works jobs still turns.
        ready: Tells whether jobs are worked.
    """

    alive: Callable[[], Awaitable[bool]]
    ready: Callable[[], bool]

    async def answer(self, method: str, path: str) -> tuple[HTTPStatus, str]:
        """Answer one request."""
        if method not in {"GET", "HEAD"}:
            return HTTPStatus.METHOD_NOT_ALLOWED, "only GET and HEAD"
        match path.partition("?")[0]:
            case "/live":
                return _said(await self._is_alive(), "live")
            case "/ready":
                return _said(self.ready(), "ready")
        return HTTPStatus.NOT_FOUND, "there are /live and /ready"

    async def _is_alive(self) -> bool:
        try:
            async with asyncio.timeout(PATIENCE):
                return await self.alive()
        except TimeoutError:
            return False


def _said(good: bool, word: str) -> tuple[HTTPStatus, str]:
    return (HTTPStatus.OK, word) if good else (HTTPStatus.SERVICE_UNAVAILABLE, f"not {word}")


@asynccontextmanager
async def served(address: Address | None, health: Health) -> AsyncGenerator[Sequence[str]]:
    """Answer by HTTP while the block runs, and tell where.

    Raises:
        Failure: The address cannot be had.
    """
    if address is None:
        yield ()
        return

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _serve(health, reader, writer)

    try:
        server = await asyncio.start_server(serve, address.host, address.port, limit=8192)
    except OSError as error:
        # asyncio puts words of its own around the system's
        said = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        raise Failure(f"cannot listen on {address.host}:{address.port} for --health: {said}") from error
    try:
        yield [_name(listening) for listening in server.sockets]
    finally:
        server.close()


def announce(places: Sequence[str]) -> None:
    """Log where it is answered."""
    for place in places:
        logger().info("health is told at %s/live and /ready", place)


def _name(listening: socket.socket) -> str:
    host, port, *_ = listening.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def _serve(health: Health, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one connection, which is closed then."""
    try:
        async with asyncio.timeout(PATIENCE):
            head = await reader.readuntil(b"\r\n\r\n")
        method, path, *_ = [*head.decode("latin-1").split("\r\n")[0].split(" "), "", ""]
        status, text = await health.answer(method, path)
        writer.write(_response(status, text, body=method != "HEAD"))
        await writer.drain()
    except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
        pass  # it did not want to know
    finally:
        writer.close()


def _response(status: HTTPStatus, text: str, *, body: bool) -> bytes:
    content = f"{text}\n"
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: text/plain\r\nContent-Length: {len(content)}\r\n"
        "Cache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return (head + (content if body else "")).encode()


class HealthFile:
    """A file whose age tells how this process is: touched while it works jobs, away when it does not.

    Parameters:
        path: The file; None is none.

    Raises:
        Failure: It cannot be written.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        if path is not None:
            try:
                path.touch()
            except OSError as error:
                raise Failure(f"cannot write {path} for --health-file: {error.strerror}") from error
        self.show(ready=False)

    def show(self, ready: bool) -> None:
        """Touch the file, or remove it."""
        if self._path is None:
            return
        try:
            if ready:
                self._path.touch()
            else:
                self._path.unlink(missing_ok=True)
        except OSError as error:
            logger().error("cannot write %s: %s", self._path, error.strerror)
