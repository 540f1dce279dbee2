"""Operations by hand: a generator, `next` and `send`; no database."""

import json
import struct
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riverqueue.copy_rows import COLUMNS, copy_jobs
from riverqueue.errors import InvalidJobError
from riverqueue.insert_document import document
from riverqueue.insert_params import JobInsertParams
from riverqueue.jobs import InsertResult, JobState
from riverqueue.operations import insert
from riverqueue.operations.server import probe
from riverqueue.statement import Copy

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def job(key=None, *, args="{}", queue="default", state=JobState.AVAILABLE, metadata="{}", **more):
    return JobInsertParams(
        args=None,
        encoded_args=args,
        kind="sort",
        max_attempts=25,
        metadata=metadata,
        priority=1,
        queue=queue,
        scheduled_at=None,
        state=state,
        tags=(),
        unique_key=key,
        unique_states=None if key is None else 245,
        **more,
    )


def row(id, *, duplicate=False, metadata="{}"):
    values = [None] * 17
    values[9] = json.loads(metadata)
    return [id, json.dumps(values), duplicate]


def run(operation, answer):
    """Answer each step until the operation ends; return its result and the steps."""
    steps = []
    try:
        step = next(operation)
        while True:
            steps.append(step)
            step = operation.send(answer(step))
    except StopIteration as stop:
        return stop.value, steps


def server(existing=()):
    """Answer as a server would that has these unique keys."""
    taken = {key: 1000 + n for n, key in enumerate(existing)}
    state = {"id": 0}

    def next_id():
        state["id"] += 1
        return state["id"]

    def answer(step):
        if isinstance(step, Copy):
            return sum(piece.count(b"default") for piece in step.data)
        if step.name == "JobNextIds":
            return step.decode([[next_id()] for _ in range(step.params["count"])])
        if step.name == "JobInsert":
            return step.decode([row(next_id())])
        rows = []
        for element in json.loads(step.params["jobs"]):
            key = element.get("unique_key")
            if key in taken:
                rows.append(row(taken[key], duplicate=True))
                continue
            rows.append(row(element.get("id") or next_id()))
            if key:
                taken[key] = rows[-1][0]
        return step.decode(rows)

    return answer


def test_plain_jobs_are_one_statement():
    results, steps = run(insert.insert_many([job(), job()], now=NOW, notify=["default"]), server())
    assert [step.name for step in steps] == ["JobInsertMany"]
    assert steps[0].params["payloads"] == ['{"queue": "default"}']
    assert [result.job.id for result in results] == [1, 2]


def test_a_single_unique_job_is_one_statement():
    _, steps = run(insert.insert_many([job(b"k")], now=NOW), server())
    assert [step.name for step in steps] == ["JobInsertManyUnique"]


def test_a_single_plain_job_is_the_least_statement():
    _, steps = run(insert.insert_many([job()], now=NOW), server())
    assert [step.name for step in steps] == ["JobInsert"]
    _, steps = run(insert.insert_many([job()], now=NOW, notify=["default"]), server())
    assert [step.name for step in steps] == ["JobInsertMany"]


@given(st.lists(st.one_of(st.none(), st.binary(min_size=1, max_size=1)), min_size=1, max_size=30))
def test_results_come_in_the_callers_order(keys):
    existing = [b"\x00".hex(), b"\x01".hex()]
    results, steps = run(insert.insert_many([job(key) for key in keys], now=NOW), server(existing))
    assert len(results) == len(keys)
    inserted = [e.get("unique_key") for e in json.loads(steps[-1].params.get("jobs", "[]"))]
    with_key = [key for key in inserted if key]
    assert with_key == sorted(set(with_key)), "keys go in by order, each once"
    first_of = {}
    for key, result in zip(keys, results, strict=True):
        if key is None:
            assert not result.unique_skipped_as_duplicated
        elif key.hex() in existing:
            assert result.unique_skipped_as_duplicated
            assert result.job.id >= 1000
        else:
            assert result.unique_skipped_as_duplicated == (key in first_of)
            assert result.job.id == first_of.setdefault(key, result.job.id)
    fresh = [result.job.id for result in results if not result.unique_skipped_as_duplicated]
    assert fresh == sorted(fresh), "identities rise with the caller's order"


def test_large_batches_go_in_chunks(monkeypatch):
    monkeypatch.setattr(insert, "CHUNK_BYTES", 2000)
    jobs = [job(args=f'{{"n":{n}}}') for n in range(10)]
    assert not insert.is_one_statement(jobs)
    results, steps = run(insert.insert_many(jobs, now=NOW, notify=["default"]), server())
    assert len(steps) > 1
    assert [result.job.id for result in results] == list(range(1, 11))
    assert [bool(step.params["payloads"]) for step in steps] == [True] + [False] * (len(steps) - 1)


def test_a_huge_job_has_a_chunk_of_its_own(monkeypatch):
    monkeypatch.setattr(insert, "CHUNK_BYTES", 10)
    _, steps = run(insert.insert_many([job(), job(), job()], now=NOW), server())
    assert len(steps) == 3


def test_the_nonce_tells_duplicates():
    def answer(step):
        (element,) = json.loads(step.params["jobs"])
        nonce = element["metadata"]["river:unique_nonce"]
        assert len(nonce) == 16
        assert element["metadata"]["big"] == 12345678901234567890123
        return step.decode([row(7, metadata=json.dumps({"river:unique_nonce": "another"}))])

    jobs = [job(b"k", metadata=' {"big": 12345678901234567890123} ')]
    ((_, duplicate),), _ = run(insert.insert_many(jobs, now=NOW, nonce=True), answer)
    assert duplicate


def test_only_queues_with_available_jobs_are_notified_in_first_order():
    jobs = [job(queue="b"), job(queue="a"), job(queue="b"), job(queue="c", state=JobState.SCHEDULED)]
    assert insert.available_queues(jobs) == ["b", "a"]


def test_repeated_keys_are_refused_on_request():
    with pytest.raises(InvalidJobError, match="jobs 0 and 2 of the batch"):
        insert.refuse_repeated_keys([job(b"k"), job(), job(b"k")])
    insert.refuse_repeated_keys([job(), job(), job(b"k")])


def test_fast_without_copy_counts():
    def answer(step):
        return step.decode([[len(json.loads(step.params["jobs"])), 1]])

    count, steps = run(insert.insert_many_fast([job(), job()], now=NOW, notify=["q"]), answer)
    assert count == 2
    assert [step.name for step in steps] == ["JobInsertManyNoReturning"]


def test_copy_is_postgresqls_binary_format():
    step = copy_jobs([[job(b"\x01" * 32, args='{"a":1}')]], NOW)
    data = b"".join(step.data)
    assert data.startswith(b"PGCOPY\n\xff\r\n\0" + bytes(8))
    assert data.endswith(b"\xff\xff")
    fields, position = [], 21
    for _ in range(struct.unpack_from("!h", data, 19)[0]):
        (length,) = struct.unpack_from("!i", data, position)
        fields.append(data[position + 4 : position + 4 + max(length, 0)])
        position += 4 + max(length, 0)
    by_name = dict(zip(COLUMNS, fields, strict=True))
    assert by_name["args"] == b'\x01{"a":1}'
    assert by_name["created_at"] == struct.pack(
        "!q", (NOW - datetime(2000, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    )
    assert by_name["unique_states"] == struct.pack("!iB", 8, 245)


@given(st.datetimes(timezones=st.just(UTC)))
def test_the_document_is_json_whatever_the_time(time):
    (element,) = json.loads(document([job(created_at=time)])["jobs"])
    assert datetime.fromisoformat(element["created_at"]) == time


PROBE = ["PostgreSQL 15.1", 150_001, "off", True, True, True, "public"]


@pytest.mark.parametrize(
    ("product", "number", "setting", "expected"),
    [
        ("PostgreSQL 15.12", 150_012, "off", ("xmax", True)),
        ("PostgreSQL 18.0", 180_000, "off", ("old", True)),
        ("PostgreSQL 15.12-YB-2025.2.3.0-b1", 150_012, "off", ("nonce", False)),
        ("PostgreSQL 15.12-YB-2025.2.3.0-b1", 150_012, "on", ("nonce", True)),
        ("YugabyteDB", 150_012, "off", ("nonce", False)),
    ],
)
def test_a_server_is_known_by_its_probe(product, number, setting, expected):
    found, _ = run(probe(None), lambda step: step.decode([[product, number, setting, *PROBE[3:]]]))
    assert (found.duplicate, found.notify) == expected


@pytest.mark.parametrize(
    ("has_table", "has_unique_states", "version", "says"),
    [(False, False, None, "are not in the search_path"), (True, False, 4, "are at version 4")],
)
def test_a_probe_says_what_to_run(has_table, has_unique_states, version, says):
    def answer(step):
        if step.name == "MigrationVersion":
            return step.decode([[version]])
        return step.decode([[*PROBE[:3], has_table, has_unique_states, True, "public"]])

    with pytest.raises(Exception, match=says) as caught:
        run(probe(None), answer)
    assert "riverqueue_migrations.upgrade(connection)" in str(caught.value)


def test_results_unpack():
    found = InsertResult(job=None)
    assert found.unique_skipped_as_duplicated is False


def test_an_element_names_what_differs_from_the_first():
    jobs = [job(), job(args='{"a":1}'), job(queue="other")]
    found = document(jobs)
    assert json.loads(found.pop("jobs")) == [
        {"args": {}},
        {"args": {"a": 1}},
        {"kind": "sort", "queue": "other", "priority": 1, "max_attempts": 25, "state": "available", "args": {}},
    ]
    assert found == {"kind": "sort", "queue": "default", "priority": 1, "max_attempts": 25, "state": "available"}


def test_a_copy_asks_for_a_batch_when_its_turn_comes_and_notifies_afterwards():
    asked = []

    def batches():
        for queue in ("b", "a", "b"):
            asked.append(queue)
            yield [job(queue=queue)]

    operation = insert.copy_many(batches(), now=NOW, limiter=lambda queues: queues)
    step = next(operation)
    pieces = iter(step.data)
    next(pieces)
    assert asked == []
    next(pieces)
    assert asked == ["b"]
    list(pieces)
    step = operation.send(3)
    assert step.params["payloads"] == ['{"queue": "b"}', '{"queue": "a"}']
    with pytest.raises(StopIteration) as stop:
        operation.send(None)
    assert stop.value.value == 3
