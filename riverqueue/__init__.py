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
    JobLostError,
    JobRunningError,
    NotFoundError,
    ReadOnlyError,
    RiverError,
    SchemaError,
    TransactionError,
    UnavailableError,
    UnknownJobKindError,
    WaitTimeoutError,
)
from riverqueue.events import Event, EventKind, JobStatistics
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
from riverqueue.job_logs import JobFieldsFilter, JobLogs, job_fields
from riverqueue.job_params import UNSET, JobDeleteManyParams, JobListOrderBy, JobListParams, JobListResult, Where
from riverqueue.jobs import AttemptError, InsertResult, Job, JobRow, JobState
from riverqueue.outcomes import JobCancel, JobSnooze
from riverqueue.process_pool import ProcessPool
from riverqueue.queue_config import QueueConfig
from riverqueue.queues import Queue
from riverqueue.resumable import ResumableError
from riverqueue.retry_policy import DefaultRetryPolicy, RetryPolicy
from riverqueue.work_context import (
    WorkContext,
    client_from_context,
    metadata_set,
    record_output,
    resumable_step,
    resumable_step_cursor,
    set_cursor,
    work_context,
)
from riverqueue.worker import (
    NO_TIMEOUT,
    ErrorHandler,
    JobStuckHandler,
    TransactionalWorker,
    WorkBeginHook,
    WorkEndHook,
    Worker,
    WorkMiddleware,
)
from riverqueue.workers import Workers

if TYPE_CHECKING:
    from riverqueue.async_client import AsyncClient

__all__ = [
    "MAX_ATTEMPTS_DEFAULT",
    "NO_TIMEOUT",
    "PRIORITY_DEFAULT",
    "QUEUE_DEFAULT",
    "UNSET",
    "AbortedError",
    "AsyncClient",
    "AsyncInsertMiddleware",
    "AttemptError",
    "Client",
    "ConfigurationError",
    "DefaultRetryPolicy",
    "DictArgs",
    "ErrorHandler",
    "Event",
    "EventKind",
    "InsertHook",
    "InsertManyParams",
    "InsertMiddleware",
    "InsertOpts",
    "InsertResult",
    "InvalidArgsError",
    "InvalidJobError",
    "InvalidParamsError",
    "Job",
    "JobArgs",
    "JobArgsWithInsertOpts",
    "JobArgsWithToJSON",
    "JobCancel",
    "JobCounts",
    "JobDeleteManyParams",
    "JobFieldsFilter",
    "JobInsertParams",
    "JobListCursor",
    "JobListOrderBy",
    "JobListParams",
    "JobListResult",
    "JobLogs",
    "JobLostError",
    "JobRow",
    "JobRunningError",
    "JobSnooze",
    "JobState",
    "JobStatistics",
    "JobStuckHandler",
    "NotFoundError",
    "ProcessPool",
    "Queue",
    "QueueConfig",
    "ReadOnlyError",
    "ResumableError",
    "RetryPolicy",
    "RiverError",
    "SchemaError",
    "TransactionError",
    "TransactionOptions",
    "TransactionalWorker",
    "UnavailableError",
    "Unique",
    "UniqueOpts",
    "UnknownJobKindError",
    "WaitTimeoutError",
    "Where",
    "WorkBeginHook",
    "WorkContext",
    "WorkEndHook",
    "WorkMiddleware",
    "Worker",
    "Workers",
    "client_from_context",
    "job_fields",
    "metadata_set",
    "record_output",
    "resumable_step",
    "resumable_step_cursor",
    "set_cursor",
    "work_context",
]


def __getattr__(name: str) -> Any:
    # A sync program does not import the other face.
    if name == "AsyncClient":
        from riverqueue.async_client import AsyncClient

        return AsyncClient
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
