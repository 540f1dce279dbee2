"""The only loops that run operations. Every statement passes here, so here it is named and logged."""

import logging
import time
from collections.abc import Generator
from typing import Any, TypeVar

from riverqueue.driver import AsyncExecutor, CopyTarget, Executor, sqlstate
from riverqueue.errors import ReadOnlyError
from riverqueue.sql import Paramstyle, render
from riverqueue.statement import Copy, Operation, Step

T = TypeVar("T")

_READ_ONLY = "25006"  # read_only_sql_transaction

logger = logging.getLogger("riverqueue.sql")


class Dialect:
    """How statements are spelled for one client: its driver's style, its schema, its server.

    Parameters:
        style: How the driver marks parameters.
        schema: Schema of River's tables; None leaves it to the ``search_path``.
        duplicate: How the server tells a duplicate.
    """

    __slots__ = ("duplicate", "schema", "style")

    def __init__(self, style: Paramstyle, schema: str | None, duplicate: str = "xmax") -> None:
        self.style = style
        self.schema = schema
        self.duplicate = duplicate

    def target(self, step: Copy) -> CopyTarget:
        """Say where a copy goes."""
        return CopyTarget(self.schema, step.table, step.columns)


def perform(operation: Operation[T], executor: Executor, dialect: Dialect) -> T:
    """Run an operation's steps one after the other and return its result.

    An error of a step is thrown into the operation, with a note that names the statement; an operation
    that does not handle it lets it out.
    """
    try:
        step = next(operation)
        while True:
            started = time.perf_counter()
            try:
                answer = _run(step, executor, dialect)
            except Exception as error:
                step = _failed(operation, step, error)
            else:
                _log(step, started)
                step = operation.send(answer)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    finally:
        operation.close()


async def perform_async(operation: Operation[T], executor: AsyncExecutor, dialect: Dialect) -> T:
    """Run an operation's steps one after the other and return its result; see `perform`."""
    try:
        step = next(operation)
        while True:
            started = time.perf_counter()
            try:
                answer = await _run_async(step, executor, dialect)
            except Exception as error:
                step = _failed(operation, step, error)
            else:
                _log(step, started)
                step = operation.send(answer)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    finally:
        operation.close()


def _run(step: Step, executor: Executor, dialect: Dialect) -> Any:
    if isinstance(step, Copy):
        return executor.copy(dialect.target(step), step.data)
    rendered = render(step.name, dialect.style, dialect.schema, dialect.duplicate, step.clauses)
    return step.decode(executor.fetch(rendered.sql, rendered.bind(step.params)))


async def _run_async(step: Step, executor: AsyncExecutor, dialect: Dialect) -> Any:
    if isinstance(step, Copy):
        return await executor.copy(dialect.target(step), step.data)
    rendered = render(step.name, dialect.style, dialect.schema, dialect.duplicate, step.clauses)
    return step.decode(await executor.fetch(rendered.sql, rendered.bind(step.params)))


def _name(step: Step) -> str:
    return f"Copy {step.table}" if isinstance(step, Copy) else step.name


def _failed(operation: Generator[Step, Any, T], step: Step, error: Exception) -> Step:
    error.add_note(f"while River ran {_name(step)}")
    if sqlstate(error) != _READ_ONLY:
        return operation.throw(error)
    refused = ReadOnlyError(_name(step))
    refused.__cause__ = error
    return operation.throw(refused)


def _log(step: Step, started: float) -> None:
    if logger.isEnabledFor(logging.DEBUG):
        logger.debug("%s took %.1f ms", _name(step), (time.perf_counter() - started) * 1000)
