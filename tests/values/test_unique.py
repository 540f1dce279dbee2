import hashlib
import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riverqueue import encoding, unique
from riverqueue.errors import InvalidJobError
from riverqueue.insert_opts import UNIQUE_STATES_REQUIRED, UniqueOpts
from riverqueue.jobs import JobState

VECTORS = Path(__file__).parent.parent / "vectors"
NOW = datetime(2026, 8, 10, 15, 16, 17, 123456, tzinfo=UTC)
MINUTES_15 = timedelta(minutes=15)


def elements(array: str) -> list[str]:
    """Split the canonical text of an array; numbers and order must not pass through Python."""
    decoder, found, position = json.JSONDecoder(), list[str](), 1
    while array[position] != "]":
        _, end = decoder.raw_decode(array, position)
        found.append(array[position:end])
        position = end + (array[end] == ",")
    return found


def fixture(file: str) -> list[Any]:
    top = dict(encoding.object_members((VECTORS / file).read_text("utf-8")))
    cases = [dict(encoding.members(case)) for key in ("cases", "typed_only_cases") for case in elements(top[key])]
    return [pytest.param(case, id=json.loads(case["name"])) for case in cases]


def time(text: str) -> datetime | None:
    value = json.loads(text)
    return None if value is None else datetime.fromisoformat(value)


def key_of_case(case: dict[str, str]) -> tuple[bytes, int]:
    options = json.loads(case["options"])
    components = json.loads(case.get("selected_unique_components", "null"))
    opts = UniqueOpts(
        by_args=options["by_args"],
        by_period=timedelta(microseconds=options["by_period_nanos"] // 1000),
        by_queue=options["by_queue"],
        by_state=options.get("by_state"),
        exclude_kind=options["exclude_kind"],
    )
    unique.validate(opts)
    now = time(case["now"])
    assert now is not None
    args = case["args"]
    if json.loads(case["name"]) == "typed_duplicate_top_level_keys":
        args = '{"a":1,"a":2,"b":3}'  # the fixture has lost what it is about
    key = unique.unique_key(
        opts,
        kind=json.loads(case["kind"]),
        encoded_args=args,
        queue=json.loads(case["queue"]),
        scheduled_at=time(case["scheduled_at"]),
        now=now,
        paths=[tuple(path) for path in components] if components else None,
    )
    return key, unique.states_mask(opts)


@pytest.mark.parametrize("case", fixture("unique_keys.json"))
def test_fixtures_of_river(case: dict[str, str]) -> None:
    check_case(case)


@pytest.mark.parametrize("case", fixture("reconstructed/unique_keys.json"))
def test_fixtures_as_the_generator_writes_them(case: dict[str, str]) -> None:
    check_case(case)


def check_case(case: dict[str, str]) -> None:
    if "expected_error" in case:
        with pytest.raises(InvalidJobError, match="must encode a JSON object"):
            key_of_case(case)
    else:
        key, mask = key_of_case(case)
        assert key.hex() == json.loads(case["expected_sha256"])
        assert mask == json.loads(case["expected_state_mask"])


BY_STATE_REQUIRED = UniqueOpts(by_state=UNIQUE_STATES_REQUIRED)
PERIODS: dict[int, timedelta | float] = {
    16: 1,
    17: MINUTES_15,
    18: timedelta(hours=1),
    19: timedelta(hours=24),
    20: timedelta(days=7),
    21: timedelta(hours=5),
    22: 420,
    23: 1.5,
    25: timedelta(hours=1),
}
OPTIONS = {
    1: UniqueOpts(by_queue=True),
    2: UniqueOpts(by_queue=True),
    3: BY_STATE_REQUIRED,
    4: UniqueOpts(by_state=list(JobState)),
    **{n: UniqueOpts(by_args=True) for n in range(5, 9)},
    **{n: UniqueOpts(by_period=period) for n, period in PERIODS.items()},
    26: UniqueOpts(by_args=True, by_period=MINUTES_15, by_queue=True, by_state=[*UNIQUE_STATES_REQUIRED, "discarded"]),
    27: UniqueOpts(by_args=True, by_period=MINUTES_15, by_queue=True, exclude_kind=True),
    29: UniqueOpts(by_queue=True),
}
NUMBERED = [json.loads(line) for line in (VECTORS / "unique_keys.jsonl").read_text("utf-8").splitlines()]


@pytest.mark.parametrize("vector", NUMBERED, ids=lambda vector: vector["name"])
def test_numbered_vectors(vector: dict[str, Any]) -> None:
    number = vector["n"]
    opts = OPTIONS.get(number) or UniqueOpts(by_args=vector["unique_paths"])
    unique.validate(opts)
    inputs: dict[str, Any] = {
        "kind": "my·job[v2]<a>/b:c+d" if number == 29 else "my_job",
        "encoded_args": vector["encoded_args"],
        "queue": "high_priority" if number in (1, 26, 27) else "default",
        "scheduled_at": None,
        "now": datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC) if number == 25 else NOW,
    }
    assert unique.pre_hash(opts, **inputs) == vector["pre_hash"]
    assert unique.unique_key(opts, **inputs).hex() == vector["sha256"]
    assert unique.states_mask(opts) == vector["mask"]


def test_all_numbered_vectors_but_two_are_there() -> None:
    assert {vector["n"] for vector in NUMBERED} == set(range(1, 30)) - {24, 28}


def test_vector_24_is_rendered_in_utc_since_0_48() -> None:
    now = NOW.astimezone(timezone(timedelta(hours=-4)))
    assert pre_hash(UniqueOpts(by_period=86400), now=now) == "&kind=my_job&period=2026-08-10T00:00:00Z"


def test_vector_28_is_refused_since_0_48() -> None:
    with pytest.raises(InvalidJobError, match="exclude_kind requires by_args, by_queue, or by_period"):
        unique.validate(UniqueOpts(exclude_kind=True, by_state=UNIQUE_STATES_REQUIRED))


def test_a_process_in_new_york_and_one_in_utc_agree_since_0_48() -> None:
    opts, now = UniqueOpts(by_period=timedelta(hours=24)), datetime(2026, 11, 23, 2, 2, tzinfo=UTC)
    digest = hashlib.sha256(pre_hash(opts, kind="test_kind", now=now).encode()).hexdigest()
    assert digest == "72e2f03ca95a6e47bed79dc411275f801679569f5083777dd261461b9787c745"


def pre_hash(opts: UniqueOpts, encoded_args: str = "{}", **inputs: Any) -> str:
    given = {"kind": "my_job", "queue": "default", "scheduled_at": None, "now": NOW} | inputs
    return unique.pre_hash(opts, encoded_args=encoded_args, **given)


def args_of(text: str, *paths: tuple[str, ...]) -> str:
    return pre_hash(UniqueOpts(by_args=list(paths) if paths else True, exclude_kind=True), text).removeprefix("&args=")


@pytest.mark.parametrize("text", ["", "{}", "[]", " { } "])
def test_nothing_and_an_empty_array_count_as_an_empty_object(text: str) -> None:
    assert args_of(text) == "{}"


@pytest.mark.parametrize(
    ("text", "paths", "args"),
    [
        ('{"a":[{"b":1}]}', [("a", "b")], ""),
        ('{"a":1}', [("a", "b")], ""),
        ('{"a":{"b":1,"b":2},"a":3}', [("a", "b")], '{"a":{"b":1}}'),
        ('{"a":1,"a":{"b":2}}', [("a", "b")], '{"a":{"b":2}}'),
        ('{"a":{"b":1,"c":2}}', [("a", "b"), ("a",)], '{"a":{"b":1,"c":2}}'),
        ('{"a<b":{"é&":1,"c":2}}', [("a<b", "é&"), ("a<b", "c")], '{"a<b":{"c":2,"é\\u0026":1}}'),
        ('{"a.b":1,"a":{"b":2}}', [("a.b",), ("a", "b")], '{"a":{"b":2},"a.b":1}'),
        ('{"a":{"z":1},"a-b":2}', [("a-b",), ("a", "z"), ("a", "z")], '{"a-b":2,"a":{"z":1}}'),
    ],
)
def test_selected_args_as_gjson_and_sjson_make_them(text: str, paths: list[tuple[str, ...]], args: str) -> None:
    assert args_of(text, *paths) == args


def test_paths_of_options_come_before_those_of_the_type() -> None:
    text = '{"a":1,"b":{"c":2}}'
    assert pre_hash(UniqueOpts(by_args=["b.c"]), text, paths=[("a",)]) == '&kind=my_job&args={"b":{"c":2}}'
    assert pre_hash(UniqueOpts(by_args=True), text, paths=[("a",)]) == '&kind=my_job&args={"a":1}'
    assert pre_hash(UniqueOpts(by_args=True), text, paths=()) == '&kind=my_job&args={"a":1,"b":{"c":2}}'


def test_a_period_longer_than_time_begins_in_year_one() -> None:
    assert pre_hash(UniqueOpts(by_period=timedelta(days=999_999_999))) == "&kind=my_job&period=0001-01-01T00:00:00Z"


def test_the_schedule_places_the_period() -> None:
    zone = timezone(timedelta(hours=5, minutes=30))
    scheduled_at = datetime(2026, 1, 2, 10, 51, tzinfo=zone)
    assert pre_hash(UniqueOpts(by_period=3600), scheduled_at=scheduled_at).endswith("period=2026-01-02T05:00:00Z")


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(InvalidJobError, match="naive"):
        pre_hash(UniqueOpts(by_period=3600), scheduled_at=datetime(2026, 1, 2))


@pytest.mark.parametrize(
    ("opts", "empty"),
    [
        (UniqueOpts(), True),
        (UniqueOpts(by_args=False, by_period=0, by_queue=False, exclude_kind=False), True),
        (UniqueOpts(by_period=timedelta(0)), True),
        (UniqueOpts(by_state=[]), False),
        (UniqueOpts(by_args=["a"]), False),
        (UniqueOpts(exclude_kind=True), False),
    ],
)
def test_emptiness(opts: UniqueOpts, empty: bool) -> None:
    assert unique.is_empty(opts) is empty


def test_no_states_are_the_default_ones() -> None:
    unique.validate(UniqueOpts(by_state=[]))
    assert unique.states_mask(UniqueOpts(by_state=[])) == 245
    assert unique.states_mask(UniqueOpts(by_state=[*UNIQUE_STATES_REQUIRED, "running"])) == 209


@pytest.mark.parametrize(
    ("opts", "message"),
    [
        ({"by_period": 0.5}, "by_period should not be less than 1 second"),
        ({"by_period": timedelta(milliseconds=999)}, "less than 1 second"),
        ({"by_period": -5}, "less than 1 second"),
        ({"by_period": float("nan")}, "timedelta or a number"),
        ({"by_period": float("inf")}, "timedelta or a number"),
        ({"by_period": "1h"}, "timedelta or a number"),
        ({"by_period": True}, "timedelta or a number"),
        ({"exclude_kind": True}, "exclude_kind requires by_args, by_queue, or by_period"),
        ({"by_state": ["available", "lost"]}, "by_state contains invalid state 'lost'"),
        ({"by_state": [[]]}, "invalid state"),
        ({"by_state": ["scheduled", "available"]}, "must contain all required states, missing: pending, running$"),
        ({"by_state": "available"}, "list of states"),
        ({"by_args": []}, "names no args"),
        ({"by_args": "customer_id"}, "list of paths"),
        ({"by_args": {"a"}}, "list of paths"),
        ({"by_args": ["a", 5]}, "str or a tuple"),
        ({"by_args": [""]}, "non-empty"),
        ({"by_args": ["a..b"]}, "non-empty"),
        ({"by_args": [()]}, "non-empty"),
        ({"by_args": [("a", 1)]}, "non-empty"),
        ({"by_args": ["a.0"]}, "index"),
        ({"by_args": [("-1",)]}, "index"),
    ],
)
def test_wrong_options_are_refused(opts: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidJobError, match=message):
        unique.validate(UniqueOpts(**opts))


def test_options_of_another_type_are_refused() -> None:
    with pytest.raises(InvalidJobError, match="dict"):
        unique.validate({"by_args": True})  # type: ignore[arg-type]


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
OBJECTS: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    TEXT,
    st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT | st.lists(TEXT, max_size=3),
    max_size=5,
)


@given(OBJECTS, st.randoms(use_true_random=False))
def test_keys_do_not_depend_on_spelling_whitespace_or_order(value: dict[str, Any], random: Any) -> None:
    items = list(value.items())
    random.shuffle(items)
    shuffled = json.dumps(dict(items), indent=2, ensure_ascii=False)
    assert args_of(json.dumps(value)) == args_of(shuffled)
    paths = [(name,) for name in value if name and not name.lstrip("-").isdigit()]
    if paths:
        random.shuffle(items)
        selected = args_of(json.dumps(value), *paths)
        assert selected == args_of(shuffled, *reversed(paths))
        expected = json.dumps({path[0]: value[path[0]] for path in paths})
        assert json.loads(selected, parse_int=float) == json.loads(expected, parse_int=float)


@given(st.datetimes(timezones=st.just(UTC)), st.timedeltas(timedelta(seconds=1), timedelta(days=400)))
def test_a_period_holds_its_time(time: datetime, period: timedelta) -> None:
    text = pre_hash(UniqueOpts(by_period=period), now=time).removeprefix("&kind=my_job&period=")
    start = datetime.fromisoformat(text)
    assert start <= time
    assert time - start < period + timedelta(seconds=1)  # the text has whole seconds
