"""The contract of a driver: what River asks of a database library, and nothing more.

A driver adapts one library. It says how that library marks parameters, opens transactions, and finds
in the caller's own ``tx`` an `Executor`: one open transaction that runs a statement, sets a
savepoint, and copies bytes into a table. Everything River knows stands above this line, so every
driver that keeps the contract behaves alike; ``riverqueue.testing.conformance`` checks that it does.

What a driver must keep:

* Values go in as ``None bool int float str datetime list[int] list[str]`` and come out as the same;
  aware datetimes on both sides. The caller's row factory, JSON loader or codec must not show.
* `Executor.fetch` runs one statement in the transaction and returns all rows, by position; none if the
  statement has none.
* `Executor.savepoint` never ends the transaction around it, even if nothing was run in that yet.
* `Driver.unwrap` never begins, commits or rolls back for the caller, and refuses a wrong object with
  `TransactionError` before any SQL: another library's, a closed one, one that would commit at once.
* `Driver.begin` commits when its block ends, and rolls back when an exception leaves it.
* `Driver.autocommit` runs single statements that commit by themselves, so that a lone insert costs one
  round trip. A driver made from the caller's own connection or session, which is ``bound``, runs them
  in its transaction.
* Errors of the database pass through untouched. Only the failure to get a connection at all is
  reported as `UnavailableError`.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

from riverqueue.errors import ConfigurationError
from riverqueue.jobs import Row
from riverqueue.sql import BoundParams, Paramstyle, quote

TxT_contra = TypeVar("TxT_contra", contravariant=True)
BeginT_co = TypeVar("BeginT_co", covariant=True)

__all__ = [
    "AsyncDriver",
    "AsyncExecutor",
    "AsyncListener",
    "AsyncListens",
    "BoundParams",
    "CopyTarget",
    "Driver",
    "Executor",
    "IsolationLevel",
    "Listener",
    "Listens",
    "Paramstyle",
    "Row",
    "TransactionOptions",
    "sqlstate",
]

IsolationLevel: TypeAlias = Literal["READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]
_ISOLATION_LEVELS = ("READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")


@dataclass(frozen=True, slots=True)
class TransactionOptions:
    """How to begin a transaction; None leaves it to the connection's own settings.

    Parameters:
        isolation_level: One of SQL's four.
        read_only: Whether writing is refused.
        deferrable: With SERIALIZABLE and `read_only`: wait for a snapshot that cannot fail.

    Raises:
        ConfigurationError: if the isolation level is not one of them.
    """

    isolation_level: IsolationLevel | None = None
    read_only: bool | None = None
    deferrable: bool | None = None

    def __post_init__(self) -> None:
        if self.isolation_level is not None and self.isolation_level not in _ISOLATION_LEVELS:
            raise ConfigurationError(
                f"isolation_level must be one of {', '.join(_ISOLATION_LEVELS)}, not {self.isolation_level!r}"
            )


@dataclass(frozen=True, slots=True)
class CopyTarget:
    """Where copied rows go.

    Parameters:
        schema: None leaves it to the ``search_path``.
        table: The table's name.
        columns: In the order of the data.
    """

    schema: str | None
    table: str
    columns: tuple[str, ...]

    @property
    def sql(self) -> str:
        """The COPY statement, for libraries that want one."""
        table = f"{quote(self.schema)}.{self.table}" if self.schema else self.table
        return f"COPY {table} ({', '.join(self.columns)}) FROM STDIN (FORMAT BINARY)"


class Executor(Protocol):
    """One open transaction, as operations see it."""

    @property
    def notifies(self) -> bool:
        """Whether its transaction may notify: PostgreSQL refuses to prepare one for a two-phase commit that did."""
        ...

    def fetch(self, sql: str, params: BoundParams) -> Sequence[Row]:
        """Run one statement and return all its rows."""
        ...

    def savepoint(self) -> AbstractContextManager[Any]:
        """Keep what goes wrong inside the block from the transaction around it."""
        ...

    def copy(self, target: CopyTarget, data: Iterable[bytes]) -> int:
        """Copy binary rows into a table and return how many; only if the driver `copies`.

        The pieces are made while they are asked for: send each before asking for the next, if the library can.
        """
        ...


class Driver(Protocol[TxT_contra, BeginT_co]):
    """Adapts one database library; see the module's text for what it must keep."""

    @property
    def style(self) -> Paramstyle:
        """How the library marks parameters."""
        ...

    @property
    def bound(self) -> bool:
        """Whether it was made from the caller's own connection or session, where nothing is retried."""
        ...

    @property
    def copies(self) -> bool:
        """Whether its executors can copy."""
        ...

    def begin(self, options: TransactionOptions) -> AbstractContextManager[BeginT_co]:
        """Open a transaction of the library's own type, ended with the block."""
        ...

    def autocommit(self) -> AbstractContextManager[Executor]:
        """Give an executor whose statements each commit by themselves."""
        ...

    def unwrap(self, tx: TxT_contra, /) -> Executor:
        """Find the executor in the caller's transaction."""
        ...


class AsyncExecutor(Protocol):
    """One open transaction, as operations see it, on an event loop."""

    @property
    def notifies(self) -> bool:
        """Whether its transaction may notify: PostgreSQL refuses to prepare one for a two-phase commit that did."""
        ...

    async def fetch(self, sql: str, params: BoundParams) -> Sequence[Row]:
        """Run one statement and return all its rows."""
        ...

    def savepoint(self) -> AbstractAsyncContextManager[Any]:
        """Keep what goes wrong inside the block from the transaction around it."""
        ...

    async def copy(self, target: CopyTarget, data: Iterable[bytes]) -> int:
        """Copy binary rows into a table and return how many; only if the driver `copies`.

        The pieces are made while they are asked for: send each before asking for the next, if the library can.
        """
        ...


class Listener(Protocol):
    """A connection of its own that hears notifications, in autocommit; used by one thread at a time, but for `abort`.

    What arrives while a statement runs is kept for the next `wait`.
    """

    def listen(self, channel: str) -> None:
        """Begin to hear a channel, whose name is to be quoted."""
        ...

    def fetch(self, sql: str, params: BoundParams) -> Sequence[Row]:
        """Run one statement, its parameters marked in the library's own way, and return all its rows."""
        ...

    def wait(self, seconds: float) -> Sequence[tuple[str, str]]:
        """Return channel and payload of what was heard, as soon as there is any; nothing after so many seconds.

        Raises what the library raises when the connection is lost.
        """
        ...

    def abort(self) -> None:
        """Break the connection, from any thread: what another thread does with it fails at once.

        A server that is gone without a word would be waited for otherwise.
        """
        ...


class Listens(Protocol):
    """What a driver has beside the rest if it can hear notifications; without it, clients poll."""

    def listener(self) -> AbstractContextManager[Listener]:
        """Open a connection to listen on, closed with the block; it is not one of the pool.

        Raises:
            UnavailableError: if none can be had.
            ConfigurationError: if the driver is `Driver.bound` to a connection and cannot make others like it.
        """
        ...


class AsyncListener(Protocol):
    """A connection of its own that hears notifications, in autocommit.

    What arrives while a statement runs is kept for the next `wait`. A cancelled `wait` leaves everything as it was. A
    cancelled `fetch` leaves nothing to do but to end the block, and neither waits for the server to answer.
    """

    async def listen(self, channel: str) -> None:
        """Begin to hear a channel, whose name is to be quoted."""
        ...

    async def fetch(self, sql: str, params: BoundParams) -> Sequence[Row]:
        """Run one statement, its parameters marked in the library's own way, and return all its rows."""
        ...

    async def wait(self, seconds: float) -> Sequence[tuple[str, str]]:
        """Return channel and payload of what was heard, as soon as there is any; nothing after so many seconds.

        Raises what the library raises when the connection is lost.
        """
        ...


class AsyncListens(Protocol):
    """What a driver has beside the rest if it can hear notifications; without it, clients poll."""

    def listener(self) -> AbstractAsyncContextManager[AsyncListener]:
        """Open a connection to listen on, closed with the block; it is not one of the pool.

        Raises:
            UnavailableError: if none can be had.
            ConfigurationError: if the driver is `AsyncDriver.bound` to a connection and cannot make others like it.
        """
        ...


class AsyncDriver(Protocol[TxT_contra, BeginT_co]):
    """Adapts one database library on an event loop; see the module's text for what it must keep."""

    @property
    def style(self) -> Paramstyle:
        """How the library marks parameters."""
        ...

    @property
    def bound(self) -> bool:
        """Whether it was made from the caller's own connection or session, where nothing is retried."""
        ...

    @property
    def copies(self) -> bool:
        """Whether its executors can copy."""
        ...

    def begin(self, options: TransactionOptions) -> AbstractAsyncContextManager[BeginT_co]:
        """Open a transaction of the library's own type, ended with the block."""
        ...

    def autocommit(self) -> AbstractAsyncContextManager[AsyncExecutor]:
        """Give an executor whose statements each commit by themselves."""
        ...

    async def unwrap(self, tx: TxT_contra, /) -> AsyncExecutor:
        """Find the executor in the caller's transaction."""
        ...


def sqlstate(error: BaseException) -> str | None:
    """Return the SQLSTATE of a database's error, whichever library raised it."""
    cause: BaseException | None = error
    seen: set[int] = set()
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        for name in ("sqlstate", "pgcode"):
            state = getattr(cause, name, None)
            if isinstance(state, str):
                return state
        cause = getattr(cause, "orig", None) or cause.__cause__
    return None
