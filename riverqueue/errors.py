"""The errors River raises on its own account, drawn as a tree.

::

    RiverError
    ├── ConfigurationError (ValueError)   an option of a client or driver is wrong
    ├── InvalidJobError (ValueError)      a job was refused before any SQL
    │   ├── InvalidArgsError              its args cannot be stored
    │   └── UnknownJobKindError           the client has workers, but none for its kind
    ├── ArgsDecodeError (ValueError)      a job's args are not what its worker's type asks for
    ├── InvalidParamsError (ValueError)   what a method was asked for cannot be, found before any SQL
    ├── NotFoundError (LookupError)       there is no such job or queue
    ├── JobRunningError                   a running job cannot be deleted or retried
    ├── JobLostError                      a worker completes a job that is not its own any more
    ├── WaitTimeoutError (TimeoutError)   a job was not finalized in time
    ├── TransactionError                  the object given as ``tx`` cannot carry what is asked
    │   ├── AbortedError                  a transaction of ``client.transaction()`` had failed before its end
    │   └── ReadOnlyError                 the transaction is read-only
    ├── SchemaError                       River's tables are missing or too old
    └── UnavailableError                  the database could not be reached

The database's own errors are not wrapped: inside your transaction, what the driver raises is
what you see, with a note that names River's statement. `ReadOnlyError` alone stands for one of
them, which is its cause.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from riverqueue.jobs import JobRow


class RiverError(Exception):
    """Base of every error that River itself raises."""


class ConfigurationError(RiverError, ValueError):
    """An option of a client, driver or helper has a value that cannot work."""


class InvalidJobError(RiverError, ValueError):
    """A job was refused before any SQL was sent; the transaction is untouched."""


class InvalidArgsError(InvalidJobError):
    """A job's args cannot be encoded as the JSON object that River stores."""


class UnknownJobKindError(InvalidJobError):
    """No worker is registered for a job's kind: where the job was to be inserted, or where it was to be worked.

    Parameters:
        kind: The kind.
        remedy: What to do, where there is somebody to do it.
    """

    def __init__(self, kind: str, remedy: str = "") -> None:
        text = f"job kind is not registered in the client's Workers bundle: {kind}"
        super().__init__(f"{text}; {remedy}" if remedy else text)


class ArgsDecodeError(RiverError, ValueError):
    """A job's args, as they are stored, are not what its worker's type asks for; the message begins with the place.

    ``args.customer.id: Expected `int`, got `str```
    """


class InvalidParamsError(RiverError, ValueError):
    """A method was asked for what cannot be: an unknown state, a cursor of another listing, an id that is no id.

    Found before any SQL was sent; the transaction is untouched.
    """


class NotFoundError(RiverError, LookupError):
    """There is no such job or queue, or it is in a transaction that has not committed."""


class JobRunningError(RiverError):
    """A job is being worked, and so can be neither deleted nor retried.

    Parameters:
        job: The job, unchanged.
        what: What it cannot be: ``deleted`` or ``retried``.
    """

    def __init__(self, job: "JobRow", what: str) -> None:
        super().__init__(
            f"job {job.id} is running: running jobs cannot be {what}. Cancel it by job_cancel({job.id}) and wait until "
            "its worker has stopped"
        )
        self.job = job


class JobLostError(RiverError):
    """A worker was to complete a job that it does not work any more: it was rescued, cancelled or worked by another.

    Let it out, so that the worker's transaction rolls back: its effects belong to whoever works the job now.

    Parameters:
        job: The job as it is now.
        attempt: The attempt that was to be completed.
    """

    def __init__(self, job: "JobRow", attempt: int) -> None:
        super().__init__(
            f"job {job.id} is {job.state} in attempt {job.attempt}, so that attempt {attempt} cannot complete it: roll "
            "back what it has done"
        )
        self.job = job


class WaitTimeoutError(RiverError, TimeoutError):
    """A job that was waited for was not finalized in time; it goes on as before."""


class TransactionError(RiverError):
    """The object given as ``tx`` is not an open transaction this driver can work in."""


class ReadOnlyError(TransactionError):
    """The transaction is read-only, and what was asked for writes; the database has aborted it."""

    def __init__(self, statement: str) -> None:
        super().__init__(
            f"the transaction is read-only, and River's {statement} writes. Begin one that may write "
            "(client.transaction(read_only=False)), or leave tx out; if the database itself is read-only, it is a "
            "standby or has default_transaction_read_only set: connect to the primary"
        )


class AbortedError(TransactionError):
    """The transaction that River was to commit had failed; it was rolled back, with all jobs inserted in it."""

    def __init__(self) -> None:
        super().__init__(
            "the transaction was aborted by an error of the database that was not let out, and has been rolled back "
            "with all its jobs; set a savepoint around what may fail, or let the error out"
        )


class SchemaError(RiverError):
    """River's tables are missing in the database, or older than this client needs."""


class UnavailableError(RiverError):
    """The database could not be reached; nothing was sent."""
