"""Rows of worked jobs, compared: all columns but the id, times within a tolerance, numbers with every digit."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg

TOLERANCE = 2.0  # seconds

#: Times inside of JSON have no zeros at the end of their fraction, as Go spells them.
_TIME_IN_JSON = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d*[1-9])?(Z|[+-]\d\d:\d\d)")


def read(db: psycopg.Connection) -> dict[str, dict[str, Any]]:
    """Read all jobs by the message in their args, each column of them.

    Times are told in seconds since the attempt began or, from before it, since the job was created: how long a job
    waited is left out. Those of long ago are told as they are.
    """
    found = db.execute("SELECT args->>'message', to_jsonb(job)::text FROM river_job AS job ORDER BY id").fetchall()
    rows = {message: _reduced(json.loads(text, parse_float=Decimal)) for message, text in found}
    assert len(rows) == len(found), "two jobs have one message"
    return rows


def _reduced(row: dict[str, Any]) -> dict[str, Any]:
    del row["id"]
    created_at, attempted_at = (datetime.fromisoformat(row.pop(name)) for name in ("created_at", "attempted_at"))
    assert created_at <= attempted_at

    def seconds(text: str) -> float | str:
        time = datetime.fromisoformat(text)
        if time < created_at - timedelta(hours=1):
            return text
        return (time - (created_at if time < attempted_at else attempted_at)).total_seconds()

    for name in ("finalized_at", "scheduled_at"):
        row[name] = row[name] and seconds(row[name])
    for error in row["errors"] or []:
        if isinstance(error, dict) and "at" in error:  # others are not of this attempt
            error["at"] = seconds(_spelled_as_go_does(error["at"]))
            error["trace"] = type(error["trace"])
    cancelled_at = row["metadata"].get("cancel_attempted_at")
    if isinstance(cancelled_at, str):
        row["metadata"]["cancel_attempted_at"] = seconds(_spelled_as_go_does(cancelled_at))
    return row


def _spelled_as_go_does(time: str) -> str:
    assert _TIME_IN_JSON.fullmatch(time), time
    return time


def differences(ours: Any, theirs: Any, tolerance: float = TOLERANCE, where: str = "") -> Iterator[str]:
    """Say where two values differ by more than the tolerance of their times."""
    if isinstance(ours, float) and isinstance(theirs, float):
        if abs(ours - theirs) > tolerance:
            yield f"{where}: {ours} s, {theirs} s"
    elif isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        for name in sorted(ours.keys() | theirs.keys()):
            yield from differences(ours.get(name, "nothing"), theirs.get(name, "nothing"), tolerance, f"{where}.{name}")
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for index, pair in enumerate(zip(ours, theirs, strict=True)):
            yield from differences(*pair, tolerance, f"{where}[{index}]")
    elif (type(ours), ours) != (type(theirs), theirs):
        yield f"{where}: {ours!r}, {theirs!r}"
