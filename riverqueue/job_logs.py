"""What is logged in jobs: fields on the records, and the log that is kept with a job (River's ``riverlog``)."""

import json
import logging
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

from riverqueue import encoding
from riverqueue.errors import ConfigurationError
from riverqueue.jobs import Job, JobRow
from riverqueue.work_context import current_job, work_context

#: Where River keeps a job's logs in its metadata.
METADATA_KEY = "river:log"

_SIZE_MAX = 2 << 20
_TOTAL_MAX = 8 << 20
_TOTAL_MOST = 64 << 20


def job_fields(job: JobRow | Job[Any] | None = None) -> dict[str, Any]:
    """Return what says which job a line of a log is about: ``job_id``, ``kind``, ``queue``, ``attempt``.

    With structlog: ``structlog.contextvars.bind_contextvars(**job_fields())``.

    Parameters:
        job: The job; default: the one being worked here, and nothing if there is none.
    """
    job = current_job() if job is None else job
    if job is None:
        return {}
    return {"job_id": job.id, "kind": job.kind, "queue": job.queue, "attempt": job.attempt}


class JobFieldsFilter(logging.Filter):
    """Adds `job_fields` to all that is logged inside of a job; to be added to a handler.

    ::

        handler.addFilter(JobFieldsFilter())
        handler.setFormatter(logging.Formatter("%(message)s %(job_id)s", defaults={"job_id": "-"}))
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the fields; nothing is left out."""
        for name, value in job_fields().items():
            if not hasattr(record, name):
                setattr(record, name, value)
        return True


class JobLogs:
    """A plugin that keeps what is logged inside of a job with the job, where River's user interface shows it.

    What the standard library's loggers let through, with the levels that the program has set, is stored in the metadata
    under ``river:log`` when the attempt ends, each attempt by itself.

    Parameters:
        level: Records of a lower level are not kept.
        formatter: Spells a record; default: level, logger and message.
        max_size_bytes: Most that is kept of one attempt.
        max_total_bytes: Most that is kept of all attempts, up to 64 MiB: the oldest are dropped first.

    Raises:
        ConfigurationError: if a size is not positive.
    """

    def __init__(
        self,
        *,
        level: int = logging.NOTSET,
        formatter: logging.Formatter | None = None,
        max_size_bytes: int = _SIZE_MAX,
        max_total_bytes: int = _TOTAL_MAX,
    ) -> None:
        if max_size_bytes < 1 or max_total_bytes < 1:
            raise ConfigurationError("max_size_bytes and max_total_bytes must be positive")
        self._size = max_size_bytes
        self._total = min(max_total_bytes, _TOTAL_MOST)
        self._lines: ContextVar[list[str] | None] = ContextVar("riverqueue_job_log", default=None)
        self._handler = _Keeping(self._lines, level)
        self._handler.setFormatter(formatter or logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    async def work(self, job: JobRow, inner: Callable[[], Awaitable[None]]) -> None:
        """Keep what is logged while a job is worked."""
        logging.getLogger().addHandler(self._handler)  # again does nothing
        lines: list[str] = []
        before = self._lines.set(lines)
        try:
            await inner()
        finally:
            self._lines.reset(before)
            if lines:
                work_context().set_metadata(METADATA_KEY, self._kept(job, "".join(lines)))

    def _kept(self, job: JobRow, text: str) -> str:
        text = text.replace("\0", "").encode("utf-8", "replace")[: self._size].decode(errors="ignore")
        newest = f'{{"attempt":{job.attempt},"log":{encoding.string(text)}}}'
        before = job.metadata.get(METADATA_KEY)
        entries = [json.dumps(entry, ensure_ascii=False) for entry in before] if isinstance(before, list) else []
        size = len(newest.encode())
        kept = [newest]
        for entry in reversed(entries):
            size += len(entry.encode())
            if size > self._total:
                break
            kept.append(entry)
        return f"[{','.join(reversed(kept))}]"


class _Keeping(logging.Handler):
    """Keeps records for the job in which they are logged.

    Parameters:
        lines: Where; None outside of jobs.
        level: The lowest that is kept.
    """

    def __init__(self, lines: "ContextVar[list[str] | None]", level: int) -> None:
        super().__init__(level)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        lines = self._lines.get()
        if lines is not None:
            lines.append(self.format(record) + "\n")
