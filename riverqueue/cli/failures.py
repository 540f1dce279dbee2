"""What went wrong, in one line, with what to do about it; and the exit code."""

from enum import IntEnum

from riverqueue.driver import sqlstate
from riverqueue.errors import (
    ConfigurationError,
    InvalidJobError,
    InvalidParamsError,
    ReadOnlyError,
    RiverError,
    SchemaError,
    UnavailableError,
)


class ExitCode(IntEnum):
    """What the program exits with, if not 0."""

    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    SCHEMA = 4
    INTERRUPTED = 130
    PIPE = 141


class Failure(Exception):  # noqa: N818  (it is reported, not handled)
    """An error that is explained already.

    Parameters:
        message: What is wrong, and what to do.
        exit_code: What the program exits with.
    """

    def __init__(self, message: str, exit_code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code


_MIGRATE = "Run riverqueue migrate-up, or name their schema by --schema"

#: By the beginning of a SQLSTATE: what to do, and the exit code.
_REMEDIES = {
    "08": ("Try again", ExitCode.UNREACHABLE),
    "25006": ("The server is a standby, or read-only: connect to the primary", ExitCode.FAILED),
    "3F000": (_MIGRATE, ExitCode.SCHEMA),
    "42501": ("Connect as a role that has the right, or GRANT it", ExitCode.FAILED),
    "42703": (_MIGRATE, ExitCode.SCHEMA),
    "42P01": (_MIGRATE, ExitCode.SCHEMA),
    "53": ("Try again", ExitCode.UNREACHABLE),
    "55P03": ("Another session holds a lock: try again", ExitCode.FAILED),
    "57014": ("Give it more time by --statement-timeout, such as 1m", ExitCode.FAILED),
    "57P": ("Try again", ExitCode.UNREACHABLE),
}


def explain(error: Exception) -> Failure:
    """Put an error in one line, with its remedy and its exit code."""
    if isinstance(error, Failure):
        return error
    if isinstance(error, RiverError):
        return _of_river(error)
    if isinstance(error, ImportError):
        return Failure(f"{one_line(error)}. Install what the command line needs: pip install 'riverqueue[cli]'")
    cause = getattr(error, "orig", None) or error
    if type(cause).__module__.partition(".")[0] == "psycopg":
        return _of_database(cause)
    if isinstance(error, OSError):
        return Failure(one_line(error))
    return Failure(f"{type(error).__name__}: {one_line(error)}. This is a bug: --debug shows where")


def _of_river(error: RiverError) -> Failure:
    match error:
        case SchemaError() if "River's tables" in str(error):
            return Failure(f"{str(error).partition('. ')[0]}. {_MIGRATE}", ExitCode.SCHEMA)
        case SchemaError():
            return Failure(one_line(error), ExitCode.SCHEMA)
        case ReadOnlyError() if isinstance(error.__cause__, Exception):
            return _of_database(error.__cause__)
        case UnavailableError():
            return Failure(one_line(error), ExitCode.UNREACHABLE)
        case ConfigurationError() | InvalidJobError() | InvalidParamsError():
            return Failure(one_line(error), ExitCode.USAGE)
    return Failure(one_line(error))


def _of_database(error: Exception) -> Failure:
    state = sqlstate(error)
    said = getattr(getattr(error, "diag", None), "message_primary", None) or one_line(error)
    if state is None:
        return Failure(f"the connection to the database was lost: {said}. Try again", ExitCode.UNREACHABLE)
    for beginning, (remedy, code) in _REMEDIES.items():
        if state.startswith(beginning):
            return Failure(f"{said}. {remedy}", code)
    return Failure(f"{said} (SQLSTATE {state})")


def one_line(error: BaseException) -> str:
    """Return an error's message without line breaks."""
    return " ".join(str(error).split()).removesuffix(".")
