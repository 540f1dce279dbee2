"""Looking after queues."""

from collections.abc import Mapping
from typing import Any

from riverqueue import checks
from riverqueue.faces.async_base import AsyncBase, BeginT, TxT
from riverqueue.operations import queue as operations
from riverqueue.queues import Queue


class AsyncQueues(AsyncBase[TxT, BeginT]):
    """The methods for queues."""

    async def queue_get(self, name: str, *, tx: TxT | None = None) -> Queue:
        """Return a queue.

        Parameters:
            name: Its name.
            tx: Your transaction; see `insert`.

        Raises:
            NotFoundError: if there is none.
        """
        name = checks.text(name, "a queue's name")
        return await self._database.ask(lambda _: operations.queue_get(name), tx)

    async def queue_list(self, *, first: int = 100, tx: TxT | None = None) -> list[Queue]:
        """Return the queues that clients work, or worked within the last day, by name.

        Parameters:
            first: How many at most, 1 to 10,000.
            tx: Your transaction; see `insert`.

        Raises:
            InvalidParamsError: if `first` is out of range.
        """
        first = checks.first(first)
        return await self._database.ask(lambda _: operations.queue_list(first), tx)

    async def queue_pause(self, name: str, *, tx: TxT | None = None) -> None:
        """Let no more jobs of a queue be begun, by any client, when the transaction commits.

        Jobs that run go on. A queue that is paused stays so as it was.

        Parameters:
            name: Its name; ``*`` is all queues that there are now.
            tx: Your transaction; see `insert`.

        Raises:
            NotFoundError: if there is none.
        """
        name = checks.text(name, "a queue's name")
        now = self._now()
        await self._database.ask(lambda notify: operations.queue_set_paused(name, "pause", now=now, notify=notify), tx)

    async def queue_resume(self, name: str, *, tx: TxT | None = None) -> None:
        """Let jobs of a queue be begun again.

        Parameters:
            name: Its name; ``*`` is all queues that there are.
            tx: Your transaction; see `insert`.

        Raises:
            NotFoundError: if there is none.
        """
        name = checks.text(name, "a queue's name")
        now = self._now()
        await self._database.ask(lambda notify: operations.queue_set_paused(name, "resume", now=now, notify=notify), tx)

    async def queue_update(
        self, name: str, *, metadata: Mapping[str, Any] | None = None, tx: TxT | None = None
    ) -> Queue:
        """Replace a queue's metadata, and tell the clients that work it.

        Parameters:
            name: Its name.
            metadata: What is to be there instead; default: it stays, and only ``updated_at`` changes.
            tx: Your transaction; see `insert`.

        Returns:
            The queue as it is now.

        Raises:
            NotFoundError: if there is none.
            InvalidParamsError: if the metadata cannot be stored, or is too large for a notification (8 kB).
        """
        name = checks.text(name, "a queue's name")
        encoded = None if metadata is None else checks.json_object(metadata, "metadata")
        return await self._database.ask(lambda notify: operations.queue_update(name, encoded, notify=notify), tx)
