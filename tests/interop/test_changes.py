"""What one asks of jobs or queues changes the same rows to the same values, and is heard and answered alike."""

from collections.abc import Callable, Sequence
from typing import Any

import psycopg

from tests.interop import adapter as codes
from tests.interop.adapter import Adapter
from tests.interop.scene import Listener, ask, put_jobs, put_queues, read_table, undated

PAST, FUTURE = "2001-02-03T04:05:06.789012Z", "2101-01-01T00:00:00Z"
CONTROL = "public.river_control"

ERRORS = [
    {"at": "2001-01-01T00:00:00.123456Z", "attempt": 1, "error": "é <b>", "trace": "line 1\nline 2"},
    {"at": "2001-01-02T00:00:00Z", "attempt": 2, "error": "", "trace": ""},
]
EXHAUSTED = {"attempt": 3, "max_attempts": 3, "attempted_at": PAST, "attempted_by": ["a", "b", "ü"], "errors": ERRORS}
TRIED = EXHAUSTED | {"max_attempts": 25}
KEY = {"unique_key": "\\x" + "ab" * 32, "unique_states": "11110101"}
NUMBERS = {"id": 12345678901234567890123456789, "list": [10**40, -1, {"n": 2**64}]}
MARKED = {"cancel_attempted_at": "2001-01-01T00:00:00Z"}

JOBS: list[dict[str, Any]] = [
    {"state": "available"},
    {"state": "available", "scheduled_at": FUTURE, "metadata": NUMBERS},
    {"state": "available", "queue": 'a<b>&"c"·☃'},
    {"state": "available", **TRIED, "tags": ["abc", 'd,"e\\'], "priority": 4, "args": {"n": 10**40, "": None}},
    {"state": "available", **EXHAUSTED},
    {"state": "available", "metadata": MARKED},
    {"state": "pending", **KEY, "unique_key": "\\x00", "metadata": {"output": {"old": 1}, "other": "é"}},
    {"state": "scheduled", "scheduled_at": FUTURE},
    {"state": "scheduled", **EXHAUSTED},
    {"state": "retryable", **TRIED, "scheduled_at": FUTURE},
    {"state": "retryable", **EXHAUSTED},
    {"state": "running", **TRIED},
    {"state": "running", **EXHAUSTED, "metadata": MARKED | NUMBERS},
    {"state": "cancelled", "finalized_at": PAST, **TRIED, "metadata": MARKED | NUMBERS},
    {"state": "cancelled", "finalized_at": PAST, **EXHAUSTED},
    {"state": "completed", "finalized_at": PAST, **TRIED, "metadata": {"output": [1]}},
    {"state": "completed", "finalized_at": PAST, **EXHAUSTED, **KEY, "unique_key": "\\x01"},
    {"state": "discarded", "finalized_at": PAST, **TRIED},
    {"state": "discarded", "finalized_at": PAST, **EXHAUSTED},
    {"state": "discarded", "finalized_at": PAST, "attempt": 30},
    {"state": "available", "id": 2**53 + 1, "metadata": NUMBERS},
    {"state": "running", "id": 2**63 - 1},
]
JOBS = [{"id": number, **job} for number, job in enumerate(JOBS, 1)]

NO_OBJECT = 104

#: Those that the database keeps from being retried or cancelled; its error ends a transaction.
IMPOSSIBLE: list[dict[str, Any]] = [
    {"state": "discarded", "id": 101, "finalized_at": PAST, "attempt": 32_767, "max_attempts": 32_767},
    {"state": "available", "id": 102, **KEY},
    {"state": "cancelled", "id": 103, "finalized_at": PAST, **KEY},
    {"state": "available", "id": NO_OBJECT, "metadata": [1, {"a": 2}]},
]
UNKNOWN = [0, -1, 99, 2**62]
IDS = [job["id"] for job in [*JOBS, *IMPOSSIBLE]] + UNKNOWN
OUTPUT = {"output": '{"text":"<é>","n":[1,1.5,12345678901234567890123],"none":null}'}

Script = Callable[[Adapter], Sequence[Any]]


def once(method: str, **params: Any) -> Script:
    return lambda adapter: [ask(adapter, method, {"id": job_id, **params}) for job_id in IDS]


def again(*methods: str) -> Script:
    return lambda adapter: [ask(adapter, method, {"id": job_id}) for job_id in IDS for method in methods]


def in_transaction(method: str, commit: bool, **params: Any) -> Script:
    possible = [job["id"] for job in JOBS] + UNKNOWN

    def script(adapter: Adapter) -> list[Any]:
        adapter.request("tx_begin", {"tx": "one"})
        answers = [ask(adapter, method, {"id": job_id, "tx": "one", **params}) for job_id in possible]
        adapter.request("tx_end", {"tx": "one", "commit": commit})
        return answers

    return script


def many(**filters: Any) -> Script:
    return lambda adapter: [ask(adapter, "delete_many", filters)]


JOB_SCRIPTS: dict[str, Script] = {
    "cancel": once("cancel"),
    "retry": once("retry"),
    "delete": once("delete"),
    "update": once("update", **OUTPUT),
    "update by null": once("update", output="null"),
    "update by nothing": once("update"),
    "again": again("cancel", "cancel", "retry", "retry", "cancel"),
    "cancel in a transaction": in_transaction("cancel", True),
    "retry in a transaction": in_transaction("retry", True),
    "delete in a transaction": in_transaction("delete", True),
    "update in a transaction": in_transaction("update", True, **OUTPUT),
    "cancel for nothing": in_transaction("cancel", False),
    "delete all": many(all=True),
    "delete some": many(limit=3, states=["available", "running", "discarded"]),
    "delete by all filters": many(
        ids=IDS[:20], kinds=["interop", "x"], priorities=[1, 4], queues=["default"], states=["available", "cancelled"]
    ),
    "delete without a filter": many(),
}


def outcome(adapter: Adapter, script: Script, table: str, listener: Listener, db: psycopg.Connection) -> dict[str, Any]:
    """Run a script, and return all there is to see of it."""
    answers = undated(script(adapter))
    return {"answers": answers, "heard": listener.heard(), "rows": read_table(db, table)}


def test_jobs(ours: Adapter, go: Adapter, listener: Listener, db: psycopg.Connection) -> None:
    for name, script in JOB_SCRIPTS.items():
        outcomes = []
        for adapter in (go, ours):
            put_jobs(db, [*JOBS, *IMPOSSIBLE])
            outcomes.append(outcome(adapter, script, "river_job", listener, db))
        for part in ("answers", "heard", "rows"):
            assert outcomes[1][part] == outcomes[0][part], (name, part)
        if name == "cancel":
            cancelled = {job["id"] for job in [*JOBS, *IMPOSSIBLE] if "finalized_at" not in job} - {NO_OBJECT}
            assert len(outcomes[0]["heard"]) == len(cancelled)


ODD = 'a<b>&"c"·☃\u2028'
QUEUES: list[dict[str, Any]] = [
    {"name": "plain"},
    {"name": "paused", "paused_at": PAST, "metadata": {"a": [1, {}]}},
    {"name": ODD, "metadata": NUMBERS},
    {"name": "a|b-c_d"},
]
NAMES = [*(queue["name"] for queue in QUEUES), "unknown", "", "PLAIN"]

METADATA: list[dict[str, Any]] = [
    {},
    {"text": 'é☃😀 <&> \u2028\u2029 "\\/ \b\f\n\r\t\x01\x7f', "<&>é": "", "": None},
    {
        "b": {"z": [1, 1.5, -0.25, 10**40, 12345678901234567890123], "y": [[], {}, [[{"x": [True, False, None]}]]]},
        "a": 1,
    },
]


def queue(action: str, name: str, **params: Any) -> dict[str, Any]:
    return {"action": action, "name": name} | params


def controlled(*requests: dict[str, Any]) -> Script:
    return lambda adapter: [ask(adapter, "queue", request) for request in requests]


def controlled_in_transaction(commit: bool, *requests: dict[str, Any]) -> Script:
    def script(adapter: Adapter) -> list[Any]:
        adapter.request("tx_begin", {"tx": "one"})
        answers = [ask(adapter, "queue", {**request, "tx": "one"}) for request in requests]
        answers.append(adapter.request("queue_list", {"tx": "one"}))
        adapter.request("tx_end", {"tx": "one", "commit": commit})
        return answers

    return script


EVERYTHING = [
    *(queue(action, name) for action in ("pause", "resume", "update") for name in NAMES),
    queue("pause", "*"),
    *(queue("update", ODD, metadata=metadata) for metadata in METADATA),
]
QUEUE_SCRIPTS: dict[str, Script] = {
    "pause": controlled(*(queue("pause", name) for name in NAMES)),
    "pause again": controlled(*(queue("pause", name) for name in NAMES * 2)),
    "pause all": controlled(queue("pause", "*"), queue("pause", "*")),
    "resume": controlled(*(queue("resume", name) for name in NAMES)),
    "resume again": controlled(*(queue("resume", name) for name in NAMES * 2)),
    "resume all": controlled(queue("resume", "*"), queue("resume", "*")),
    "update": controlled(*(queue("update", name, metadata=each) for name in NAMES for each in METADATA)),
    "update nothing": controlled(*(queue("update", name) for name in NAMES)),
    "update all": controlled(queue("update", "*", metadata={})),
    "in a transaction": controlled_in_transaction(True, *EVERYTHING),
    "for nothing": controlled_in_transaction(False, *EVERYTHING),
}


def test_queues(ours: Adapter, go: Adapter, listener: Listener, db: psycopg.Connection) -> None:
    for name, script in QUEUE_SCRIPTS.items():
        outcomes = []
        for adapter in (go, ours):
            put_queues(db, QUEUES)
            outcomes.append(outcome(adapter, script, "river_queue", listener, db))
        for part in ("answers", "heard", "rows"):
            assert outcomes[1][part] == outcomes[0][part], (name, part)


def test_no_queues_at_all(ours_either_way: Adapter, go: Adapter, listener: Listener) -> None:
    for adapter in (go, ours_either_way):
        for action in ("pause", "resume"):
            adapter.request("queue", queue(action, "*"))
        assert listener.heard() == [(CONTROL, f'{{"action":"{action}","queue":"*"}}') for action in ("pause", "resume")]
        assert ask(adapter, "queue", queue("pause", "default")) == codes.NOT_FOUND
        assert adapter.request("queue_list") == {"queues": []}


def test_metadata_fill_a_notification(
    ours_either_way: Adapter, go: Adapter, listener: Listener, db: psycopg.Connection
) -> None:
    put_queues(db, QUEUES)
    around = len('{"action":"metadata_changed","metadata":{"x":""},"queue":"plain"}')
    for fill, size in (("a", 1), ("é", 2), ("<", 6)):  # how many bytes each takes
        count, rest = divmod(7_999 - around, size)
        largest = fill * count + "a" * rest
        for adapter in (go, ours_either_way):
            adapter.request("queue", queue("update", "plain", metadata={"x": largest}))
            ((channel, payload),) = listener.heard()
            assert (channel, len(payload.encode())) == (CONTROL, 7_999)
            too_large = queue("update", "plain", metadata={"x": largest + "a"})
            assert ask(adapter, "queue", too_large) == codes.REJECTED
            assert listener.heard() == []
            assert adapter.request("queue_get", {"name": "plain"})["metadata"] == {"x": largest}
