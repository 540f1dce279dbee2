"""Hearing notifications on a connection of an engine."""

import selectors
import socket
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import Engine

from riverqueue.driver import BoundParams, Row
from riverqueue.sql import quote
from riverqueue_sqlalchemy.handles import reaching


class Listener:
    """A connection of psycopg's or psycopg2's that hears notifications."""

    def __init__(self, library: Any) -> None:
        self._library = library

    def listen(self, channel: str) -> None:
        """Begin to hear a channel."""
        self.fetch(f"LISTEN {quote(channel)}", ())

    def fetch(self, sql: str, params: BoundParams) -> Sequence[Row]:
        """Run one statement and return all its rows."""
        with self._library.cursor() as cursor:
            cursor.execute(sql, params or None)
            rows: Sequence[Row] = cursor.fetchall() if cursor.description else []
            return rows

    def wait(self, seconds: float) -> Sequence[tuple[str, str]]:
        """Return channel and payload of what was heard."""
        if hasattr(self._library, "poll"):
            return self._polled(time.monotonic() + seconds)
        return [(heard.channel, heard.payload) for heard in self._library.notifies(timeout=seconds, stop_after=1)]

    def abort(self) -> None:
        """Break the connection, from any thread."""
        abort(self._library)

    def _polled(self, deadline: float) -> Sequence[tuple[str, str]]:
        """Wait as psycopg2 wants it: by its file descriptor."""
        library = self._library
        library.poll()
        while not library.notifies and (rest := deadline - time.monotonic()) > 0:
            with selectors.DefaultSelector() as selector:
                selector.register(library, selectors.EVENT_READ)
                selector.select(rest)
            library.poll()
        heard = [(notice.channel, notice.payload) for notice in library.notifies]
        library.notifies.clear()
        return heard


def abort(library: Any) -> None:
    """Break a connection of libpq's, whatever waits for its server: that is told of it as if the server had hung up."""
    # One that is closed has no descriptor, which each library says by an error of its own.
    with suppress(Exception):
        of_libpq = socket.socket(fileno=library.fileno())
        try:
            of_libpq.shutdown(socket.SHUT_RDWR)
        finally:
            of_libpq.detach()  # libpq closes it


def apart(engine: Engine) -> Engine:
    """Return an engine that connects as another does, with a pool of its own."""
    return Engine(engine.pool.recreate(), engine.dialect, engine.url)


@contextmanager
def listening(engine: Engine) -> Generator[Listener]:
    """Open a connection to listen on, made as the engine makes them."""
    with reaching():
        connection = apart(engine).connect()
    library: Any = connection.connection.driver_connection
    connection.detach()  # it is ours to close
    try:
        library.autocommit = True
        yield Listener(library)
    finally:
        library.close()
