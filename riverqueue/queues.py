"""A queue as it stands in ``river_queue``."""

import json
from datetime import datetime
from typing import Any

from riverqueue.jobs import Row, time_from_json


class Queue:
    """A queue as it stood in the database at the moment it was read.

    A queue has a row once a client works it, until a day after none does; jobs need none.
    """

    __slots__ = ("_decoded", "_text", "name")

    name: str
    """Its name."""

    def __init__(self, row: Row) -> None:
        self.name = row[0]
        self._text: str = row[1]
        self._decoded: list[Any] | None = None

    def _value(self, index: int) -> Any:
        decoded: list[Any] = json.loads(self._text) if self._decoded is None else self._decoded
        self._decoded = decoded
        return decoded[index]

    @property
    def created_at(self) -> datetime:
        """When a client first worked it (UTC)."""
        return time_from_json(self._value(0))

    @property
    def metadata(self) -> dict[str, Any]:
        """What programs keep about it."""
        return self._value(1)  # type: ignore[no-any-return]

    @property
    def paused_at(self) -> datetime | None:
        """Since when no job of it is begun (UTC); None if it is not paused."""
        return self._value(2) and time_from_json(self._value(2))

    @property
    def updated_at(self) -> datetime:
        """When a client last said that it works it, or something about it changed (UTC)."""
        return time_from_json(self._value(3))

    def _comparable(self) -> tuple[object, ...]:
        return self.name, self.created_at, self.metadata, self.paused_at, self.updated_at

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Queue) and self._comparable() == other._comparable()

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"<Queue {self.name!r}{' paused' if self.paused_at else ''}>"
