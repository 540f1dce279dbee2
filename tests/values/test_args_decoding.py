import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, IntFlag
from pathlib import Path
from typing import Annotated, Any, ClassVar, Generic, Literal, NewType, NotRequired, Optional, Self, TypedDict, TypeVar
from uuid import UUID

import attrs
import msgspec
import pydantic
import pydantic.dataclasses
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riverqueue.args_decoding import decoder
from riverqueue.errors import ArgsDecodeError, ConfigurationError, RiverError
from riverqueue.job_args import DictArgs, Unique, encode_args

T = TypeVar("T")


class Colour(Enum):
    RED = "red"
    GREEN = "green"


class Size(IntEnum):
    SMALL = 1
    BIG = 3


class Rights(IntFlag):
    READ = 1
    WRITE = 2


class Lenient(Enum):
    KNOWN = "known"
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, value: object) -> Any:
        return cls.UNKNOWN


@dataclass
class Point:
    kind: ClassVar[str] = "point"
    x: Annotated[int, Unique]
    y: float = 0.0


@dataclass(frozen=True, slots=True)
class Tree:
    value: int
    children: tuple["Tree", ...] = ()
    parent: Optional["Tree"] = None


@dataclass
class Checked:
    n: int
    made: int = field(init=False, default=0)
    notes: list[str] = field(default_factory=list, kw_only=True)

    def __post_init__(self) -> None:
        if self.n > 5:
            raise ValueError("too much:\n5 at most")
        self.made = 60 // self.n


@attrs.define
class Attrs:
    kind: ClassVar[str] = "attrs"
    n: int
    _private: int = attrs.field(default=2, alias="public")
    inner: Point | None = None


@attrs.define
class Positive:
    n: int = attrs.field(validator=attrs.validators.gt(0))


class Movie(TypedDict):
    title: str
    at: NotRequired[datetime]


class Struct(msgspec.Struct, rename="camel", frozen=True):
    some_number: float
    opens: time | None = None
    tags: set[str] = set()
    by_id: dict[int, list[bytes]] = {}


class Model(pydantic.BaseModel):
    some_number: float = pydantic.Field(alias="someNumber")
    at: datetime | None = None
    tags: set[str] = set()
    rest: dict[str, list[int]] = {}


class StrictModel(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True)
    at: datetime
    pair: tuple[int, str]
    by_id: dict[int, Decimal]


class Branch(pydantic.BaseModel):
    child: Optional["Branch"] = None


@pydantic.dataclasses.dataclass
class Validated:
    n: Annotated[int, pydantic.Field(gt=0)]
    at: pydantic.AwareDatetime | None = None
    inner: Point | None = None


@dataclass
class Page(Generic[T]):
    items: list[T]
    next: "Page[T] | None" = None


class OwnJSON:
    def __init__(self, text: str) -> None:
        self.text = text

    def to_json(self) -> str:
        return self.text

    @classmethod
    def from_json(cls, text: str) -> Self:
        if "bad" in text:
            raise ZeroDivisionError
        return cls(text)


@dataclass
class OwnJSONFirst:
    n: int

    def to_json(self) -> str:
        return json.dumps({"other": self.n})

    @staticmethod
    def from_json(text: str) -> "OwnJSONFirst":
        return OwnJSONFirst(json.loads(text)["other"])


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False)
OFFSETS = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMES = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=OFFSETS | st.just(UTC))
POINTS = st.builds(Point, st.integers(), FLOATS)
TREES = st.recursive(
    st.builds(Tree, st.integers()),
    lambda inner: st.builds(Tree, st.integers(), st.lists(inner, max_size=2).map(tuple), inner | st.none()),
    max_leaves=5,
)

#: Types of fields, and the values they have.
FIELDS: dict[Any, st.SearchStrategy[Any]] = {
    # Go spells 1.0 as 1, so where no type says what it is, it comes back as such.
    Any: st.none() | st.booleans() | st.integers() | TEXT | st.lists(TEXT) | st.dictionaries(TEXT, st.integers()),
    bool: st.booleans(),
    int: st.integers(),
    float: FLOATS,
    str: TEXT,
    bytes: st.binary(),
    bytearray: st.binary().map(bytearray),
    Decimal: DECIMALS,
    datetime: TIMES,
    date: st.dates(),
    UUID: st.uuids(),
    Colour: st.sampled_from(Colour),
    Size: st.sampled_from(Size),
    Rights: st.sampled_from([Rights(0), *Rights, Rights.READ | Rights.WRITE]),
    Literal["a", 1, None]: st.sampled_from(["a", 1, None]),
    NewType("Name", str): TEXT,
    int | str: st.integers() | TEXT,
    Point: POINTS,
    Tree: TREES,
    Attrs: st.builds(Attrs, st.integers(), st.integers(), POINTS | st.none()),
    Movie: st.fixed_dictionaries({"title": TEXT}, optional={"at": TIMES}),
    Page[date]: st.builds(Page, st.lists(st.dates()), st.builds(Page, st.lists(st.dates()))),
}

#: Classes of other libraries as args, and their instances.
WHOLE: dict[Any, st.SearchStrategy[Any]] = {
    Struct: st.builds(
        Struct,
        FLOATS,
        st.times() | st.none(),
        st.sets(TEXT),
        st.dictionaries(st.integers(-(2**63), 2**63 - 1), st.lists(st.binary())),
    ),
    Model: st.builds(
        Model,
        someNumber=FLOATS,
        at=TIMES | st.none(),
        tags=st.sets(TEXT),
        rest=st.dictionaries(TEXT, st.lists(st.integers())),
    ),
    StrictModel: st.builds(
        StrictModel,
        at=TIMES,
        pair=st.tuples(st.integers(), TEXT),
        by_id=st.dictionaries(st.integers(), DECIMALS),
    ),
    Validated: st.builds(Validated, st.integers(1), TIMES | st.none(), POINTS | st.none()),
    OwnJSONFirst: st.builds(OwnJSONFirst, st.integers()),
}


def made(form: str, hints: Mapping[str, Any]) -> Any:
    """A class with fields of these types."""
    if form == "attrs":
        return attrs.make_class("Args", {name: attrs.field(type=hint) for name, hint in hints.items()})
    if form == "TypedDict":
        return TypedDict("Args", hints)  # type: ignore[operator]
    frozen = form == "frozen dataclass"
    return dataclasses.make_dataclass("Args", hints.items(), frozen=frozen, slots=frozen)


def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Types that hold others, and their values."""

    def of_pair(pair: tuple[Any, Any]) -> st.SearchStrategy[Any]:
        (first, firsts), (second, seconds) = pair
        return st.sampled_from(
            [
                (list[first], st.lists(firsts, max_size=3)),
                (Sequence[first], st.lists(firsts, max_size=3)),
                (tuple[first, ...], st.lists(firsts, max_size=3).map(tuple)),
                (tuple[first, second], st.tuples(firsts, seconds)),
                (dict[str, first], st.dictionaries(TEXT, firsts, max_size=3)),
                (Mapping[int, first], st.dictionaries(st.integers(), firsts, max_size=3)),
                (Optional[first], firsts | st.none()),  # noqa: UP045  (for hints that know no |)
            ]
        )

    return st.tuples(inner, inner).flatmap(of_pair)


HINTS = st.recursive(st.sampled_from(list(FIELDS.items())), containers, max_leaves=4)


@settings(deadline=None)
@given(st.sampled_from(["dataclass", "frozen dataclass", "attrs", "TypedDict"]), st.data())
def test_what_is_inserted_is_what_a_worker_gets(form: str, data: st.DataObject) -> None:
    fields = data.draw(st.lists(HINTS, min_size=1, max_size=3))
    args_type = made(form, {f"f{index}": hint for index, (hint, _) in enumerate(fields)})
    args = args_type(**{f"f{index}": data.draw(values) for index, (_, values) in enumerate(fields)})
    encoded = encode_args(DictArgs("k1", args) if form == "TypedDict" else args)
    assert decoder(args_type)(json.loads(encoded)) == args


@settings(max_examples=25, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("args_type", WHOLE)
def test_classes_of_other_libraries_come_back(args_type: Any, data: st.DataObject) -> None:
    args = data.draw(WHOLE[args_type])
    assert decoder(args_type)(json.loads(encode_args(args))) == args


def field_of(hint: Any) -> Callable[[Any], Any]:
    """Decode the one field of a dataclass."""
    decode = decoder(made("dataclass", {"f": hint}))
    return lambda value: decode({"f": value}).f


@pytest.mark.parametrize(
    ("hint", "value", "expected"),
    [
        (float, 1, 1.0),
        (float, 10**300, 1e300),
        (int, 2**70, 2**70),
        (Decimal, 1, Decimal(1)),
        (Decimal, 0.1, Decimal("0.1")),
        (datetime, "2026-01-02T03:04:05.123456789Z", datetime(2026, 1, 2, 3, 4, 5, 123457, UTC)),
        (datetime, "0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        (datetime, "2026-01-02T03:04:05+05:30", datetime(2026, 1, 1, 21, 34, 5, tzinfo=UTC)),
        (datetime, "2026-01-02T03:04:05", datetime(2026, 1, 2, 3, 4, 5)),
        (time, "03:04:05.5", time(3, 4, 5, 500000)),
        (timedelta, "PT1M", timedelta(minutes=1)),
        (UUID, "00000000000000000000000000000001", UUID(int=1)),
        (Lenient, "newer", Lenient.UNKNOWN),
        (set[int], [2, 1, 2], {1, 2}),
        (frozenset[Colour], ["red"], frozenset({Colour.RED})),
        (dict[Colour, int], {"red": 1}, {Colour.RED: 1}),
        (dict[UUID, date], {str(UUID(int=1)): "2026-01-02"}, {UUID(int=1): date(2026, 1, 2)}),
        (Point, {"x": 1}, Point(1)),
        (Point, {"x": 1, "y": 2, "kind": "other", "new": {}}, Point(1, 2)),
        (Checked, {"n": 3}, Checked(3)),
        (Attrs, {"n": 1}, Attrs(1)),
        (Attrs, {"n": 1, "_private": 3, "inner": None}, Attrs(1, 3)),
        (Movie, {"title": "a", "new": 1}, {"title": "a"}),
        (Struct, {"someNumber": 1, "new": 1}, Struct(1.0)),
        (object, {"a": [1]}, {"a": [1]}),
    ],
    ids=str,
)
def test_what_others_may_have_written(hint: Any, value: Any, expected: Any) -> None:
    decoded = field_of(hint)(value)
    assert decoded == expected
    assert type(decoded) is type(expected)


def test_a_default_is_made_anew_for_each_job() -> None:
    decode = decoder(Checked)
    assert decode({"n": 1}).notes is not decode({"n": 1}).notes


@pytest.mark.parametrize(
    ("args_type", "args", "message"),
    [
        (Point, {}, "args: Object missing required field `x`"),
        (Point, {"x": "1"}, "args.x: Expected `int`, got `str`"),
        (Point, {"x": True}, "args.x: Expected `int`, got `bool`"),
        (Point, {"x": 1.0}, "args.x: Expected `int`, got `float`"),
        (Point, {"x": None}, "args.x: Expected `int`, got `null`"),
        (Point, {"x": 1, "y": 10**400}, "args.y: Number out of range"),
        (Point, None, "args: Expected `object`, got `null`"),
        (Attrs, {"n": 1, "inner": {"x": "1"}}, "args.inner.x: Expected `int`, got `str`"),
        (Page[date], {"items": ["2026-01-02", "x"]}, "args.items[1]: Invalid RFC3339 encoded date"),
        (Page[set[Any]], {"items": [[[]]]}, "args: unhashable type: 'list'"),
        (Struct, {"someNumber": 1, "byId": {"x": []}}, "args.byId: key: Expected `int`, got `str`"),
        (Struct, {"someNumber": 1, "byId": {"1": [0]}}, "args.byId[...][0]: Expected `bytes`, got `int`"),
        (Movie, {"at": "2026-01-02T03:04:05Z"}, "args: Object missing required field `title`"),
        (dict[str, Point], {"a": {}}, "args[...]: Object missing required field `x`"),
        (Checked, {"n": 9}, "args: too much"),
        (Page[Checked], {"items": [{"n": 9}]}, "args.items[0]: too much:\n5 at most"),
        (Positive, {"n": -1}, "args: 'n' must be > 0: -1"),
        (Model, {"tags": []}, "args.someNumber: Field required"),
        (Model, {"someNumber": 1, "rest": {"a": [1, "x"]}}, "args.rest.a[1]: Input should be a valid integer"),
        (Validated, {"n": -1}, "args.n: Input should be greater than 0"),
        (Validated, {"n": 1, "inner": {}}, "args.inner.x: Field required"),
    ],
    ids=str,
)
def test_args_of_another_type_are_refused_with_the_place(args_type: Any, args: Any, message: str) -> None:
    with pytest.raises(RiverError) as caught:
        decoder(args_type)(args)
    assert isinstance(caught.value, ArgsDecodeError)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(("args_type", "error"), [(OwnJSON, {"bad": 1}), (Checked, {"n": 0})])
def test_an_error_of_the_users_code_passes_through(args_type: Any, error: dict[str, Any]) -> None:
    with pytest.raises(ZeroDivisionError):
        decoder(args_type)(error)


@pytest.mark.parametrize(("args_type", "member"), [(Tree, "parent"), (Branch, "child"), (OwnJSON, "any")])
def test_args_that_are_nested_too_deeply_are_refused(args_type: Any, member: str) -> None:
    args: dict[str, Any] = {"value": 1}
    for _ in range(20_000):
        args = {"value": 1, member: args}
    with pytest.raises(ArgsDecodeError, match="^args: nested too deeply$"):
        decoder(args_type)(args)


@pytest.mark.parametrize("args_type", [dict, dict[str, Any], dict[str, object], Mapping, Mapping[str, Any], Any])
def test_a_dict_is_given_as_it_is(args_type: Any) -> None:
    args = {"a": [1, {"b": 1.0}]}
    assert decoder(args_type)(args) is args


def test_a_class_that_spells_itself_reads_itself() -> None:
    assert decoder(OwnJSON)({"a": "é", "n": 1}).text == '{"a": "é", "n": 1}'


class Plain:
    pass


class NoInverse:
    def to_json(self) -> str:
        return "{}"


class InverseOfInstance(NoInverse):
    def from_json(self, text: str) -> None:
        pass


class Array(msgspec.Struct, array_like=True):
    n: int


class ForwardModel(pydantic.BaseModel):
    held: "Nowhere"  # type: ignore[name-defined]  # noqa: F821


@dataclass
class WithInitVar:
    only: InitVar[int] = 0


@attrs.define
class DefaultOfSelf:
    a: int
    b: int = attrs.field(default=attrs.Factory(lambda self: self.a, takes_self=True))


@dataclass
class Holder:
    held: list[Plain | None]
    again: Optional["Holder"] = None


@pytest.mark.parametrize(
    ("args_type", "message"),
    [
        (int, "^args are a JSON object, and int is decoded from another value; put it into a class"),
        (list[Point], "^args are a JSON object, and list"),
        (Array, "^args are a JSON object, and Array is"),
        ("Point", "^'Point' cannot be decoded: Type ''Point'' is not supported"),
        (Point(1), "^Point.* cannot be decoded: Type .* is not supported"),
        (Plain, "^Plain: Plain cannot be decoded: make it a dataclass, or take what JSON has"),
        (Page[Holder], "^Holder.held: Plain cannot be decoded: make it a dataclass"),
        (made("dataclass", {"f": Path}), r"^Args\.f: Path cannot be decoded: make it a dataclass"),
        (made("TypedDict", {"f": dict[str, complex]}), r"^Args\.f: complex cannot be decoded"),
        (made("attrs", {"f": Iterable[int]}), r"^Args\.f: Iterable cannot be decoded"),
        (made("dataclass", {"f": list[Model]}), r"^Args\.f: Model cannot be decoded: make the whole a pydantic model"),
        (made("dataclass", {"f": Validated}), r"^Args\.f: Validated cannot be decoded: make the whole a pydantic"),
        (made("dataclass", {"f": Point | Tree}), "^Args cannot be decoded: Type unions may not contain more than one"),
        (made("dataclass", {"f": bytes | str}), "^Args cannot be decoded: Type unions may not .* one str-like type"),
        (made("dataclass", {"f": Enum("Mixed", {"A": 1.5})}), "^Args cannot be decoded: Enums must contain"),
        (WithInitVar, "^WithInitVar cannot be decoded: dataclasses with `InitVar` fields"),
        (DefaultOfSelf, "^DefaultOfSelf cannot be decoded: Support for default factories with `takes_self=True`"),
        (ForwardModel, "^pydantic cannot decode ForwardModel: name 'Nowhere' is not defined; define or import what"),
        (NoInverse, r"^NoInverse has to_json\(\), and no inverse of it: give it a class method from_json\(text\)"),
        (InverseOfInstance, r"^InverseOfInstance has to_json\(\), and no inverse"),
    ],
    ids=str,
)
def test_what_args_cannot_be_is_refused_with_the_remedy(args_type: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        decoder(args_type)


@pytest.mark.parametrize("hint", ["Local", "json.Nowhere"])
def test_hints_that_cannot_be_found_are_refused(hint: str) -> None:
    class Local:
        pass

    with pytest.raises(ConfigurationError, match=r"^Args cannot be decoded: .*; define or import what its type hints"):
        decoder(made("dataclass", {"local": hint}))


def test_without_msgspec_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "msgspec", None)
    with pytest.raises(ConfigurationError, match=r"^msgspec decodes Point, .*: install riverqueue\[worker\]"):
        decoder(Point)
    assert decoder(dict)({"a": 1}) == {"a": 1}
    assert decoder(Validated)({"n": 1}) == Validated(1)


IMPORTED = "print(*sorted(sys.modules.keys() & {'attrs', 'msgspec', 'pydantic'}))"
INSERTED = "encode_args(dataclasses.make_dataclass('Args', ['n'])(1))"
OWN = "decoder(type('Args', (), {'to_json': str, 'from_json': classmethod(str)}))"


@pytest.mark.parametrize(
    ("code", "imported"),
    [
        ("", ""),
        (INSERTED, ""),
        ("decoder(dict[str, Any])({})", ""),
        (OWN, ""),
        ("import pydantic; decoder(pydantic.create_model('Args'))({})", "pydantic"),
        ("decoder(dataclasses.make_dataclass('Args', []))({})", "msgspec"),
    ],
)
def test_a_library_is_imported_by_those_who_need_it(code: str, imported: str) -> None:
    begin = "import dataclasses, riverqueue, sys; from typing import Any; from riverqueue.job_args import encode_args"
    program = f"{begin}; from riverqueue.args_decoding import decoder; {code or 'pass'}; {IMPORTED}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == imported
