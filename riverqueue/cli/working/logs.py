"""Log records on standard error: for people, or one JSON object a line."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

from riverqueue.cli.working.link import Link
from riverqueue.cli.working.plan import Plan

#: What records of workers say of their job.
FIELDS = ("job_id", "kind", "queue", "attempt")

_MINE = "riverqueue.cli"


class JsonFormatter(logging.Formatter):
    """Writes a record as a JSON object in one line.

    Parameters:
        process: Number of this process among those of one command.
    """

    def __init__(self, process: int | None = None) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        document: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **({} if self._process is None else {"process": self._process}),
            **_fields(record),
        }
        if record.exc_info and record.exc_info[0]:
            document["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            document["stack"] = record.stack_info
        return json.dumps(document, ensure_ascii=False, default=str)


class TextFormatter(logging.Formatter):
    """Writes a record for people.

    Parameters:
        process: Number of this process among those of one command.
    """

    def __init__(self, process: int | None = None) -> None:
        number = "" if process is None else f"[{process}] "
        super().__init__(f"%(asctime)s %(levelname)-7s {number}%(name)s: %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802  (the same)
        """Write a record's time."""
        return _time(record).replace("T", " ")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (logging's name)
        """Write a record's line; a traceback follows it."""
        fields = "".join(f" {name}={value}" for name, value in _fields(record).items())
        return super().formatMessage(record) + fields


class _StandardError(logging.StreamHandler[TextIO]):
    """Writes to what is standard error now: while a live line stands there, that is what draws the line."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        """Standard error."""
        return sys.stderr


def default_format() -> str:
    """Return how to log if nobody says: for people on a terminal, else for programs."""
    return "text" if sys.stderr.isatty() else "json"


def configure(plan: Plan, link: Link | None = None) -> None:
    """Log to standard error, unless the program logs somewhere already and nobody asks for a format.

    Parameters:
        plan: What the command line says.
        link: The supervisor, which knows the format if the command line names none.
    """
    root = logging.getLogger()
    if plan.log_format or not root.handlers:
        process, default = (link.number, link.log_format) if link else (None, default_format())
        chosen = plan.log_format or default
        handler = _StandardError()
        handler.setFormatter(JsonFormatter(process) if chosen == "json" else TextFormatter(process))
        root.handlers[:] = [handler]
        root.setLevel((plan.log_level or "info").upper())
    elif plan.log_level:
        root.setLevel(plan.log_level.upper())


def logger() -> logging.Logger:
    """Return the logger of this command."""
    return logging.getLogger(_MINE)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
