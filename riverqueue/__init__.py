"""River, the job queue on PostgreSQL, for Python.

Insert jobs in the transaction you already hold: the job exists exactly when the data does. Look after jobs
and queues, in the same transactions.

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
    InvalidParamsError,
    JobRunningError,
    NotFoundError,
    ReadOnlyError,
    RiverError,
    SchemaError,
    TransactionError,
    UnavailableError,
    WaitTimeoutError,
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
from riverqueue.job_counts import JobCounts
from riverqueue.job_list_cursor import JobListCursor
from riverqueue.job_params import UNSET, JobDeleteManyParams, JobListOrderBy, JobListParams, JobListResult, Where
from riverqueue.jobs import AttemptError, InsertResult, JobRow, JobState
from riverqueue.queues import Queue

if TYPE_CHECKING:
    from riverqueue.async_client import AsyncClient

__all__ = [
    "MAX_ATTEMPTS_DEFAULT",
    "PRIORITY_DEFAULT",
    "QUEUE_DEFAULT",
    "UNSET",
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
    "InvalidParamsError",
    "JobArgs",
    "JobArgsWithInsertOpts",
    "JobArgsWithToJSON",
    "JobCounts",
    "JobDeleteManyParams",
    "JobInsertParams",
    "JobListCursor",
    "JobListOrderBy",
    "JobListParams",
    "JobListResult",
    "JobRow",
    "JobRunningError",
    "JobState",
    "NotFoundError",
    "Queue",
    "ReadOnlyError",
    "RiverError",
    "SchemaError",
    "TransactionError",
    "TransactionOptions",
    "UnavailableError",
    "Unique",
    "UniqueOpts",
    "WaitTimeoutError",
    "Where",
]


def __getattr__(name: str) -> Any:
    # A sync program does not import the other face.
    if name == "AsyncClient":
        from riverqueue.async_client import AsyncClient

        return AsyncClient
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
