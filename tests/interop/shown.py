"""Rows as the protocol shows them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from riverqueue import JobRow, Queue


def job(row: JobRow) -> dict[str, Any]:
    """Show a job."""
    metadata = row.metadata
    if isinstance(metadata, dict):  # Go's client stores what it is given
        metadata.pop("river:unique_nonce", None)
    return {
        "args": row.args,
        "attempt": row.attempt,
        "attempted_at": time(row.attempted_at),
        "attempted_by": row.attempted_by,
        "created_at": time(row.created_at),
        "errors": [
            {"at": time(error.at), "attempt": error.attempt, "error": error.error, "trace": error.trace}
            for error in row.errors
        ],
        "finalized_at": time(row.finalized_at),
        "id": row.id,
        "kind": row.kind,
        "max_attempts": row.max_attempts,
        "metadata": metadata,
        "priority": row.priority,
        "queue": row.queue,
        "scheduled_at": time(row.scheduled_at),
        "state": row.state,
        "tags": row.tags,
        "unique_key": None if row.unique_key is None else row.unique_key.hex(),
        "unique_states": sorted(row.unique_states) or None,
    }


def queue(row: Queue) -> dict[str, Any]:
    """Show a queue."""
    return {
        "created_at": time(row.created_at),
        "metadata": row.metadata,
        "name": row.name,
        "paused_at": time(row.paused_at),
        "updated_at": time(row.updated_at),
    }


def time(moment: datetime | None) -> str | None:
    """Spell a time as Go does: without zeros at the end of the fraction."""
    if moment is None:
        return None
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat()
    return (text.rstrip("0") if "." in text else text) + "Z"
