"""A job, as commands show it."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from riverqueue import JobRow, JobState
from riverqueue.cli.output import View, json_text, json_time, printable, time_text
from riverqueue.jobs import AttemptError


def document(job: JobRow) -> dict[str, Any]:
    """Return a job as a JSON object: its columns by their names."""
    return {
        "id": job.id,
        "kind": job.kind,
        "queue": job.queue,
        "state": job.state.value,
        "priority": job.priority,
        "attempt": job.attempt,
        "max_attempts": job.max_attempts,
        "attempted_at": json_time(job.attempted_at),
        "attempted_by": job.attempted_by,
        "created_at": json_time(job.created_at),
        "scheduled_at": json_time(job.scheduled_at),
        "finalized_at": json_time(job.finalized_at),
        "tags": job.tags,
        "args": job.args,
        "metadata": job.metadata,
        "errors": [_error(error) for error in job.errors],
        "unique_key": job.unique_key and job.unique_key.hex(),
        "unique_states": [state.value for state in job.unique_states],
    }


def _error(error: AttemptError) -> dict[str, Any]:
    return {"at": json_time(error.at), "attempt": error.attempt, "error": error.error, "trace": error.trace}


def _time(job: JobRow) -> datetime:
    """Return the time that goes with a job's state, as in a list ordered by time."""
    time = job.attempted_at if job.state == JobState.RUNNING else job.finalized_at
    return time or job.scheduled_at


def _cells(job: JobRow) -> tuple[str, ...]:
    return (
        str(job.id),
        job.kind,
        job.queue,
        job.state.value,
        str(job.priority),
        f"{job.attempt}/{job.max_attempts}",
        time_text(_time(job)),
        json_text(job.args),
        job.errors[-1].error if job.errors else "",
    )


JOBS: View[JobRow] = View(
    ("id", "kind", "queue", "state", "priority", "attempt", "time", "args", "error"),
    _cells,
    document,
    wide=("args", "error"),
    optional=("error",),
)


def describe(job: JobRow) -> str:
    """Write out everything about a job, for a person."""
    lines = [f"{name:14}{text}" for name, text in _properties(job) if text]
    for name, value in (("args", job.args), ("metadata", job.metadata), ("output", job.output)):
        lines += [] if value is None else [name, _indented(json_text(value, indent=2))]
    for error in job.errors:
        lines += [f"error of attempt {error.attempt}, {time_text(error.at)}", _indented(error.error)]
        lines += [_indented(error.trace)] if error.trace else []
    return printable("\n".join(lines))


def _properties(job: JobRow) -> Iterator[tuple[str, str]]:
    yield "id", str(job.id)
    yield "kind", job.kind
    yield "queue", job.queue
    yield "state", job.state.value
    yield "priority", str(job.priority)
    yield "attempt", f"{job.attempt} of {job.max_attempts}"
    yield "tags", ", ".join(job.tags)
    times: Mapping[str, datetime | None] = {
        "created_at": job.created_at,
        "scheduled_at": job.scheduled_at,
        "attempted_at": job.attempted_at,
        "finalized_at": job.finalized_at,
    }
    for name, time in times.items():
        yield name, json_time(time) or ""
    yield "attempted_by", ", ".join(job.attempted_by)
    yield "unique_key", job.unique_key.hex() if job.unique_key else ""
    yield "unique_states", ", ".join(job.unique_states)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
