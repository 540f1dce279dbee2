import json
import math
import struct
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

import attrs
import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riverqueue import encoding
from riverqueue.errors import InvalidArgsError

VECTORS = [
    json.loads(line)
    for line in (Path(__file__).parent.parent / "vectors" / "go_encoding.jsonl").read_text("utf-8").split("\n")
    if line
]
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
AWKWARD = st.text(st.sampled_from('ab<>&"\\/\n\x01\x7fé\u2028\u2029😀01.e+-:,[]{} '))


def loads(text: str) -> Any:
    """Read JSON with all numbers as floats: Go spells 6.176972461177541e+16 without an exponent."""
    return json.loads(text, parse_int=float)


def vectors(kind: str) -> list[tuple[str, str]]:
    return [(vector["input"], vector["go"]) for vector in VECTORS if vector["type"] == kind]


def test_there_are_hundreds_of_vectors() -> None:
    assert len(VECTORS) > 600


@pytest.mark.parametrize(("bits", "go"), vectors("float"))
def test_floats_are_spelled_as_go_does(bits: str, go: str) -> None:
    value = struct.unpack(">d", bytes.fromhex(bits))[0]
    assert encoding.encode(value) == go
    assert encoding.encode({"a": [value, "1.0"]}) == f'{{"a":[{go},"1.0"]}}'
    for text in (repr(value), f"{value:.17e}", f"{value:.16E}" if float(f"{value:.16E}") == value else go):
        # Without a point or an exponent it is an integer, and keeps its digits.
        assert encoding.canonical(text) == go


@pytest.mark.parametrize(("utf8", "go"), vectors("string"))
def test_strings_are_spelled_as_go_does(utf8: str, go: str) -> None:
    value = bytes.fromhex(utf8).decode()
    assert encoding.string(value) == go
    assert encoding.canonical(json.dumps(value)) == go
    assert encoding.canonical(f" {json.dumps(value, ensure_ascii=False)}\n") == go


@pytest.mark.parametrize(("nanos", "go"), vectors("time"))
def test_times_are_spelled_as_go_does(nanos: str, go: str) -> None:
    value = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(nanos) // 1000)
    assert encoding.encode(value) == go
    assert encoding.encode(value.astimezone(timezone(timedelta(hours=5, minutes=30)))) == go


@pytest.mark.parametrize("text", ["0", "-0", "12345678901234567890123", "9" * 5000, "1e400", "-1.5E+9999"])
def test_integers_of_any_size_and_floats_that_overflow_keep_their_text(text: str) -> None:
    assert encoding.canonical(text) == text


@dataclass
class Point:
    kind: ClassVar[str] = "point"
    x: float
    inner: "Point | None" = None


@attrs.define
class Attrs:
    a: int


class Struct(msgspec.Struct, rename="camel"):
    some_name: int


class Model(pydantic.BaseModel):
    name: int = pydantic.Field(serialization_alias="n")


class Colour(Enum):
    RED = 1.0


class Size(IntEnum):
    BIG = 3


class Word(StrEnum):
    HI = "hi"


ZONED = datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=timezone(timedelta(hours=-5)))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": 1, "b": [True, None, (1, 2)]}, '{"a":1,"b":[true,null,[1,2]]}'),
        ({1: "a", -2: {3: 4}}, '{"1":"a","-2":{"3":4}}'),
        ({"true": 1, "null": 2, "1.5": 3}, '{"true":1,"null":2,"1.5":3}'),
        ("é😀<>&\u2028", '"é😀<>&\u2028"'),
        (ZONED, '"2026-01-02T08:04:05.6789Z"'),
        (datetime(1, 1, 1, tzinfo=UTC), '"0001-01-01T00:00:00Z"'),
        (date(2026, 1, 2), '"2026-01-02"'),
        (UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (Decimal("1.10"), '"1.10"'),
        (b"\x00\xff", '"AP8="'),
        (Colour.RED, "1"),
        (Size.BIG, "3"),
        (Word.HI, '"hi"'),
        (Point(1.0, Point(2.5)), '{"x":1,"inner":{"x":2.5,"inner":null}}'),
        ([Attrs(1), Struct(2), Model(name=3)], '[{"a":1},{"someName":2},{"n":3}]'),
        ("\\u0000 1.0 \\ud800", '"\\\\u0000 1.0 \\\\ud800"'),
        (10**400, "1" + "0" * 400),
    ],
)
def test_values_of_python(value: object, text: str) -> None:
    assert encoding.encode(value) == text


CIRCLE: list[object] = []
CIRCLE.append(CIRCLE)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": math.nan}, "cannot be encoded"),
        ([math.inf], "cannot be encoded"),
        (datetime(2026, 1, 2), "is naive"),
        (datetime.max.replace(tzinfo=timezone(timedelta(hours=-5))), "years 1 to 9999"),
        ({1, 2}, "sorted list"),
        (timedelta(1), "total_seconds"),
        (object(), "object cannot be encoded"),
        (Decimal("NaN"), "finite"),
        ({True: 1}, "not True"),
        ({None: 1}, "not None"),
        ([{"a": {1.5: 1}}], "not 1.5"),
        ({1e16: 1}, "not 1e"),
        ({(1, 2): 1}, "keys must be"),
        (Point(1, inner={False: 1}), "not False"),  # type: ignore[arg-type]
        ({"a": [1, {"b": "x\0"}]}, r"NUL \(U\+0000\) at a\[1\]\.b"),
        ({"x\0": 1}, r"at x\\0,"),
        ("\0", "NUL"),
        ("\ud800", "lone surrogate"),
        (CIRCLE, "Circular"),
    ],
)
def test_what_postgresql_could_not_store_or_go_not_mean_is_refused(value: object, message: str) -> None:
    with pytest.raises(InvalidArgsError, match=message):
        encoding.encode(value)


def test_an_integer_that_python_will_not_spell_is_refused() -> None:
    with pytest.raises(InvalidArgsError, match="4300"):
        encoding.encode(10**5000)


@pytest.mark.parametrize(
    "text", ["", "{", "[1,]", "NaN", '{"a":-Infinity}', '"\n"', "01", "+1", "1.", "{'a':1}", "\ufeff{}", "[]x", "tru"]
)
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgsError):
        encoding.canonical(text)


def test_an_error_says_where() -> None:
    with pytest.raises(InvalidArgsError, match=r"line 1 column 7 \(char 6\)"):
        encoding.canonical('{"a": }')


@pytest.mark.parametrize("text", [r'"\ud800"', r'{"\udc00x":1}', r'"\ud800\ud800"'])
def test_lone_surrogates_are_refused_however_they_are_spelled(text: str) -> None:
    with pytest.raises(InvalidArgsError, match="surrogate"):
        encoding.canonical(text)
    with pytest.raises(InvalidArgsError, match="surrogate"):
        encoding.storable(text)


def test_a_pair_of_surrogates_is_one_character() -> None:
    assert encoding.canonical(r'"\ud83d\ude00\u0041\/"') == '"😀A/"'
    assert encoding.storable(r'"\ud83d\ude00"') == r'"\ud83d\ude00"'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "JSON object"),
        ("null", "JSON object"),
        ('"' + "x" * 100 + '"', "xxx…"),
        ("{", "metadata must be valid JSON"),
        (r'{"a":"\u0000"}', "at a,"),
    ],
)
def test_check_object(text: str, message: str) -> None:
    with pytest.raises(InvalidArgsError, match=message):
        encoding.check_object(text, "metadata")


def test_a_backslash_before_u0000_is_no_nul() -> None:
    encoding.check_object(r'{"a":"\\u0000"}', "metadata")


def test_depth_and_size() -> None:
    deep = "[" * 200 + "]" * 200
    assert encoding.canonical(deep) == deep
    with pytest.raises(InvalidArgsError, match="deeply"):
        encoding.canonical("[" * 100_000 + "]" * 100_000)
    assert encoding.canonical('"' + r"\n" * 500_000 + '"') == '"' + r"\n" * 500_000 + '"'


def test_members_keep_order_and_repeated_names() -> None:
    text = ' { "b" : [1, {"x": 2.0}] , "a\\u003c":"\\/", "b" : {} } '
    assert encoding.object_members(text) == [("b", '[1,{"x":2}]'), ("a<", '"/"'), ("b", "{}")]
    assert encoding.object_members("{ }") == encoding.object_members("[ ]") == []


@pytest.mark.parametrize(
    ("name", "spelled"), [("a<b&\x7f", '"a<b&\x7f"'), ("é<", r'"é\u003c"'), ('"', r'"\""'), ("", '""')]
)
def test_names(name: str, spelled: str) -> None:
    assert encoding.name(name) == spelled


@given(VALUES, st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_canonical_keeps_the_value_whatever_the_spelling(value: Any, ascii_only: bool, indent: Any) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    canonical = encoding.canonical(text)
    assert loads(canonical) == loads(text)
    assert encoding.canonical(canonical) == canonical
    assert canonical == encoding.canonical(json.dumps(value))


@given(VALUES)
def test_encode_differs_from_canonical_by_html_escapes_only(value: Any) -> None:
    text = encoding.encode(value)
    assert loads(text) == loads(json.dumps(value))
    escaped = text
    for char in "<>&\u2028\u2029":
        escaped = escaped.replace(char, f"\\u{ord(char):04x}")
    assert encoding.canonical(text) == escaped


@given(st.recursive(AWKWARD, lambda inner: st.lists(inner) | st.dictionaries(AWKWARD, inner), max_leaves=6))
def test_text_that_looks_like_json_stays_text(value: Any) -> None:
    assert json.loads(encoding.encode(value)) == value
    assert json.loads(encoding.canonical(json.dumps(value, indent=1))) == value
