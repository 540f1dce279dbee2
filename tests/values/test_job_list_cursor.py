"""Cursors as text; tests/interop compares them with those that Go gives."""

from base64 import b64encode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riverqueue import InvalidParamsError, JobListCursor

# River's own example.
BY_ID = (
    "eyJpZCI6NCwia2luZCI6InRlc3Rfa2luZCIsInF1ZXVlIjoiZGVmYXVsdCIsInNvcnRfZmllbGQiOiJpZCIsInRpbWUiOiIwMDAxLTAxLTAxVDAw"
    "OjAwOjAwWiJ9"
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
CURSORS = st.builds(
    JobListCursor,
    st.integers(-(2**63) + 1, 2**63 - 1),
    TEXT,
    TEXT,
    st.sampled_from(["id", "scheduled_at", "finalized_at", "time"]),
    st.none() | st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)),
)


def test_by_id_is_rivers_example():
    cursor = JobListCursor(4, "test_kind", "default", "id", None)
    assert str(cursor) == BY_ID
    assert JobListCursor.from_text(BY_ID) == cursor


@given(CURSORS)
def test_text_is_read_back(cursor):
    assert JobListCursor.from_text(str(cursor)) == cursor


@given(CURSORS)
def test_either_alphabet_is_read(cursor):
    standard = str(cursor).replace("-", "+").replace("_", "/")
    assert JobListCursor.from_text(standard) == cursor


def test_the_alphabets_differ_on_some():
    cursor = JobListCursor(1, "»»»???>>>", "a~~~?", "id", None)
    assert set(str(cursor)) & set("-_")


def document(**changes):
    document = {"id": "1", "kind": '"k"', "queue": '"q"', "sort_field": '"id"', "time": '"2026-01-02T03:04:05Z"'}
    text = ",".join(f'"{name}":{value}' for name, value in (document | changes).items() if value)
    return urlsafe_b64encode(f"{{{text}}}".encode()).decode()


def test_times_of_other_zones_are_read_in_utc():
    cursor = JobListCursor.from_text(document(time='"2026-01-02T05:04:05+02:00"'))
    assert cursor.time == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert cursor.time.utcoffset() == timedelta(0)
    assert str(cursor) == str(JobListCursor(1, "k", "q", "id", cursor.time.astimezone(timezone(timedelta(hours=-5)))))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "garbage!",
        "e30=",
        b64encode(b"[1]").decode(),
        b64encode(b"\xff\xfe").decode(),
        BY_ID[:-4],
        "é" * 8,
        document(id="1.5"),
        document(id='"1"'),
        document(id="true"),
        document(id=str(2**63)),
        document(kind="1"),
        document(queue="null"),
        document(sort_field="[]"),
        document(time="1"),
        document(time='"yesterday"'),
        document(time='"2026-01-02T03:04:05"'),
        document(time='"10000-01-01T00:00:00Z"'),
        *(document(**{name: ""}) for name in ("id", "kind", "queue", "sort_field", "time")),
        b64encode(b"[" * 100_000).decode(),
    ],
)
def test_garbage_is_refused(text):
    with pytest.raises(InvalidParamsError, match="not a cursor") as caught:
        JobListCursor.from_text(text)
    assert text[:20] in str(caught.value) or not text.isascii()
    assert len(str(caught.value)) < 300
