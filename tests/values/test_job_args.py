import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, NotRequired, TypedDict

import attrs
import msgspec
import pydantic
import pytest

from riverqueue import job_args
from riverqueue.errors import InvalidArgsError, InvalidJobError
from riverqueue.insert_opts import InsertOpts
from riverqueue.job_args import AnyJobArgs, DictArgs, JobArgs, JobArgsWithInsertOpts, JobArgsWithToJSON, Unique


@dataclass
class Customer:
    id: Annotated[int, Unique]
    name: str = "n"


@dataclass(frozen=True, slots=True)
class SortArgs:
    kind: ClassVar[str] = "sort"
    strings: list[str]
    weight: float = 1.0
    customer: Customer | None = None


@attrs.frozen
class AttrsArgs:
    kind: ClassVar[str] = "attrs"
    n: int
    customer: Customer | None = None


class StructArgs(msgspec.Struct, rename="camel"):
    kind: ClassVar[str] = "struct"
    some_number: float
    customer_id: Annotated[str, Unique] = "<é>"


class Inner(pydantic.BaseModel):
    at: datetime


class ModelArgs(pydantic.BaseModel):
    kind: ClassVar[str] = "model"
    model_config = pydantic.ConfigDict(alias_generator=str.upper, populate_by_name=True)
    customer_id: Annotated[float, Unique]
    inner: Inner | None = None


@dataclass
class OwnJSON:
    """As the existing package has it: `kind` as a field, `to_json`, `insert_opts`."""

    text: Any
    kind: str = "own"

    def to_json(self) -> str:
        return self.text  # type: ignore[no-any-return]

    def insert_opts(self) -> InsertOpts:
        return InsertOpts(queue="mine")


@dataclass
class OptsAsAttribute:
    kind: ClassVar[str] = "opts"
    insert_opts: ClassVar[InsertOpts] = InsertOpts(priority=2)


# That these are accepted is for the type checkers.
PROTOCOLS: tuple[list[AnyJobArgs], list[JobArgsWithToJSON], list[JobArgsWithInsertOpts]] = (
    [SortArgs([]), AttrsArgs(1), StructArgs(1), ModelArgs(customer_id=1), OwnJSON("{}"), DictArgs("k1", {})],
    [OwnJSON("{}")],
    [OwnJSON("{}")],
)


@pytest.mark.parametrize(
    ("args", "kind", "text"),
    [
        (SortArgs(["a", "é"]), "sort", '{"strings":["a","é"],"weight":1,"customer":null}'),
        (AttrsArgs(1, Customer(2)), "attrs", '{"n":1,"customer":{"id":2,"name":"n"}}'),
        (StructArgs(1), "struct", '{"someNumber":1,"customerId":"<é>"}'),
        (StructArgs(1e-7), "struct", '{"someNumber":1e-7,"customerId":"<é>"}'),
        (ModelArgs(customer_id=2.0), "model", '{"CUSTOMER_ID":2,"INNER":null}'),
        (
            ModelArgs(customer_id=1e-7, inner=Inner(at=datetime(2026, 1, 2, tzinfo=UTC))),
            "model",
            '{"CUSTOMER_ID":1e-7,"INNER":{"at":"2026-01-02T00:00:00Z"}}',
        ),
        (OwnJSON('{"a": 1.0}'), "own", '{"a": 1.0}'),
        (OwnJSON('\n{"é":1}'.encode()), "own", '{"é":1}'),
        (DictArgs("dict", {"at": datetime(2026, 1, 2, tzinfo=UTC)}), "dict", '{"at":"2026-01-02T00:00:00Z"}'),
        (OptsAsAttribute(), "opts", "{}"),
    ],
)
def test_kind_and_text(args: JobArgs, kind: str, text: str) -> None:
    assert job_args.kind_of(args) == kind
    assert job_args.encode_args(args) == text


def test_a_field_called_kind_is_part_of_the_args() -> None:
    @dataclass
    class Args:
        kind: str = "as_field"

    assert job_args.kind_of(Args()) == "as_field"
    assert job_args.encode_args(Args()) == '{"kind":"as_field"}'


class Array(msgspec.Struct, array_like=True):
    kind: ClassVar[str] = "array"
    n: int


class Plain:
    kind = "plain"


class Raising:
    kind = "raising"

    def to_json(self) -> str:
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (OwnJSON(""), "valid JSON"),
        (OwnJSON("[1]"), "JSON object"),
        (OwnJSON("null"), "JSON object"),
        (OwnJSON('{"a":NaN}'), "NaN"),
        (OwnJSON('{"a":"\\u0000"}'), "NUL"),
        (OwnJSON('{"a":"\\ud800"}'), "surrogate"),
        (OwnJSON('{"a":"\ud800"}'), "surrogate"),
        (OwnJSON("{"), r"to_json\(\) of OwnJSON must be valid JSON"),
        (OwnJSON(b"\xff"), "UTF-8"),
        (OwnJSON({"a": 1}), "not dict"),
        (OwnJSON(None), "not NoneType"),
        (DictArgs("k1", [1]), "JSON object"),  # type: ignore[arg-type]
        (DictArgs("k1", {"a": "\0"}), "NUL"),
        (SortArgs(["\0"]), r"at strings\[0\]"),
        (StructArgs(1, "\0"), "NUL"),
        (StructArgs(1, "\ud800"), "msgspec cannot encode StructArgs"),
        (StructArgs(object()), "msgspec cannot encode StructArgs"),  # type: ignore[arg-type]
        (ModelArgs.model_construct(customer_id=object()), "pydantic cannot encode ModelArgs"),
        (Array(1), "JSON object"),
        (Plain(), "dataclass"),
    ],
)
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
def test_args_without_a_form_are_refused(args: JobArgs, message: str) -> None:
    with pytest.raises(InvalidArgsError, match=message):
        job_args.encode_args(args)


def test_an_error_of_the_users_code_passes_through() -> None:
    with pytest.raises(ZeroDivisionError):
        job_args.encode_args(Raising())


class KindAsMethod:
    def kind(self) -> str:
        return "method"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (object(), "ClassVar"),
        ({"kind": "a"}, "DictArgs"),
        (SortArgs, r"SortArgs\(\.\.\.\)"),
        (KindAsMethod(), "must be a str, not method"),
        (None, "NoneType"),
    ],
)
def test_args_without_a_kind_are_refused(args: Any, message: str) -> None:
    with pytest.raises(InvalidJobError, match=message):
        job_args.kind_of(args)


@pytest.mark.parametrize("kind", ["ab", "_a", "my·job[v2]<a>/b:c+d", "a" * 127])
def test_kinds_that_river_allows(kind: str) -> None:
    assert job_args.checked_kind(kind) == kind


@pytest.mark.parametrize("kind", ["", "a", "a b", "a\n", "-a", "é1", "aé", "a\0b", "a" * 128, 5])
def test_kinds_that_it_does_not(kind: Any) -> None:
    with pytest.raises(InvalidJobError, match="kind"):
        job_args.checked_kind(kind)


def test_own_insert_opts() -> None:
    assert job_args.own_insert_opts(OwnJSON("{}")) == InsertOpts(queue="mine")
    assert job_args.own_insert_opts(OptsAsAttribute()) == InsertOpts(priority=2)
    assert job_args.own_insert_opts(SortArgs([])) is None
    assert job_args.own_insert_opts(ModelArgs(customer_id=1)) is None
    assert job_args.own_insert_opts(DictArgs("k1", {})) is None
    assert job_args.own_insert_opts(DictArgs("k1", {}, InsertOpts(queue="q"))) == InsertOpts(queue="q")


def test_own_insert_opts_of_another_type_are_refused() -> None:
    with pytest.raises(InvalidJobError, match="dict"):
        job_args.own_insert_opts(DictArgs("k1", {}, {"queue": "q"}))  # type: ignore[arg-type]


class Typed(TypedDict):
    code: NotRequired[Annotated[str, Unique()]]


@dataclass
class Node:
    value: Annotated[int, Unique]
    next: "Annotated[Node | None, Unique]" = None


@dataclass
class Twins:
    """As spec vector 15: a class that occurs twice is looked into once."""

    kind: ClassVar[str] = "twins"
    c1: Customer
    c2: Customer


@dataclass
class Marks:
    kind: ClassVar[str] = "marks"
    plain: int
    whole: Annotated[SortArgs, Unique]
    maybe: Annotated[int, Unique] | None = None
    outer: Annotated[int | None, Unique] = None
    typed: Typed = field(default_factory=Typed)
    many: Annotated[list[Node], Unique] = field(default_factory=list)


@dataclass
class Whole:
    whole: Annotated[AttrsArgs, Unique]
    chain: Node


@pytest.mark.parametrize(
    ("cls", "paths"),
    [
        (SortArgs, {("customer", "id")}),
        (Plain, set()),
        (DictArgs, set()),
        (StructArgs, {("customerId",)}),
        (ModelArgs, {("CUSTOMER_ID",)}),
        (Twins, {("c1", "id")}),
        (Marks, {("whole", "customer", "id"), ("maybe",), ("outer",), ("typed", "code"), ("many",)}),
        (Whole, {("whole", "customer", "id"), ("chain", "value"), ("chain", "next")}),
    ],
)
def test_unique_marks(cls: type, paths: set[tuple[str, ...]]) -> None:
    assert set(job_args._unique_paths(cls)) == paths


def test_marks_that_cannot_be_read_are_not_passed_over() -> None:
    class Local:
        pass

    @dataclass
    class Bad:
        kind: ClassVar[str] = "bad"
        local: "Local"
        marked: "Annotated[int, Unique]"

    @dataclass
    class Harmless:
        kind: ClassVar[str] = "harmless"
        local: "Local"

    with pytest.raises(InvalidJobError, match="Local"):
        job_args.unique_paths(Bad(Local(), 1))
    assert job_args.unique_paths(Harmless(Local())) == ()


@pytest.mark.parametrize("make", [lambda: OwnJSON(json.dumps({"a": 1})), lambda: SortArgs([]), lambda: StructArgs(1)])
def test_encoding_twice_is_the_same(make: Callable[[], JobArgs]) -> None:
    assert job_args.encode_args(make()) == job_args.encode_args(make())
