"""River on SQLAlchemy: insert jobs in the session or connection you already hold.

    import riverqueue, riverqueue_sqlalchemy

    client = riverqueue.Client(riverqueue_sqlalchemy.Driver(engine))
    with Session(engine) as session, session.begin():
        session.add(order)
        client.insert(lambda: ShipArgs(order_id=order.id), tx=session)

Engines over psycopg, psycopg2 and asyncpg; SQLAlchemy 2.0 and 2.1.
"""

from typing import TYPE_CHECKING, Any

from riverqueue_sqlalchemy.driver import Driver

if TYPE_CHECKING:
    from riverqueue_sqlalchemy.async_driver import AsyncDriver

__all__ = ["AsyncDriver", "Driver"]


def __getattr__(name: str) -> Any:
    # A sync program does not import SQLAlchemy's asyncio, nor greenlet.
    if name == "AsyncDriver":
        from riverqueue_sqlalchemy.async_driver import AsyncDriver

        return AsyncDriver
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
