"""The steps an operation is made of, as values: nothing here does I/O.

An *operation* is a generator that yields steps and is sent their results. Running one is
`riverqueue.perform`'s business. ``yield from ask("JobInsertMany", jobs, …)`` has the decoded type,
which mypy and pyright both see.
"""

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeAlias, TypeVar

from riverqueue.jobs import Row

T = TypeVar("T")

#: What crosses a driver inward; JSON travels as text, a bytea as hex, an enum as text.
Param: TypeAlias = bool | int | float | str | datetime | list[int] | list[str] | None
Params: TypeAlias = Mapping[str, Param]

#: What a statement leaves open, by name: conditions, an order.
Clauses: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Statement(Generic[T]):
    """One statement of ``sql/``, by name, with its parameters, what it leaves open, and the decoder of its rows."""

    name: str
    decode: Callable[[Sequence[Row]], T]
    params: Params
    clauses: Clauses = ()

    def __iter__(self) -> "Generator[Step, T, T]":
        return (yield self)


@dataclass(frozen=True, slots=True)
class Copy:
    """Rows for one table in PostgreSQL's binary COPY format, in pieces; answered with how many went in."""

    table: str
    columns: tuple[str, ...]
    data: Iterable[bytes]

    def __iter__(self) -> "Generator[Step, int, int]":
        return (yield self)


Step: TypeAlias = Statement[Any] | Copy
Operation: TypeAlias = Generator[Step, Any, T]


def ask(name: str, decode: Callable[[Sequence[Row]], T], clauses: Clauses = (), /, **params: Param) -> Statement[T]:
    """Name the statement to run next; use with ``yield from``.

    Parameters:
        name: The statement's name in ``sql/``.
        decode: Makes the result of all rows.
        clauses: What the statement leaves open.
        params: The statement's parameters, all of them.
    """
    return Statement(name, decode, params, clauses)
