"""What a client sends, and the plans that PostgreSQL makes for it."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import psycopg
from psycopg import sql

from riverqueue import Client, NotFoundError
from riverqueue.driver import TransactionOptions
from riverqueue_psycopg.driver import Executor

#: How PostgreSQL plans a prepared statement: for its values, as it likes after some executions, or for any values.
Mode: TypeAlias = Literal["force_custom_plan", "auto", "force_generic_plan"]

#: A call of one method.
Asking: TypeAlias = Callable[[Client[Any, Any]], Any]

#: After five executions PostgreSQL may plan once for all.
_EXECUTIONS = 8


class Notebook:
    """A driver whose executor notes statements and sends none, once the client knows the server.

    Parameters:
        connection: To ask the server by what it is.
    """

    style = "numeric_dollar"
    bound = True
    copies = False
    notifies = True

    def __init__(self, connection: psycopg.Connection) -> None:
        self.sent: list[tuple[str, Sequence[Any]]] = []
        self._server = Executor(connection)
        self._is_known = False

    def fetch(self, statement: str, params: Any) -> Sequence[Any]:
        if not self._is_known:
            self._is_known = True
            return self._server.fetch(statement, params)
        self.sent.append((statement, params))
        return []

    @contextlib.contextmanager
    def autocommit(self) -> Iterator["Notebook"]:
        yield self

    def begin(self, options: TransactionOptions) -> Any:
        raise NotImplementedError("a statement is enough for what is tested here")

    unwrap = begin


@dataclass(frozen=True)
class Plan:
    """A plan.

    Attributes:
        nodes: Its nodes, as EXPLAIN (FORMAT JSON) shows them, from the top.
        is_for_any_values: Whether it was made once, and not for the values of one execution.
    """

    nodes: list[dict[str, Any]]
    is_for_any_values: bool

    @property
    def indexes(self) -> set[str]:
        """The names of the indexes it reads."""
        return {node["Index Name"] for node in self.nodes if "Index Name" in node}

    @property
    def scans(self) -> bool:
        """Whether it reads a whole table of River's."""
        return any(node["Node Type"] == "Seq Scan" for node in self.nodes)

    def all(self, key: str) -> list[Any]:
        """Return what its nodes have under a key, from the top."""
        return [node[key] for node in self.nodes if key in node]


def statement_of(connection: psycopg.Connection, asking: Asking) -> tuple[str, Sequence[Any]]:
    """Return the one statement that a client sends, and its parameters."""
    notebook = Notebook(connection)
    with contextlib.suppress(NotFoundError, IndexError):  # it is answered by nothing
        asking(Client(notebook))  # type: ignore[arg-type]
    ((statement, params),) = notebook.sent
    return statement, params


def explain(connection: psycopg.Connection, statement: str, params: Sequence[Any], mode: Mode) -> Plan:
    """Return the plan for a statement that was prepared and has been executed for some time."""
    connection.execute(f"SET plan_cache_mode = {mode}".encode())
    connection.execute(f"PREPARE asked AS {statement}".encode())
    values = sql.SQL(", ").join(sql.Literal(value) for value in params)
    execution = sql.SQL("EXECUTE asked ({})").format(values) if params else sql.SQL("EXECUTE asked")
    try:
        for _ in range(_EXECUTIONS):
            (found,) = connection.execute(sql.SQL("EXPLAIN (FORMAT JSON, VERBOSE) {}").format(execution)).fetchall()
        ((once,),) = connection.execute(
            "SELECT generic_plans > 0 FROM pg_prepared_statements WHERE name = 'asked'"
        ).fetchall()
    finally:
        connection.execute("DEALLOCATE asked")
    return Plan(list(_nodes(found[0][0]["Plan"])), once)


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for below in node.get("Plans", ()):
        yield from _nodes(below)
