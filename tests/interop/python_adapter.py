"""Our adapter: speaks the protocol of River's conformance suite over ``riverqueue``.

    python -m tests.interop.python_adapter --stack psycopg [--extended]

It knows what the client can do: ``cancel``, ``handshake``, ``insert`` (always one call of ``insert_many``, also for
one job), ``list``, ``migrate``, ``queue``, ``release``, ``retry``, ``start``, ``stats``, ``stop``, ``tx_begin`` and
``tx_end``. Our client cannot lead yet: ``request_resign`` is refused as unknown, −32601, and a ``start`` with what only
leaders do, −32002.

Where the client says no and Go's does not, the adapter gives Go's answer: a running job that is to be retried is
returned as it is, and a batch with a unique key twice is refused.

``--extended`` adds what only our own tests use, as in the Go adapter: ``count``, ``delete``, ``delete_many``, ``get``,
``insert_args``, ``insert_fast``, ``queue_get``, ``queue_list``, ``unique_key`` and ``update``, and a list by
``tags_any``; and, which the Go adapter has not, ``wait``, an ``update`` of ``metadata`` and a ``start`` that is
``unobserved``.
"""

from __future__ import annotations

import argparse
import asyncio
import inspect
import json
import os
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from riverqueue import DictArgs, InsertManyParams, InsertOpts, JobInsertParams, UniqueOpts
from riverqueue.driver import sqlstate
from riverqueue.errors import NotFoundError, RiverError
from tests.interop import adapter as codes
from tests.interop import administration, shown, working
from tests.interop.administration import SCOPE
from tests.interop.stacks import STACKS, Stack, engine_arguments, settle
from tests.interop.strict import RAW, TIME, RefusedError, ShapeError, decode, parse
from tests.interop.working import Working

KIND = "conformance_echo"

UNIQUE = {"by_args": bool, "by_period_ms": int, "by_queue": bool, "by_state": [str], "exclude_kind": bool}
OPTS = {
    "max_attempts": int,
    "metadata": RAW,
    "pending": bool,
    "priority": int,
    "queue": str,
    "scheduled_at": TIME,
    "tags": [str],
    "unique": UNIQUE,
}
JOB = {"behavior": str, "duration_ms": int, "message": str, "opts": OPTS}
INSERT = {"jobs": [JOB], **SCOPE}

METHODS: dict[str, dict[str, Any]] = {
    "handshake": {},
    "insert": INSERT,
    "migrate": {"direction": str, "schema": str, "target_version": int},
    "tx_begin": {"tx": str},
    "tx_end": {"commit": bool, "tx": str},
}
EXTENDED: dict[str, dict[str, Any]] = {
    "insert_args": {"args": str, "kind": str, "opts": OPTS, "typed": bool, "unique_paths": [[str]], **SCOPE},
    "insert_fast": INSERT,
    "unique_key": {
        "args": str,
        "kind": str,
        "now": TIME,
        "queue": str,
        "scheduled_at": TIME,
        "typed": bool,
        "unique_paths": [[str]],
        **UNIQUE,
    },
}


class TextArgs:
    """Args of any kind whose JSON text is given."""

    def __init__(self, kind: str, text: str) -> None:
        self.kind = kind
        self._text = text

    def to_json(self) -> str:
        return self._text


class StoppedClock:
    """Tells one time only."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now


class KeySeenError(Exception):
    """Carries a unique key to where it was asked for."""

    def __init__(self, key: bytes) -> None:
        super().__init__(key)
        self.key = key


class KeyHook:
    """Reports the key of the first job instead of letting it in."""

    def insert_begin(self, params: JobInsertParams) -> None:
        assert params.unique_key is not None
        raise KeySeenError(params.unique_key)


class RolledBackError(Exception):
    """Leaves the block of a transaction to end it without a commit."""


class PythonAdapter:
    """The state of the process; requests come one at a time.

    Parameters:
        stack: The way to use the client.
        url: URI of the database, for migrations.
        extended: Whether our own methods are known, too.
    """

    def __init__(self, stack: Stack, url: str, *, extended: bool) -> None:
        self._methods = METHODS | (EXTENDED if extended else {})
        self._administration = administration.METHODS | (administration.EXTENDED if extended else {})
        self._work = working.METHODS | (working.EXTENDED if extended else {})
        self._working = Working(stack)
        self._stack = stack
        self._url = url
        self._clients: dict[str, Any] = {}
        self._transactions: dict[str, tuple[Any, Any]] = {}  # each with its context manager

    async def answer(self, line: bytes) -> dict[str, Any]:
        """Answer one line."""
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": None}
        try:
            request = _request(line)
            answer["id"] = request["id"]
            params = request.get("params")
            return answer | {"result": await self._call(request["method"], {} if params is None else params)}
        except RefusedError as refusal:
            return answer | {"error": {"code": refusal.code, "message": str(refusal)}}

    async def close(self) -> None:
        """Stop working, roll back what is open, and close the database."""
        await self._working.close()
        for name in list(self._transactions):
            await self.tx_end(tx=name)
        await self._stack.close()

    async def _call(self, name: str, params: Any) -> Any:
        try:
            return await self._act(name, params) or {}
        except ShapeError as error:
            raise RefusedError(codes.INVALID_PARAMS, str(error)) from error
        except NotFoundError as error:
            raise RefusedError(codes.NOT_FOUND, str(error)) from error
        except RefusedError:
            raise
        except Exception as error:
            if isinstance(error, RiverError) or _is_of_database(error):
                raise RefusedError(codes.REJECTED, f"{type(error).__name__}: {error}") from error
            traceback.print_exc()
            raise RefusedError(codes.INTERNAL_ERROR, f"{type(error).__name__}: {error}") from error

    async def _act(self, name: str, params: Any) -> Any:
        if name in self._administration:
            shape, act = self._administration[name]
            return await self._administer(act, **decode(params, shape, "params"))
        if name in self._work:
            return await getattr(self._working, name)(**decode(params, self._work[name], "params"))
        if name in self._methods:
            return await getattr(self, name)(**decode(params, self._methods[name], "params"))
        raise RefusedError(codes.METHOD_NOT_FOUND, f"unknown method {name!r}")

    async def _administer(self, act: administration.Act, schema: str = "", tx: str = "", **params: Any) -> Any:
        return await act(await self._client(schema), self._transaction(tx), **params)

    async def handshake(self) -> dict[str, str]:
        return {"driver": "postgres", "implementation": "python", "version": _version()}

    async def insert(self, jobs: list[dict[str, Any]] | None = None, schema: str = "", tx: str = "") -> Any:
        results = await self._insert("insert_many", [_echo(job) for job in jobs or []], schema, tx)
        return {"results": [_result(result) for result in results]}

    async def insert_fast(self, jobs: list[dict[str, Any]] | None = None, schema: str = "", tx: str = "") -> Any:
        return {"count": await self._insert("insert_many_fast", [_echo(job) for job in jobs or []], schema, tx)}

    async def insert_args(
        self,
        args: str = "",
        kind: str = "",
        opts: Mapping[str, Any] | None = None,
        typed: bool = False,
        unique_paths: list[list[str]] | None = None,
        schema: str = "",
        tx: str = "",
    ) -> Any:
        item = InsertManyParams(_args(kind, args, typed), _insert_opts(opts or {}, unique_paths))
        return _result((await self._insert("insert_many", [item], schema, tx))[0])

    async def unique_key(
        self,
        args: str = "",
        kind: str = "",
        now: datetime | None = None,
        queue: str = "",
        scheduled_at: datetime | None = None,
        typed: bool = False,
        unique_paths: list[list[str]] | None = None,
        **unique: Any,
    ) -> dict[str, str]:
        """Tell the key of a job, which a hook looks at and then keeps from being inserted."""
        unique_opts = _unique_opts(unique, unique_paths)
        opts = InsertOpts(queue=queue or None, scheduled_at=scheduled_at, unique_opts=unique_opts)
        client = await self._stack.client(clock=StoppedClock(now or datetime.now(UTC)), hooks=[KeyHook()])
        try:
            await settle(client.insert(_args(kind, args, typed), opts))
        except KeySeenError as seen:
            return {"unique_key": seen.key.hex()}
        raise AssertionError("the hook was not called")

    async def migrate(self, direction: str = "up", schema: str = "", target_version: int = 0) -> dict[str, list[int]]:
        if direction not in {"up", "down"}:
            raise RefusedError(codes.INVALID_PARAMS, f"unknown direction {direction!r}")
        return {"versions": await asyncio.to_thread(_migrate, self._url, direction, schema or None, target_version)}

    async def tx_begin(self, tx: str = "") -> None:
        if not tx:
            raise RefusedError(codes.INVALID_PARAMS, "a transaction needs a name")
        if tx in self._transactions:
            raise RefusedError(codes.REJECTED, f"transaction {tx!r} is already open")
        manager = (await self._client("")).transaction()
        enter = getattr(manager, "__aenter__", None) or manager.__enter__
        self._transactions[tx] = manager, await settle(enter())

    async def tx_end(self, tx: str = "", commit: bool = False) -> None:
        if not tx:
            raise RefusedError(codes.INVALID_PARAMS, "a transaction needs a name")
        self._transaction(tx)
        manager, _ = self._transactions.pop(tx)
        leave = getattr(manager, "__aexit__", None) or manager.__exit__
        error = None if commit else RolledBackError()
        await settle(leave(error and type(error), error, None))

    async def _insert(self, method: str, items: list[InsertManyParams], schema: str, tx: str) -> Any:
        client = await self._client(schema)
        return await settle(getattr(client, method)(items, tx=self._transaction(tx)))

    async def _client(self, schema: str) -> Any:
        """Return the schema's client; there is one, which limits its notifications."""
        if schema not in self._clients:
            self._clients[schema] = await self._stack.client(schema=schema or None, refuse_repeated_unique_keys=True)
        return self._clients[schema]

    def _transaction(self, name: str) -> Any:
        """Return the open transaction of this name; of no name, None."""
        if not name:
            return None
        if name not in self._transactions:
            raise RefusedError(codes.NOT_FOUND, f"no open transaction {name!r}")
        return self._transactions[name][1]


def _request(line: bytes) -> dict[str, Any]:
    try:
        request = parse(line)
    except ValueError as error:
        raise RefusedError(codes.PARSE_ERROR, f"not JSON: {error}") from error
    valid = (
        isinstance(request, dict)
        and request.keys() <= {"jsonrpc", "id", "method", "params"}
        and request.get("jsonrpc") == "2.0"
        and type(request.get("id")) is int
        and type(request.get("method")) is str
    )
    if not valid:
        raise RefusedError(codes.INVALID_REQUEST, "not a JSON-RPC 2.0 request with an integer id")
    return request  # type: ignore[no-any-return]


def _version() -> str:
    try:
        return version("riverqueue")
    except PackageNotFoundError:  # not installed, but imported from its sources
        return "unknown"


def _is_of_database(error: Exception) -> bool:
    libraries = {"asyncpg", "psycopg", "psycopg2", "psycopg_pool", "sqlalchemy"}
    return sqlstate(error) is not None or any(base.__module__.split(".")[0] in libraries for base in type(error).mro())


def _echo(job: Mapping[str, Any]) -> InsertManyParams:
    args = {
        "behavior": job.get("behavior", ""),
        "duration_ms": job.get("duration_ms", 0),
        "message": job.get("message", ""),
    }
    return InsertManyParams(TextArgs(KIND, json.dumps(args)), _insert_opts(job.get("opts", {})))


def _args(kind: str, text: str, typed: bool) -> Any:
    """Make args of JSON text; `typed` ones have Python's own values, which the client is to encode."""
    return DictArgs(kind, json.loads(text)) if typed else TextArgs(kind, text)


def _insert_opts(opts: Mapping[str, Any], unique_paths: list[list[str]] | None = None) -> InsertOpts:
    """Options of River's; what is zero or empty means its default."""
    return InsertOpts(
        max_attempts=opts.get("max_attempts") or None,
        metadata=opts.get("metadata") or None,
        pending=opts.get("pending", False),
        priority=opts.get("priority") or None,
        queue=opts.get("queue") or None,
        scheduled_at=opts.get("scheduled_at"),
        tags=opts.get("tags") or None,
        unique_opts=_unique_opts(opts.get("unique", {}), unique_paths),
    )


def _unique_opts(opts: Mapping[str, Any], unique_paths: list[list[str]] | None) -> UniqueOpts:
    by_args = opts.get("by_args", False)
    if unique_paths:
        if not by_args:
            raise RefusedError(codes.INVALID_PARAMS, "unique_paths need by_args")
        by_args = [tuple(path) for path in unique_paths]
    return UniqueOpts(
        by_args=by_args,
        by_period=timedelta(milliseconds=opts["by_period_ms"]) if opts.get("by_period_ms") else None,
        by_queue=opts.get("by_queue", False),
        by_state=opts.get("by_state") or None,
        exclude_kind=opts.get("exclude_kind", False),
    )


def _result(result: Any) -> dict[str, Any]:
    return {"job": shown.job(result.job), "unique_skipped_as_duplicate": result.unique_skipped_as_duplicated}


def _migrate(url: str, direction: str, schema: str | None, target_version: int) -> list[int]:
    """Migrate with the protocol's target: 0 for none, -1 for below the first version."""
    from riverqueue_migrations import downgrade, upgrade
    from sqlalchemy import NullPool, create_engine

    application_name = os.environ.get("RIVER_CONFORMANCE_APPLICATION_NAME", "")
    engine = create_engine(**engine_arguments(url, "psycopg", application_name), poolclass=NullPool)
    version = {0: None, -1: 0}.get(target_version, target_version)
    applied = (upgrade if direction == "up" else downgrade)(engine, version, schema)
    return [migration.version for migration in applied]


async def main() -> None:
    parser = argparse.ArgumentParser(prog="python_adapter", description=inspect.getdoc(sys.modules[__name__]))
    parser.add_argument("--stack", choices=STACKS, default="psycopg")
    parser.add_argument("--extended", action="store_true")
    options = parser.parse_args()
    driver = os.environ.get("RIVER_CONFORMANCE_DRIVER")
    if driver != "postgres":
        parser.error(f"RIVER_CONFORMANCE_DRIVER must be postgres, not {driver}")
    url = os.environ["RIVER_CONFORMANCE_DATABASE_URL"]
    stack = Stack(options.stack, url, os.environ.get("RIVER_CONFORMANCE_APPLICATION_NAME", ""))
    adapter = PythonAdapter(stack, url, extended=options.extended)
    try:
        while line := await asyncio.to_thread(sys.stdin.buffer.readline):
            print(json.dumps(await adapter.answer(line)), flush=True)
    finally:
        await adapter.close()


if __name__ == "__main__":
    asyncio.run(main())
