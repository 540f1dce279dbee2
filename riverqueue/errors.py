"""The errors River raises on its own account, drawn as a tree.

::

    RiverError
    ├── ConfigurationError (ValueError)   an option of a client or driver is wrong
    ├── InvalidJobError (ValueError)      a job was refused before any SQL
    │   └── InvalidArgsError              its args cannot be stored
    ├── TransactionError                  the object given as ``tx`` cannot carry the insert
    │   └── AbortedError                  a transaction of ``client.transaction()`` had failed before its end
    ├── SchemaError                       River's tables are missing or too old
    └── UnavailableError                  the database could not be reached

The database's own errors are not wrapped: inside your transaction, what the driver raises is
what you see, with a note that names River's statement.
"""


class RiverError(Exception):
    """Base of every error that River itself raises."""


class ConfigurationError(RiverError, ValueError):
    """An option of a client, driver or helper has a value that cannot work."""


class InvalidJobError(RiverError, ValueError):
    """A job was refused before any SQL was sent; the transaction is untouched."""


class InvalidArgsError(InvalidJobError):
    """A job's args cannot be encoded as the JSON object that River stores."""


class TransactionError(RiverError):
    """The object given as ``tx`` is not an open transaction this driver can insert in."""


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
