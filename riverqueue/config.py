"""The options of a client, checked (River's ``Config``)."""

import inspect
import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, TypeVar

from riverqueue.errors import ConfigurationError, InvalidJobError, TransactionError

T = TypeVar("T")

FETCH_COOLDOWN_DEFAULT = timedelta(milliseconds=100)

_SCHEMA = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_SCHEMA_BYTES = 46  # 63, an identifier's, without a dot and the longest topic, river_leadership


def checked_schema(schema: str | None) -> str | None:
    """Return a schema's name if River allows it.

    Raises:
        ConfigurationError: if it does not.
    """
    if schema is None:
        return None
    if not isinstance(schema, str) or not _SCHEMA.fullmatch(schema):
        raise ConfigurationError(
            f"schema is invalid: {schema!r}. Use ASCII letters, digits and underscores, not a digit first; "
            "leave it out to use the search_path"
        )
    if len(schema) > _SCHEMA_BYTES:
        raise ConfigurationError(
            f"schema cannot be longer than {_SCHEMA_BYTES} characters, because notification channels begin "
            f"with it: {schema!r} has {len(schema)}"
        )
    return schema


def checked_max_attempts(value: int) -> int:
    """Return a number of attempts if it can be stored.

    Raises:
        ConfigurationError: if it cannot.
    """
    if type(value) is not int or not 1 <= value <= 32_767:
        raise ConfigurationError(f"max_attempts must be an integer from 1 to 32767, not {value!r}")
    return value


def checked_cooldown(value: timedelta) -> timedelta:
    """Return a fetch cool-down if River allows it.

    Raises:
        ConfigurationError: if it is no timedelta, or under a millisecond.
    """
    if not isinstance(value, timedelta) or value < timedelta(milliseconds=1):
        raise ConfigurationError(f"fetch_cooldown must be a timedelta of at least 1 ms, not {value!r}")
    return value


def check_driver(driver: Any, *, asynchronous: bool) -> None:
    """Refuse what is no driver, or one of the other colour.

    Raises:
        ConfigurationError: saying what to pass.
    """
    unwrap = getattr(driver, "unwrap", None)
    if not callable(unwrap):
        raise ConfigurationError(
            f"driver must be a River driver, not {type(driver).__name__}: wrap it, for example "
            "riverqueue_sqlalchemy.Driver(engine) or riverqueue_psycopg.Driver(pool)"
        )
    if inspect.iscoroutinefunction(unwrap) != asynchronous:
        mine, other = ("AsyncClient", "Client") if asynchronous else ("Client", "AsyncClient")
        kind = type(driver).__name__
        raise ConfigurationError(f"{mine} cannot use {kind}; use {other}, or the adapter's other driver class")


def check_no_savepoint(savepoint: bool) -> None:
    """Refuse a savepoint where there is no transaction.

    Raises:
        TransactionError: if one is asked for.
    """
    if savepoint:
        raise TransactionError("savepoint=True needs a transaction to set it in: pass tx=")


def given(tx: T | None) -> T:
    """Return the transaction if there is one.

    Raises:
        TransactionError: if it is None.
    """
    if tx is None:
        raise TransactionError("tx is None; pass your open transaction, or use insert() or insert_many()")
    return tx


def checked_items(items: Iterable[T]) -> Iterable[T]:
    """Return a batch's items if it is one.

    Raises:
        InvalidJobError: if it is one job's args, or anything else that has no items.
    """
    if not isinstance(items, Iterable) or isinstance(items, str | Mapping):
        raise InvalidJobError(
            f"insert_many takes a list of jobs, not one {type(items).__name__}; write [...], or insert()"
        )
    return items


def no_jobs() -> InvalidJobError:
    """Say that a batch is empty, in River's words."""
    return InvalidJobError("no jobs to insert")
