"""River on psycopg: insert jobs in the psycopg connection you already hold.

import psycopg
import riverqueue, riverqueue_psycopg

client = riverqueue.Client(riverqueue_psycopg.Driver("postgresql://localhost/app"))
with psycopg.connect("postgresql://localhost/app") as conn:
    conn.execute("INSERT INTO …")
    client.insert(SortArgs(["c", "a"]), tx=conn)
"""

from typing import TYPE_CHECKING, Any

from riverqueue_psycopg.driver import Driver

if TYPE_CHECKING:
    from riverqueue_psycopg.async_driver import AsyncDriver

__all__ = ["AsyncDriver", "Driver"]


def __getattr__(name: str) -> Any:
    # A sync program does not import the other colour.
    if name == "AsyncDriver":
        from riverqueue_psycopg.async_driver import AsyncDriver

        return AsyncDriver
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
