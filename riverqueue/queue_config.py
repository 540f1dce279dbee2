"""How a client works a queue (River's ``QueueConfig``)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, get_args

from riverqueue.errors import ConfigurationError, InvalidJobError
from riverqueue.insert_params import checked_queue
from riverqueue.worker import ExecutorKind

MAX_WORKERS_MAX = 10_000

_LEAST = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class QueueConfig:
    """How a client works one queue.

    Parameters:
        max_workers: Most jobs worked at once, 1 to 10,000.
        fetch_cooldown: As of the client, for this queue.
        fetch_poll_interval: As of the client, for this queue.
        executor: Where workers' functions run that do not say so themselves: ``loop``, ``thread`` or ``process``;
            default: coroutine functions on the loop, others in threads.

    Raises:
        ConfigurationError: if a value is out of range.
    """

    max_workers: int
    fetch_cooldown: timedelta | None = None
    fetch_poll_interval: timedelta | None = None
    executor: ExecutorKind | None = None

    def __post_init__(self) -> None:
        if type(self.max_workers) is not int or not 1 <= self.max_workers <= MAX_WORKERS_MAX:
            raise ConfigurationError(
                f"max_workers must be an integer from 1 to {MAX_WORKERS_MAX}, not {self.max_workers!r}"
            )
        for name in ("fetch_cooldown", "fetch_poll_interval"):
            value = getattr(self, name)
            if value is not None:
                checked_interval(value, name)
        if self.executor is not None and self.executor not in get_args(ExecutorKind):
            raise ConfigurationError(
                f"executor must be one of {', '.join(get_args(ExecutorKind))}, not {self.executor!r}"
            )


def checked_interval(value: Any, name: str) -> timedelta:
    """Return a duration if it is at least a millisecond.

    Raises:
        ConfigurationError: if it is not.
    """
    if not isinstance(value, timedelta) or value < _LEAST:
        raise ConfigurationError(f"{name} must be a timedelta of at least 1 ms, not {value!r}")
    return value


def checked_queues(queues: Any) -> dict[str, QueueConfig]:
    """Return what to work: a mapping of queue to `QueueConfig`, or to a number of workers.

    Raises:
        ConfigurationError: if it is none.
    """
    if queues is None:
        return {}
    if not isinstance(queues, Mapping):
        raise ConfigurationError(
            f'queues must be a mapping, like {{"default": QueueConfig(max_workers=100)}}, not {queues!r}'
        )
    return {checked_name(name): checked_config(name, config) for name, config in queues.items()}


def checked_name(name: Any) -> str:
    """Return a queue's name if River allows it.

    Raises:
        ConfigurationError: if it does not.
    """
    try:
        return checked_queue(name)
    except (InvalidJobError, TypeError) as error:
        raise ConfigurationError(str(error)) from None


def checked_config(name: str, config: Any) -> QueueConfig:
    """Return how to work a queue; a number is that of its workers.

    Raises:
        ConfigurationError: if it says nothing of the kind.
    """
    if type(config) is int:
        return QueueConfig(config)
    if not isinstance(config, QueueConfig):
        raise ConfigurationError(f"queue {name!r} needs a QueueConfig(max_workers=…), not {config!r}")
    return config


def resolved(
    config: QueueConfig, cooldown: timedelta, poll_interval: timedelta, name: str
) -> tuple[timedelta, timedelta]:
    """Return a queue's cool-down and poll interval, the client's where it has none of its own.

    Raises:
        ConfigurationError: if it would poll more often than the cool-down allows.
    """
    cooldown = config.fetch_cooldown or cooldown
    poll_interval = config.fetch_poll_interval or poll_interval
    if poll_interval < cooldown:
        raise ConfigurationError(
            f"queue {name!r}: fetch_poll_interval ({poll_interval}) cannot be shorter than fetch_cooldown ({cooldown})"
        )
    return cooldown, poll_interval
