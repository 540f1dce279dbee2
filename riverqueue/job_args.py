"""From what users hold to a job's kind, JSON text, own options and unique paths.

Nothing here imports attrs, msgspec or pydantic: a class shows by its attributes what it is.
"""

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from inspect import get_annotations
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Final,
    NotRequired,
    Protocol,
    Required,
    TypeAlias,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from riverqueue import encoding
from riverqueue.errors import InvalidArgsError, InvalidJobError
from riverqueue.insert_opts import InsertOpts

#: Characters a kind may have (``river_job.kind`` has a check).
KIND_LENGTH_MAX = 127

_KIND = re.compile(r"\w[\w\-\[\]<>/.·:+]+", re.ASCII)
_WRAPPERS = (Final, Required, NotRequired)


class JobArgs(Protocol):
    """What a job carries: an object with a `kind`, and a way to spell it as a JSON object.

    A dataclass, an attrs class, a msgspec ``Struct``, a pydantic model: their fields are the args.
    Field names are those that the class itself writes: msgspec's ``rename`` and pydantic's
    serialization aliases count. Or any class with `kind` and ``to_json()``; ``to_json()`` comes
    first where a class has it. Or `DictArgs`.

    Declare `kind` as a class attribute, ``kind: ClassVar[str] = "sort"``: without ``ClassVar`` it
    would be a field, and so part of the args.
    """

    @property
    def kind(self) -> str:
        """Says which worker works the job: 2 to 127 of ``A-Z a-z 0-9 _ - [ ] < > / . · : +``."""
        ...


class JobArgsOfClass(Protocol):
    """The same, for type checkers that tell ``kind: ClassVar[str]`` from a property."""

    kind: ClassVar[str]


#: Args in either form.
AnyJobArgs: TypeAlias = JobArgs | JobArgsOfClass


class JobArgsWithToJSON(JobArgs, Protocol):
    """Args that spell themselves."""

    def to_json(self) -> str | bytes:
        """Return the args as JSON text of an object."""
        ...


class JobArgsWithInsertOpts(JobArgs, Protocol):
    """Args with options of their own, used where the call of ``insert`` leaves them open."""

    def insert_opts(self) -> InsertOpts:
        """Return the options; a class attribute that holds an `InsertOpts` will do as well."""
        ...


@dataclass(frozen=True, slots=True)
class DictArgs:
    """Args without a class of their own: a kind and a mapping (a ``TypedDict``, say).

    Parameters:
        kind: Says which worker works the job.
        args: What the job carries.
        insert_opts: Options used where the call leaves them open.
    """

    kind: str
    args: Mapping[str, Any]
    insert_opts: InsertOpts | None = None


class Unique:
    """Marks the args that count for ``UniqueOpts(by_args=True)``, as ``river:"unique"`` does in Go.

    ::

        @dataclass
        class SyncArgs:
            kind: ClassVar[str] = "sync"
            customer_id: Annotated[str, Unique]
            trace_id: str

    Marks inside a field that is itself a dataclass, attrs class, Struct, model or TypedDict count as
    well; of such a field, its own mark counts only if none of its fields has one. As in Go, a class
    that occurs twice is looked into once. Without any mark, all args count.
    """


@lru_cache(maxsize=1024)
def checked_kind(kind: str) -> str:
    """Return a kind if River allows it.

    Parameters:
        kind: Says which worker works a job.

    Raises:
        InvalidJobError: if it does not.
    """
    if not isinstance(kind, str):
        raise InvalidJobError(f"kind must be a str, not {type(kind).__name__}")
    if not _KIND.fullmatch(kind) or len(kind) > KIND_LENGTH_MAX:
        raise InvalidJobError(
            f"kind is invalid: {kind[: KIND_LENGTH_MAX + 1]!r}. A kind has 2 to {KIND_LENGTH_MAX} characters: ASCII "
            "letters, digits and underscores and, except at its beginning, any of - [ ] < > / . · : +"
        )
    return kind


def kind_of(args: AnyJobArgs) -> str:
    """Return the kind of args.

    Parameters:
        args: What the user passed.

    Raises:
        InvalidJobError: if there is none, or River does not allow it.
    """
    kind: Any = getattr(args, "kind", None)
    if isinstance(kind, str) and not isinstance(args, type):
        return checked_kind(kind)
    raise InvalidJobError(_without_kind(args, kind))


def _without_kind(args: object, kind: object) -> str:
    if isinstance(args, type):
        return f"args must be an instance, not the class {args.__name__}; write {args.__name__}(...)"
    if isinstance(args, tuple):
        return "a tuple is no args; for a job with options of its own write InsertManyParams(args, insert_opts)"
    if isinstance(args, Mapping):
        return 'a mapping has no kind; write riverqueue.DictArgs("my_kind", {...})'
    cls = type(args).__name__
    if kind is None:
        return f'args of type {cls} have no kind; add `kind: ClassVar[str] = "my_kind"` to the class'
    return f'kind of {cls} must be a str, not {type(kind).__name__}; write `kind: ClassVar[str] = "my_kind"`'


def encode_args(args: AnyJobArgs) -> str:
    """Spell args as JSON text of an object that PostgreSQL can store.

    Text from ``to_json()`` is kept as it is, once checked.

    Parameters:
        args: What the user passed; see `JobArgs`.

    Raises:
        InvalidArgsError: if they have no such form.
    """
    text = _encoder(type(args))(args)
    if text[0] != "{":
        raise InvalidArgsError(f"args of type {type(args).__name__} must be a JSON object, {{...}}, not {text[:40]}")
    return text


@cache
def _encoder(cls: type) -> Callable[[Any], str]:
    """Find how instances of a class are spelled; asked once a class."""
    if hasattr(cls, "to_json"):
        return _spelled_by_itself
    if issubclass(cls, DictArgs):
        return lambda args: encoding.encode(args.args)
    if hasattr(cls, "__pydantic_serializer__"):
        return _spelled_by_pydantic
    if hasattr(cls, "__struct_fields__"):
        return _spelled_by_msgspec
    names = encoding.field_names(cls)
    if names is not None:
        return lambda args: encoding.encode({name: getattr(args, name) for name in names})
    return _spelled_by_itself


def _spelled_by_itself(args: Any) -> str:
    what = f"to_json() of {type(args).__name__}"
    if not callable(getattr(args, "to_json", None)):
        raise InvalidArgsError(
            f"args of type {type(args).__name__} have no JSON form: make the class a dataclass, or give it "
            "to_json() that returns JSON text"
        )
    text = args.to_json()
    if isinstance(text, bytes):
        text = _decoded(text, what)
    if not isinstance(text, str):
        raise InvalidArgsError(f"{what} must return JSON text, not {type(text).__name__}; use json.dumps(...)")
    encoding.check_object(text, what)
    return text.lstrip(" \t\n\r")


def _decoded(text: bytes, what: str) -> str:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidArgsError(f"{what} must return UTF-8: {error}") from None


def _spelled_by_pydantic(args: Any) -> str:
    try:
        text: str = args.__pydantic_serializer__.to_json(args, by_alias=True).decode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgsError(f"pydantic cannot encode {type(args).__name__}: {error}") from error
    return encoding.storable(encoding.respelled(text))


def _spelled_by_msgspec(args: Any) -> str:
    try:
        text: str = sys.modules["msgspec"].json.encode(args).decode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgsError(f"msgspec cannot encode {type(args).__name__}: {error}") from error
    return encoding.storable(encoding.respelled(text))


def own_insert_opts(args: AnyJobArgs) -> InsertOpts | None:
    """Return the options that args bring along: ``insert_opts()``, or an attribute of that name.

    Parameters:
        args: What the user passed.

    Raises:
        InvalidJobError: if they are not an `InsertOpts`.
    """
    if not _has_insert_opts(type(args)):
        return None
    opts: Any = args.insert_opts  # type: ignore[union-attr]
    if callable(opts):
        opts = opts()
    if opts is not None and not isinstance(opts, InsertOpts):
        raise InvalidJobError(f"insert_opts of {type(args).__name__} must be an InsertOpts, not {type(opts).__name__}")
    return opts


@cache
def _has_insert_opts(cls: type) -> bool:
    return hasattr(cls, "insert_opts")


def unique_paths(args: AnyJobArgs) -> tuple[tuple[str, ...], ...]:
    """Return the paths that args mark with `Unique`; empty if they mark none.

    Parameters:
        args: What the user passed.

    Raises:
        InvalidJobError: if annotations that mention `Unique` cannot be read.
    """
    return _unique_paths(type(args))


@cache
def _unique_paths(cls: type) -> tuple[tuple[str, ...], ...]:
    return tuple(_marked_paths(cls, (), set()))


def _marked_paths(cls: type, prefix: tuple[str, ...], seen: set[type]) -> Iterator[tuple[str, ...]]:
    if cls in seen:
        return
    seen.add(cls)
    json_names = _json_names(cls)
    for field, hint in _hints(cls).items():
        path = (*prefix, json_names.get(field, field))
        inner_type, marked = _unwrapped(hint)
        inner = list(_marked_paths(inner_type, path, seen)) if _has_fields(inner_type) else []
        yield from inner or ([path] if marked else [])


def _hints(cls: type) -> dict[str, Any]:
    try:
        hints = get_type_hints(cls, include_extras=True)
    except Exception as error:
        # Names may be imported for type checkers only; that matters only if marks are lost by it.
        texts = [str(hint) for base in cls.__mro__ for hint in get_annotations(base).values()]
        if not any("Unique" in text for text in texts):
            return {}
        raise InvalidJobError(
            f"cannot read the annotations of {cls.__name__} to find its Unique args: {error}. Import what they name "
            "at run time and at module level, or name the args in UniqueOpts(by_args=[...])"
        ) from error
    return {name: hint for name, hint in hints.items() if hint is not ClassVar and get_origin(hint) is not ClassVar}


def _unwrapped(hint: Any) -> tuple[Any, bool]:
    """Return a type without what stands around it, ``None`` included, and whether `Unique` was there."""
    origin = get_origin(hint)
    if origin is Annotated:
        inner, marked = _unwrapped(hint.__origin__)
        return inner, marked or any(mark is Unique or isinstance(mark, Unique) for mark in hint.__metadata__)
    if origin in _WRAPPERS:
        return _unwrapped(get_args(hint)[0])
    if origin in (Union, UnionType):
        options = [_unwrapped(option) for option in get_args(hint) if option is not NoneType]
        return options[0][0] if len(options) == 1 else hint, any(marked for _, marked in options)
    return hint, False


def _has_fields(hint: Any) -> bool:
    marks = ("__dataclass_fields__", "__attrs_attrs__", "__struct_fields__", "__pydantic_validator__")
    return isinstance(hint, type) and (any(hasattr(hint, mark) for mark in marks) or is_typeddict(hint))


def _json_names(cls: Any) -> dict[str, str]:
    """Map fields to the names they have in JSON, where the two may differ."""
    if hasattr(cls, "__struct_encode_fields__"):
        return dict(zip(cls.__struct_fields__, cls.__struct_encode_fields__, strict=True))
    if hasattr(cls, "__pydantic_fields__"):
        return {name: field.serialization_alias or name for name, field in cls.__pydantic_fields__.items()}
    return {}
