"""River, the job queue on PostgreSQL, for Python.

Insert jobs in the transaction you already hold: the job exists exactly when the data does.

Clients: `Client`, `AsyncClient`. A driver comes from an adapter package: ``riverqueue_psycopg``,
``riverqueue_sqlalchemy``.
"""

from typing import TYPE_CHECKING, Any

from riverqueue.client import Client
from riverqueue.driver import TransactionOptions
from riverqueue.errors import (
    AbortedError,
    ConfigurationError,
    InvalidArgsError,
    InvalidJobError,
    RiverError,
    SchemaError,
    TransactionError,
    UnavailableError,
)
from riverqueue.hooks import AsyncInsertMiddleware, InsertHook, InsertMiddleware
from riverqueue.insert_opts import (
    MAX_ATTEMPTS_DEFAULT,
    PRIORITY_DEFAULT,
    QUEUE_DEFAULT,
    InsertOpts,
    UniqueOpts,
)
from riverqueue.insert_params import InsertManyParams, JobInsertParams
from riverqueue.job_args import DictArgs, JobArgs, JobArgsWithInsertOpts, JobArgsWithToJSON, Unique
from riverqueue.jobs import AttemptError, InsertResult, JobRow, JobState

if TYPE_CHECKING:
    from riverqueue.async_client import AsyncClient

__all__ = [
    "MAX_ATTEMPTS_DEFAULT",
    "PRIORITY_DEFAULT",
    "QUEUE_DEFAULT",
    "AbortedError",
    "AsyncClient",
    "AsyncInsertMiddleware",
    "AttemptError",
    "Client",
    "ConfigurationError",
    "DictArgs",
    "InsertHook",
    "InsertManyParams",
    "InsertMiddleware",
    "InsertOpts",
    "InsertResult",
    "InvalidArgsError",
    "InvalidJobError",
    "JobArgs",
    "JobArgsWithInsertOpts",
    "JobArgsWithToJSON",
    "JobInsertParams",
    "JobRow",
    "JobState",
    "RiverError",
    "SchemaError",
    "TransactionError",
    "TransactionOptions",
    "UnavailableError",
    "Unique",
    "UniqueOpts",
]


def __getattr__(name: str) -> Any:
    # A sync program does not import the other face.
    if name == "AsyncClient":
        from riverqueue.async_client import AsyncClient

        return AsyncClient
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
