"""Do something with each of several, whatever becomes of the others."""

from collections.abc import Callable, Iterable
from typing import TypeVar

import click

from riverqueue.cli.failures import ExitCode, explain
from riverqueue.driver import sqlstate
from riverqueue.errors import JobRunningError, NotFoundError, RiverError, SchemaError

T = TypeVar("T")

_UNIQUE_VIOLATION = "23505"


def each(things: Iterable[T], act: Callable[[T], None]) -> int:
    """Do something with each thing, and return the exit code.

    Parameters:
        things: Ids of jobs, or names of queues.
        act: What to do with one. If it is refused, that is reported, and the others are done all the same.

    Raises:
        Exception: What the others would meet as well.
    """
    code = 0
    for thing in things:
        try:
            act(thing)
        except SchemaError:
            raise
        except Exception as error:
            click.echo(f"Error: {_refusal(error, thing)}", err=True)
            code = ExitCode.FAILED
    return code


def _refusal(error: Exception, thing: object) -> str:
    """Say why one thing was refused; raise what is not about that thing alone."""
    if isinstance(error, JobRunningError):
        return f"job {thing} is running: riverqueue jobs cancel {thing}, and wait until its worker has stopped"
    if sqlstate(error) == _UNIQUE_VIOLATION:
        return f"job {thing} is unique, and another job has taken its place"
    if isinstance(error, NotFoundError):
        return str(error).partition(" (")[0]
    if isinstance(error, RiverError):
        return str(explain(error))
    raise error
