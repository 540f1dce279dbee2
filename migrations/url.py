"""From a database URL, however it is spelt, to an engine for one migration run."""

import importlib.util
from importlib import import_module
from typing import Any

from alembic.util import CommandError
from sqlalchemy import create_engine, make_url
from sqlalchemy.engine import Engine
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

#: Drivers in the order in which a URL that names none takes them.
_DRIVERS = ("psycopg", "psycopg2", "asyncpg")

# READ COMMITTED for what it means to wait for a lock: see api.py.
_OPTIONS: dict[str, Any] = {"poolclass": NullPool, "isolation_level": "READ COMMITTED"}


def engine(url: str) -> Engine | AsyncEngine:
    """Make an engine that keeps no connections.

    Parameters:
        url: ``postgres://`` or ``postgresql://`` in any form that libpq takes, or a URL of SQLAlchemy that
            names a driver, such as ``postgresql+asyncpg://``.

    Raises:
        CommandError: It is not a URL of PostgreSQL, or no driver is installed.
    """
    scheme, separator, rest = url.partition("://")
    dialect, plus, driver = scheme.partition("+")
    if not separator or dialect not in {"postgres", "postgresql"}:
        message = f"River's tables live in PostgreSQL; this is no URL of it: {scheme}{separator}…"
        raise CommandError(message)
    return _of_driver(f"postgresql+{driver}://{rest}") if plus else _of_libpq(f"postgresql://{rest}")


def _of_libpq(url: str) -> Engine | AsyncEngine:
    driver = next((name for name in _DRIVERS if importlib.util.find_spec(name)), None)
    if driver is None:
        message = f"no PostgreSQL driver is installed: install one of {', '.join(_DRIVERS)}"
        raise CommandError(message)
    if driver == "asyncpg":
        return _of_driver(url.replace("postgresql", "postgresql+asyncpg", 1))
    # The URL goes to libpq as it is, since SQLAlchemy does not read all that libpq does.
    connect = import_module(driver).connect
    return create_engine(f"postgresql+{driver}://", creator=lambda: connect(url), **_OPTIONS)


def _of_driver(url: str) -> Engine | AsyncEngine:
    parsed = make_url(url)
    if parsed.get_dialect().is_async:
        return create_async_engine(parsed, **_OPTIONS)
    return create_engine(parsed, **_OPTIONS)
