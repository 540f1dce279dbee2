"""Counts the round trips of one call, whoever makes it: a proxy reads what the server answers.

The server says ReadyForQuery once for each Sync or Query it was sent, which is when a client has waited.
"""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

import sqlalchemy

from benchmarks.contestants import Contestant
from benchmarks.rounds import Work, run
from benchmarks.server import fill

_CALLS = (100, 200)
_ROWS = 3_000  # enough for all calls to have jobs


class Proxy:
    """Passes bytes on between a socket of its own and a server, and counts.

    Parameters:
        url: Where the server is.
        directory: For the socket.
    """

    def __init__(self, url: str, directory: Path) -> None:
        parsed = sqlalchemy.make_url(url)
        host = parsed.query.get("host") or parsed.host or "127.0.0.1"
        port = parsed.query.get("port") or parsed.port or 5432
        query = {**parsed.query, "host": str(directory), "port": "5432"}
        self.url = parsed.set(host="", port=None, query=query).render_as_string(hide_password=False)
        self.ready = 0
        self._target = (str(host), int(str(port)))
        self._socket = directory / ".s.PGSQL.5432"
        self._started = Event()
        self._stopping = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_until_complete, args=[self._serve()])

    def start(self) -> None:
        self._thread.start()
        self._started.wait()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
        self._loop.close()

    async def _serve(self) -> None:
        async with await asyncio.start_unix_server(self._connected, self._socket):
            self._started.set()
            await self._stopping.wait()
        # The contestant has gone, so each connection ends by itself.
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})

    async def _connected(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await self._connect()
        await asyncio.gather(_pass_on(client, to_server), self._answer(server, to_client))

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, port = self._target
        if host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(host, port)

    async def _answer(self, server: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await server.readexactly(5)
                body = await server.readexactly(int.from_bytes(head[1:], "big") - 4)
                self.ready += head[:1] == b"Z"
                to_client.write(head + body)
        except (asyncio.IncompleteReadError, ConnectionError):
            to_client.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
    except ConnectionError:
        pass
    finally:
        writer.close()


@contextmanager
def proxy(url: str) -> Iterator[Proxy]:
    """Run a proxy in a thread of its own."""
    with tempfile.TemporaryDirectory(prefix="pg-proxy-") as directory:
        made = Proxy(url, Path(directory))
        made.start()
        try:
            yield made
        finally:
            made.stop()


def of_one_call(contestant: Contestant, work: Work, url: str) -> float:
    """Count the round trips of one call: by the difference of two runs, so that the first ones do not count."""
    counted = []
    batch = min(work.batch, 10)
    for calls in _CALLS:
        fill(url, _ROWS)
        with proxy(url) as counting:
            run(contestant, replace(work, count=calls * batch, batch=batch), counting.url)
        counted.append(counting.ready)
    few, many = _CALLS
    return (counted[1] - counted[0]) / ((many - few) * 1.1)  # the warm-up is another tenth
