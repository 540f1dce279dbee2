"""Hears notifications on a connection of its own, and opens it anew when it is lost (River's ``internal/notifier``)."""

import asyncio
import json
import logging
from collections.abc import Callable, Iterable
from typing import Any

from riverqueue.driver import AsyncListener
from riverqueue.runtime.backoff import backoff
from riverqueue.runtime.store import Store

logger = logging.getLogger("riverqueue.worker")

INSERT = "river_insert"
CONTROL = "river_control"

#: A connection that is silent for so long, in seconds, is asked whether it is there; and how long it has to answer.
SILENCE = 5.0
ANSWER = 10.0

Subscriber = Callable[[dict[str, Any]], None]


class Notifier:
    """Keeps one listening connection, and passes on what it hears.

    What is notified while there is no connection is lost: subscribers to `connected` look for themselves then.

    Parameters:
        store: Opens the connection.
        schema: Schema of River's tables; None is the connection's current one.
        topics: What to listen to.
    """

    def __init__(
        self,
        store: Store,
        schema: str | None,
        topics: Iterable[str] = (INSERT, CONTROL),
    ) -> None:
        self._store = store
        self._schema = schema
        self._topics = tuple(topics)
        self._subscribers: dict[str, list[Subscriber]] = {topic: [] for topic in self._topics}
        self._connected: list[Callable[[], None]] = []

    def subscribe(self, topic: str, subscriber: Subscriber) -> Callable[[], None]:
        """Have payloads of a topic passed on.

        Parameters:
            topic: What about.
            subscriber: Given each payload, decoded; must not block.

        Returns:
            A function that ends it.
        """
        self._subscribers[topic].append(subscriber)
        return lambda: self._subscribers[topic].remove(subscriber)

    def on_connect(self, connected: Callable[[], None]) -> Callable[[], None]:
        """Have a function called after each connect but the first; returns a function that ends it."""
        self._connected.append(connected)
        return lambda: self._connected.remove(connected)

    async def run(self, ready: "asyncio.Future[None]") -> None:
        """Listen until cancelled.

        Parameters:
            ready: Is done once it listens for the first time, or has the error that kept it from that; then this ends.
        """
        failures = 0
        while True:
            try:
                async with self._store.listener() as listener:
                    await self._listen(listener)
                    failures = 0
                    self._say_connected(ready)
                    await self._pass_on(listener)
            except Exception as error:
                if not ready.done():
                    ready.set_exception(error)
                    return
                failures += 1
                delay = backoff(failures)
                logger.warning("the listening connection is lost, opening another in %.1f s: %s", delay, error)
                await asyncio.sleep(delay)

    async def _listen(self, listener: AsyncListener) -> None:
        async with asyncio.timeout(ANSWER):
            prefix = self._schema
            if prefix is None:
                prefix = (await listener.fetch("SELECT current_schema()::text", ()))[0][0]
            for topic in self._topics:
                await listener.listen(f"{prefix}.{topic}")

    def _say_connected(self, ready: "asyncio.Future[None]") -> None:
        if not ready.done():
            ready.set_result(None)
            return
        for connected in list(self._connected):
            connected()

    async def _pass_on(self, listener: AsyncListener) -> None:
        while True:
            notifications = await listener.wait(SILENCE)
            for channel, payload in notifications:
                self._dispatch(channel.rpartition(".")[2], payload)
            if not notifications:
                async with asyncio.timeout(ANSWER):
                    await listener.fetch("SELECT 1", ())

    def _dispatch(self, topic: str, payload: str) -> None:
        try:
            decoded = json.loads(payload)
        except ValueError:
            decoded = None
        if not isinstance(decoded, dict):
            logger.error("a notification of %s cannot be read: %.200s", topic, payload)
            return
        for subscriber in list(self._subscribers.get(topic, ())):
            try:
                subscriber(decoded)
            except Exception:  # of one notification, not of the connection
                logger.exception("a notification of %s cannot be followed: %.200s", topic, payload)
