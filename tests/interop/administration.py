"""What our adapter does about jobs and queues that are there: each method's params, and what it asks the client."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from riverqueue import InvalidParamsError, JobDeleteManyParams, JobListCursor, JobListParams, JobRunningError
from tests.interop import shown
from tests.interop.stacks import settle
from tests.interop.strict import RAW, ShapeError

SCOPE = {"schema": str, "tx": str}
FILTERS = {"ids": [int], "kinds": [str], "limit": int, "priorities": [int], "queues": [str], "states": [str]}
LIST = {"after": str, "direction": str, "metadata": RAW, "order_by": str, "tags_all": [str], **FILTERS, **SCOPE}
JOB = {"id": int, **SCOPE}

DIRECTIONS = ("", "asc", "desc")
ORDERS = ("", "finalized_at", "id", "scheduled_at", "time")

#: Asks a client, in a transaction or None, and shows the answer.
Act = Callable[..., Awaitable[Any]]


async def list_jobs(client: Any, tx: Any, **params: Any) -> Any:
    jobs, cursor = await settle(client.job_list(_list_params(**params), tx=tx))
    return {"cursor": None if cursor is None else str(cursor), "jobs": [shown.job(job) for job in jobs]}


def _list_params(after: str = "", direction: str = "", order_by: str = "", **filters: Any) -> JobListParams:
    if direction not in DIRECTIONS:
        raise ShapeError(f"unknown direction {direction!r}")
    if order_by not in ORDERS:
        raise ShapeError(f"unknown order_by {order_by!r}")
    order: Any = order_by or "id"
    return JobListParams(after=_cursor(after), descending=direction == "desc", order_by=order, **_limited(filters))


def _cursor(text: str) -> JobListCursor | None:
    try:
        return JobListCursor.from_text(text) if text else None
    except InvalidParamsError as error:
        raise ShapeError(str(error)) from error


def _limited(filters: Mapping[str, Any]) -> dict[str, Any]:
    """Filters as keywords of our own; no limit, or zero, is the default."""
    limit = {"first": filters["limit"]} if filters.get("limit") else {}
    return {name: value for name, value in filters.items() if name != "limit"} | limit


def on_job(method: str) -> Act:
    async def act(client: Any, tx: Any, id: int = 0) -> Any:
        return shown.job(await settle(getattr(client, method)(id, tx=tx)))

    return act


async def retry(client: Any, tx: Any, id: int = 0) -> Any:
    try:
        return shown.job(await settle(client.job_retry(id, tx=tx)))
    except JobRunningError as error:  # to Go's client no error
        return shown.job(error.job)


async def get(client: Any, tx: Any, id: int = 0) -> Any:
    job = await settle(client.job_get(id, tx=tx))
    return {"job": shown.job(job), "output": job.output}


async def delete_many(client: Any, tx: Any, all: bool = False, **filters: Any) -> Any:
    params = JobDeleteManyParams(unsafe_all=all, **_limited(filters))
    return {"jobs": [shown.job(job) for job in await settle(client.job_delete_many(params, tx=tx))]}


async def update(client: Any, tx: Any, id: int = 0, output: str = "", metadata: str | None = None) -> Any:
    given = {"output": json.loads(output)} if output else {}
    merged = None if metadata is None else json.loads(metadata)
    return shown.job(await settle(client.job_update(id, metadata=merged, tx=tx, **given)))


async def count(client: Any, tx: Any) -> Any:
    return {"by_state": (await settle(client.job_count(tx=tx))).by_state}


async def wait(client: Any, tx: Any, id: int = 0, timeout_ms: int = 0) -> Any:
    """Wait until a job is finalized; it is the caller's to see that it will be, or to give a limit."""
    job = await settle(client.wait(id, timeout=timeout_ms / 1000 if timeout_ms else None))
    return {"job": shown.job(job), "output": job.output}


async def queue(client: Any, tx: Any, action: str = "", name: str = "", metadata: str | None = None) -> None:
    if action == "update":
        await settle(client.queue_update(name, metadata=None if metadata is None else json.loads(metadata), tx=tx))
    elif action in ("pause", "resume"):
        await settle(getattr(client, f"queue_{action}")(name, tx=tx))
    else:
        raise ShapeError(f"unknown action {action!r}")


async def queue_get(client: Any, tx: Any, name: str = "") -> Any:
    return shown.queue(await settle(client.queue_get(name, tx=tx)))


async def queue_list(client: Any, tx: Any, **params: Any) -> Any:
    return {"queues": [shown.queue(row) for row in await settle(client.queue_list(**_limited(params), tx=tx))]}


METHODS: dict[str, tuple[dict[str, Any], Act]] = {
    "cancel": (JOB, on_job("job_cancel")),
    "list": (LIST, list_jobs),
    "queue": ({"action": str, "metadata": RAW, "name": str, **SCOPE}, queue),
    "retry": (JOB, retry),
}
EXTENDED: dict[str, tuple[dict[str, Any], Act]] = {
    "count": (SCOPE, count),
    "delete": (JOB, on_job("job_delete")),
    "delete_many": ({"all": bool, **FILTERS, **SCOPE}, delete_many),
    "get": (JOB, get),
    "list": (LIST | {"tags_any": [str]}, list_jobs),
    "queue_get": ({"name": str, **SCOPE}, queue_get),
    "queue_list": ({"limit": int, **SCOPE}, queue_list),
    "update": (JOB | {"metadata": RAW, "output": str}, update),
    "wait": ({"id": int, "schema": str, "timeout_ms": int}, wait),
}
