"""What the scenarios have in common: inserting, waiting, putting in and reading rows, listening."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self, TypeVar

import psycopg
from psycopg import sql

from tests.interop.adapter import Adapter, AdapterError

T = TypeVar("T")

WAIT_LIMIT = 20.0  # seconds
MARKER = "interop_marker"
TOPICS = ("river_control", "river_insert", "river_leadership")


def wait_for(get: Callable[[], T], limit: float = WAIT_LIMIT) -> T:
    """Ask again and again until the answer is true, and return it."""
    deadline = time.monotonic() + limit
    while not (got := get()):
        assert time.monotonic() < deadline, f"still {got!r} after {limit:.0f} s"
        time.sleep(0.01)
    return got


def spell_time(moment: datetime) -> str:
    """Spell a time in RFC 3339, in UTC."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def job(message: str = "", **opts: Any) -> dict[str, Any]:
    """One job of `insert`, with options."""
    return {"behavior": "", "duration_ms": 0, "message": message, "opts": opts}


def insert(adapter: Adapter, *jobs: Mapping[str, Any], **scope: Any) -> list[dict[str, Any]]:
    """Insert jobs by one `insert`, and return the results in that order."""
    return adapter.request("insert", {"jobs": list(jobs), **scope})["results"]  # type: ignore[no-any-return]


def insert_one(adapter: Adapter, message: str = "", **opts: Any) -> dict[str, Any]:
    """Insert one job and return its row."""
    return insert(adapter, job(message, **opts))[0]["job"]  # type: ignore[no-any-return]


def refused(adapter: Adapter, method: str, params: Mapping[str, Any] | None = None) -> int:
    """Ask for what must be refused, and return the error's code."""
    try:
        result = adapter.request(method, params)
    except AdapterError as error:
        return error.code
    raise AssertionError(f"{adapter.application_name} did not refuse {method} {params} but answered {result}")


def ask(adapter: Adapter, method: str, params: Mapping[str, Any] | None = None) -> Any:
    """Ask, and return the answer whatever it is: the result, or the error's code."""
    adapter.send(method, params)
    return received(adapter)


def received(adapter: Adapter) -> Any:
    """Wait for the answer to what was sent, and return it whatever it is, as `ask` does."""
    try:
        return adapter.receive()
    except AdapterError as error:
        return error.code


def start_worker(go: Adapter, **params: Any) -> None:
    """Start Go's client; it looks for jobs only when it is notified, and once at the start."""
    go.request("start", {"client_id": "go-worker", "fetch_poll_interval_ms": 60_000, "max_workers": 100} | params)


def worked(go: Adapter, count: int) -> list[dict[str, Any]]:
    """Wait until Go has worked so many jobs, and return what it got, in that order."""

    def enough() -> list[dict[str, Any]] | None:
        jobs: list[dict[str, Any]] = go.request("worked")["jobs"]
        return jobs if len(jobs) >= count else None

    jobs = wait_for(enough)
    assert jobs is not None
    assert len(jobs) == count, jobs
    return jobs


#: A job that is put into the table without a client; columns left out are null.
ROW: dict[str, Any] = {
    "args": {},
    "attempt": 0,
    "created_at": "2001-01-01T00:00:00Z",
    "kind": "interop",
    "max_attempts": 25,
    "metadata": {},
    "priority": 1,
    "queue": "default",
    "scheduled_at": "2001-01-01T00:00:00Z",
    "state": "available",
    "tags": [],
}
QUEUE_ROW: dict[str, Any] = {
    "created_at": "2001-01-01T00:00:00Z",
    "metadata": {},
    "updated_at": "2001-01-01T00:00:00Z",
}


def put_jobs(db: psycopg.Connection, jobs: Sequence[Mapping[str, Any]]) -> None:
    """Put jobs into the table, in place of those that are there."""
    _put(db, "river_job", [{**ROW, **job} for job in jobs])


def put_queues(db: psycopg.Connection, queues: Sequence[Mapping[str, Any]]) -> None:
    """Put queues into the table, in place of those that are there."""
    _put(db, "river_queue", [{**QUEUE_ROW, **queue} for queue in queues])


def _put(db: psycopg.Connection, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    name = sql.Identifier(table)
    query = sql.SQL("INSERT INTO {0} SELECT * FROM jsonb_populate_recordset(NULL::{0}, %s::jsonb)").format(name)
    with db.transaction():
        db.execute(sql.SQL("TRUNCATE {}").format(name))
        db.execute(query, [json.dumps(rows)])


def read_by_both(go: Adapter, ours: Adapter, job_id: int) -> dict[str, Any]:
    """Return a job and its output, of which both must have the same idea."""
    theirs, mine = (adapter.request("get", {"id": job_id}) for adapter in (go, ours))
    for error in theirs["job"]["errors"]:
        error["at"] = _without_nanoseconds(error["at"])
    assert mine == theirs
    return mine  # type: ignore[no-any-return]


def _without_nanoseconds(time: str) -> str:
    """Cut a time to the microseconds that Python has."""
    text = datetime.fromisoformat(time).replace(tzinfo=None).isoformat()
    return (text.rstrip("0") if "." in text else text) + "Z"


def read_table(db: psycopg.Connection, table: str) -> list[dict[str, Any]]:
    """Read all rows of a table, undated, with each digit of their numbers."""
    query = sql.SQL("SELECT to_jsonb(row)::text FROM {} AS row ORDER BY row").format(sql.Identifier(table))
    return [undated(json.loads(text, parse_float=str)) for (text,) in db.execute(query)]


def undated(value: Any) -> Any:
    """Replace each time of this hour, in JSON of any form, by ``now``."""
    if isinstance(value, dict):
        return {name: undated(member) for name, member in value.items()}
    if isinstance(value, list):
        return [undated(member) for member in value]
    return "now" if isinstance(value, str) and _is_of_this_hour(value) else value


def _is_of_this_hour(text: str) -> bool:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return False
    return moment.tzinfo is not None and abs(datetime.now(UTC) - moment) < timedelta(hours=1)


def read_rows(db: psycopg.Connection) -> list[dict[str, Any]]:
    """Read all jobs, each column as PostgreSQL's text, with its size as stored.

    What differs by nature is left out, the id, or reduced to what must not differ: of a job that is to be
    worked at once, ``scheduled_at`` must be ``created_at``.
    """
    columns = [column.name for column in db.execute("SELECT * FROM river_job LIMIT 0").description or ()]
    fields: list[sql.Composable] = [sql.SQL("scheduled_at = created_at AS at_once")]
    for name in set(columns) - {"id", "created_at"}:
        column, size = sql.Identifier(name), sql.Identifier(f"{name} size")
        fields.append(sql.SQL("{0}::text, pg_column_size({0}) AS {1}").format(column, size))
    cursor = db.execute(sql.SQL("SELECT {} FROM river_job ORDER BY id").format(sql.SQL(", ").join(fields)))
    names = [column.name for column in cursor.description or ()]
    rows = [dict(zip(names, row, strict=True)) for row in cursor]
    for row in rows:
        if row["at_once"]:
            del row["scheduled_at"]
    return rows


def wait_for_state(db: psycopg.Connection, job_id: int, state: str) -> None:
    """Wait until a job is in a state."""
    query = "SELECT state::text FROM river_job WHERE id = %s"
    wait_for(lambda: db.execute(query, [job_id]).fetchone() == (state,))


def count_jobs(db: psycopg.Connection) -> int:
    """Count the jobs."""
    row = db.execute("SELECT count(*) FROM river_job").fetchone()
    assert row is not None
    return row[0]  # type: ignore[no-any-return]


def waits_for_lock(db: psycopg.Connection, adapter: Adapter) -> bool:
    """Tell whether a session of this adapter waits for another one's lock."""
    row = db.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND cardinality(pg_blocking_pids(pid)) > 0",
        [adapter.application_name],
    ).fetchone()
    return row is not None and row[0] > 0


class Listener:
    """Hears notifications on River's channels of some schemas, in the order of their commits."""

    def __init__(self, url: str, schemas: Sequence[str] = ("public",)) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        self._url = url
        channels = [f"{schema}.{topic}" for schema in schemas for topic in TOPICS]
        for channel in [*channels, MARKER]:
            self._connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def heard(self) -> list[tuple[str, str]]:
        """Return channel and payload of what was committed since the last call.

        A notification of our own marks the end: PostgreSQL delivers them in the order of commits.
        """
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(sql.SQL("NOTIFY {}").format(sql.Identifier(MARKER)))
        heard: list[tuple[str, str]] = []
        for notification in self._connection.notifies(timeout=WAIT_LIMIT):
            if notification.channel == MARKER:
                return heard
            heard.append((notification.channel, notification.payload))
        raise AssertionError("the marker was not heard")
