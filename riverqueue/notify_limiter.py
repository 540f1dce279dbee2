"""Keeps a busy client from notifying more often than anybody would fetch (River's ``notifylimiter``)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from threading import Lock

from riverqueue.clock import Clock

_NEVER = datetime(1, 1, 1, tzinfo=UTC)


class NotifyLimiter:
    """Lets one notification a queue through in each cool-down.

    Parameters:
        clock: Tells the time.
        cooldown: Time that must have passed since a queue's last notification.
    """

    def __init__(self, clock: Clock, cooldown: timedelta) -> None:
        self._clock = clock
        self._cooldown = cooldown
        self._last: dict[str, datetime] = {}
        self._lock = Lock()

    def take(self, queues: Sequence[str]) -> list[str]:
        """Return the queues to notify now, and remember that they were."""
        now = self._clock.now()
        horizon = now - self._cooldown
        with self._lock:
            taken = [queue for queue in queues if self._last.get(queue, _NEVER) < horizon]
            self._last.update(dict.fromkeys(taken, now))
        return taken

    def give_back(self, queues: Sequence[str]) -> None:
        """Forget queues whose notification was not sent after all."""
        with self._lock:
            for queue in queues:
                self._last.pop(queue, None)
