"""A proxy before a PostgreSQL server that fails as networks do, when it is told to.

It runs in a thread of its own, so that a test may be of either colour. It reads as much of the protocol as it takes to
count requests: what a client sends before it waits for an answer, which is one statement of River's.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from sqlalchemy import make_url

#: Messages that ask for an answer: Query, Sync.
_ASKS = (b"Q", b"S")

#: Messages with the text of a statement: Query, Parse.
_TEXTS = (b"Q", b"P")

_READY = b"Z"

T = TypeVar("T")


@dataclass(eq=False)
class _Link:
    """One connection of a client's."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    listens: bool = False
    silent: bool = False
    #: Called when the server has answered, and the client must not know; then it is cut.
    doomed: Callable[[], None] | None = None

    def cut(self) -> None:
        for writer in (self.client, self.server):
            writer.transport.abort()


@dataclass
class _Fault:
    """When to cut all links: at a request, before the server sees it, or after it has answered."""

    requests: int
    answered: bool
    before: Callable[[], None]


class Proxy:
    """Stands before a server from the start of its ``with`` block until its end.

    Parameters:
        server_url: The libpq URL of a database there.

    Attributes:
        url: The libpq URL of the database through the proxy.
        latency: How long each request is held back, in seconds.
        requests: How many there were.
        severed: Set when the fault of `sever_at` has happened.
    """

    def __init__(self, server_url: str) -> None:
        self._server_url = make_url(server_url)
        self._links: set[_Link] = set()
        self._fault: _Fault | None = None
        self._listener: asyncio.Server | None = None
        self._changed = threading.Condition()
        self._listeners = 0
        self.latency = 0.0
        self.requests = 0
        self.severed = threading.Event()

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy")
        self._thread.start()
        self._port = self._call(self._listen(0))
        url = self._server_url.set(host="127.0.0.1", port=self._port).difference_update_query(
            ["host", "port", "sslmode"]
        )
        # Requests can be counted only where they can be read.
        self.url = url.update_query_dict({"sslmode": "disable"}).render_as_string(hide_password=False)
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def sever(self) -> None:
        """Cut all connections."""
        self._call(self._cut_all())

    def sever_at(self, requests: int, *, answered: bool, before: Callable[[], None] = lambda: None) -> None:
        """Cut all connections once, at a request.

        Parameters:
            requests: How many there are until then, counted from now.
            answered: Whether the server sees the request, and the client does not see the answer.
            before: Called right before.
        """
        self.severed.clear()
        self._fault = _Fault(requests, answered, before)

    @contextmanager
    def refusing(self) -> Generator[None]:
        """Refuse new connections while the block runs."""
        self._call(self._refuse())
        try:
            yield
        finally:
            self._call(self._listen(self._port))

    def silence_listeners(self) -> int:
        """Pass nothing on any more of the connections that listen, which are not told; return how many there are."""
        return self._call(self._silence(listeners=True))

    def silence(self) -> int:
        """Pass nothing on any more of all connections that there are, which are not told; return how many."""
        return self._call(self._silence(listeners=False))

    def wait_for_listeners(self, count: int, timeout: float = 20) -> None:
        """Wait until so many connections have begun to listen, since the proxy was started."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._listeners >= count, timeout), "nobody listens"

    # --- On the loop ---

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self, port: int) -> int:
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", port)
        return int(self._listener.sockets[0].getsockname()[1])

    async def _refuse(self) -> None:
        if self._listener:
            self._listener.close()

    async def _cut_all(self) -> None:
        for link in list(self._links):
            link.cut()

    async def _silence(self, *, listeners: bool) -> int:
        silenced = [link for link in self._links if link.listens or not listeners]
        for link in silenced:
            link.silent = True
        return len(silenced)

    async def _end(self) -> None:
        await self._refuse()
        await self._cut_all()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        if tasks:
            await asyncio.wait(tasks)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            from_server, to_server = await self._connect()
            link = _Link(writer, to_server)
            self._links.add(link)
            try:
                await asyncio.gather(self._ask(link, reader), self._answer(link, from_server), return_exceptions=True)
            finally:
                self._links.discard(link)
        writer.transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        url = self._server_url
        host = str(url.query.get("host") or url.host or "127.0.0.1")
        port = int(str(url.query.get("port") or url.port or 5432))
        if host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(host, port)

    async def _ask(self, link: _Link, client: asyncio.StreamReader) -> None:
        """Pass on what a client sends, until it has ended."""
        try:
            size = await client.readexactly(4)
            link.server.write(size + await client.readexactly(int.from_bytes(size) - 4))
            async for kind, message in _messages(client):
                if kind in _TEXTS and b"LISTEN " in message and not link.listens:
                    self._note_listener(link)
                if kind in _ASKS and not await self._asked(link):
                    return
                if not link.silent:
                    link.server.write(message)
        finally:
            link.cut()

    async def _asked(self, link: _Link) -> bool:
        """Count a request; tell whether it is to be passed on."""
        if self.latency:
            await asyncio.sleep(self.latency)
        self.requests += 1
        fault = self._fault
        if fault is None or link.silent:
            return True
        fault.requests -= 1
        if fault.requests > 0:
            return True
        self._fault = None
        if fault.answered:
            link.doomed = fault.before
        else:
            fault.before()
            await self._cut_all()
            self.severed.set()
        return fault.answered

    async def _answer(self, link: _Link, server: asyncio.StreamReader) -> None:
        """Pass on what the server sends, until it has ended."""
        try:
            async for kind, message in _messages(server):
                if link.doomed and kind == _READY:
                    link.doomed()
                    await self._cut_all()
                    self.severed.set()
                    return
                if not link.silent and not link.doomed:
                    link.client.write(message)
        finally:
            if not link.silent:
                link.cut()

    def _note_listener(self, link: _Link) -> None:
        link.listens = True
        with self._changed:
            self._listeners += 1
            self._changed.notify_all()


async def _messages(reader: asyncio.StreamReader) -> AsyncIterator[tuple[bytes, bytes]]:
    while True:
        head = await reader.readexactly(5)
        yield head[:1], head + await reader.readexactly(int.from_bytes(head[1:]) - 4)
