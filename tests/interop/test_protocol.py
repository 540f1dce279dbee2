"""Both adapters keep to the protocol; what is wrong is refused with the right code."""

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.interop import adapter as codes
from tests.interop.adapter import Adapter
from tests.interop.conftest import Start
from tests.interop.scene import count_jobs, insert, job, refused
from tests.interop.stacks import STACKS


def test_interop_with_go_ran(go: Adapter) -> None:
    handshake = go.request("handshake")
    version = handshake.pop("version")
    assert handshake == {"driver": "postgres", "implementation": "go"}
    assert version.startswith("v0.")


@pytest.mark.parametrize("stack", STACKS)
def test_handshake(start: Start, stack: str) -> None:
    handshake = start(stack).request("handshake")
    assert handshake.pop("version")
    assert handshake == {"driver": "postgres", "implementation": "python"}


@pytest.fixture(params=["go", "psycopg"])
def either(request: pytest.FixtureRequest, start: Start) -> Adapter:
    return start(request.param, extended=False)


def test_unknown_methods_are_refused(either: Adapter) -> None:
    ours = ("count", "delete", "delete_many", "get", "queue_get", "queue_list", "update", "wait")
    for method in ("nope", "", "insert_args", "insert_fast", "unique_key", *ours):
        assert refused(either, method) == codes.METHOD_NOT_FOUND, method


WRONG_PARAMS: list[tuple[str, Any]] = [
    ("handshake", {"verbose": True}),
    ("handshake", [1]),
    ("insert", {"jobs": [job()], "fast": True}),
    ("insert", {"jobs": [job() | {"kind": "other"}]}),
    ("insert", {"jobs": [job(retries=3)]}),
    ("insert", {"jobs": [job(unique={"by_args": True, "by_kind": True})]}),
    ("insert", {"jobs": [job(unique={"by_args": "yes"})]}),
    ("insert", {"jobs": [job(priority="1")]}),
    ("insert", {"jobs": [job(priority=1.5)]}),
    ("insert", {"jobs": [job(priority=2**63)]}),
    ("insert", {"jobs": [job(tags="abc")]}),
    ("insert", {"jobs": [job(tags=[1])]}),
    ("insert", {"jobs": [job(scheduled_at="tomorrow")]}),
    ("insert", {"jobs": [job(scheduled_at="2026-01-01 00:00:00Z")]}),
    ("insert", {"jobs": [job(scheduled_at="2026-02-30T00:00:00Z")]}),
    ("insert", {"jobs": {"behavior": ""}}),
    ("insert", {"jobs": [[]]}),
    ("cancel", {"id": "1"}),
    ("cancel", {"id": 1.5}),
    ("cancel", {"id": 2**63}),
    ("cancel", {"job_id": 1}),
    ("list", {"after": "nonsense"}),
    ("list", {"direction": "up"}),
    ("list", {"ids": 1}),
    ("list", {"ids": ["1"]}),
    ("list", {"limit": "1"}),
    ("list", {"order_by": "kind"}),
    ("list", {"tags_any": ["abc"]}),
    ("migrate", {"direction": "sideways"}),
    ("migrate", {"target_version": "3"}),
    ("queue", {"name": "default"}),
    ("queue", {"action": "stop", "name": "default"}),
    ("queue", {"action": "pause", "name": ["default"]}),
    ("retry", {"id": 1, "now": True}),
    ("tx_begin", {}),
    ("tx_begin", {"tx": ""}),
    ("tx_begin", {"tx": 1}),
    ("tx_end", {"tx": "x", "rollback": True}),
]


def test_params_of_another_shape_are_refused(either: Adapter) -> None:
    for method, params in WRONG_PARAMS:
        assert refused(either, method, params) == codes.INVALID_PARAMS, (method, params)


WRONG_LINES = [
    ("{", codes.PARSE_ERROR),
    ("hello", codes.PARSE_ERROR),
    ('{"jsonrpc":"2.0","id":1,"method":"handshake","params":{"x":NaN}}', codes.PARSE_ERROR),
    ("[]", codes.INVALID_REQUEST),
    ('{"jsonrpc":"1.0","id":1,"method":"handshake"}', codes.INVALID_REQUEST),
    ('{"jsonrpc":"2.0","method":"handshake"}', codes.INVALID_REQUEST),
    ('{"jsonrpc":"2.0","id":"1","method":"handshake"}', codes.INVALID_REQUEST),
    ('{"jsonrpc":"2.0","id":1,"method":"handshake","extra":1}', codes.INVALID_REQUEST),
]


def test_lines_that_are_no_request_are_answered_with_an_error(either: Adapter) -> None:
    for line, code in WRONG_LINES:
        either.send_line(line)
        assert either.receive_answer()["error"]["code"] == code, line
    assert either.request("handshake")  # the next one is heard


def test_null_and_missing_params_are_none(either: Adapter) -> None:
    for params in ("", ',"params":null', ',"params":{}'):
        either.send_line(f'{{"jsonrpc":"2.0","id":77,"method":"handshake"{params}}}')
        assert either.receive_answer()["id"] == 77


def test_zero_and_null_options_mean_the_default(either: Adapter) -> None:
    nothing: dict[str, Any] = {
        "max_attempts": 0,
        "priority": 0,
        "queue": "",
        "tags": [],
        "metadata": None,
        "scheduled_at": None,
    }
    unique = {"by_args": False, "by_period_ms": 0, "by_queue": False, "by_state": [], "exclude_kind": False}
    row = insert(either, job(**nothing, unique=unique))[0]["job"]
    assert (row["max_attempts"], row["priority"], row["queue"], row["tags"]) == (25, 1, "default", [])
    assert (row["metadata"], row["unique_key"], row["unique_states"]) == ({}, None, None)


def test_both_show_a_row_alike(start: Start, go_program: Path) -> None:
    rows = [
        insert(start(name), job("x", tags=["abc"], metadata={"a": 1}, scheduled_at="2030-01-01T00:00:00.120+01:00"))
        for name in ("go", "psycopg")
    ]
    for row in rows:
        row[0]["job"].pop("id")
        assert row[0]["job"].pop("created_at").endswith("Z")
    assert rows[0] == rows[1]


def test_transactions_have_names(either: Adapter) -> None:
    either.request("tx_begin", {"tx": "one"})
    assert refused(either, "tx_begin", {"tx": "one"}) == codes.REJECTED
    for method, params in (("insert", {"jobs": [job()]}), ("list", {}), ("cancel", {"id": 1}), ("retry", {"id": 1})):
        assert refused(either, method, {**params, "tx": "two"}) == codes.NOT_FOUND
    assert refused(either, "queue", {"action": "pause", "name": "*", "tx": "two"}) == codes.NOT_FOUND
    assert refused(either, "tx_end", {"tx": "two"}) == codes.NOT_FOUND
    either.request("tx_end", {"tx": "one"})
    assert refused(either, "tx_end", {"tx": "one"}) == codes.NOT_FOUND
    either.request("tx_begin", {"tx": "one"})  # the name is free again; its end is that of the process


def test_what_is_open_at_the_end_is_rolled_back(either: Adapter, db: psycopg.Connection) -> None:
    either.request("tx_begin", {"tx": "open"})
    insert(either, job(), tx="open")
    either.close()
    assert count_jobs(db) == 0


def test_a_long_line_is_read_and_written(either: Adapter) -> None:
    text = "é☃😀" * 400_000
    row = insert(either, job(text))[0]["job"]
    assert row["args"] == {"behavior": "", "duration_ms": 0, "message": text}


def test_metadata_keep_their_numbers(either: Adapter, db: psycopg.Connection) -> None:
    text = '{"big": 123456789012345678901234567890, "tiny": 5e-324, "exact": 0.1000000000000000055511151231257827}'
    either.send_line(
        json.dumps({"jsonrpc": "2.0", "id": 5, "method": "insert", "params": {"jobs": [job(metadata="MARK")]}}).replace(
            '"MARK"', text
        )
    )
    assert "result" in either.receive_answer()
    stored = db.execute("SELECT metadata = %s::jsonb FROM river_job", [text]).fetchone()
    assert stored == (True,)
