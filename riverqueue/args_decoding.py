"""From the type a worker takes to the function that makes it of a job's args: the inverse of `job_args.encode_args`.

msgspec decodes dataclasses, attrs classes, TypedDicts and its own Structs; pydantic decodes its own classes. Each is
imported when a worker is registered that needs it, so that no other program waits for it.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from inspect import getattr_static
from typing import Any, TypeAlias, get_args, get_origin

from riverqueue.errors import ArgsDecodeError, ConfigurationError

Decode: TypeAlias = Callable[[dict[str, Any]], Any]

_MAPPINGS = (dict, Mapping, MutableMapping)
_ANY_ITEMS = ((), (str, Any), (str, object), (Any, Any))
_PLACE = re.compile(r"(?P<problem>.*) - at (?P<key>`key` in )?`\$(?P<path>.*)`", re.DOTALL)
_RESOLVE = "define or import what its type hints name at run time and at module level"

_encode = json.JSONEncoder(ensure_ascii=False).encode


def decoder(args_type: Any) -> Decode:
    """Return the function that makes a worker's args of a job's: the inverse of `job_args.encode_args`.

    The function takes what ``json.loads`` made of the job's args. Members that the type does not have are passed over:
    a newer program may have written them. It raises `ArgsDecodeError`, with the place, if a member is missing or
    cannot be of its type. What a ``from_json()`` raises passes through.

    A dict is given as it is. A class with ``to_json()`` needs its inverse, a class method ``from_json(text)``. For all
    else msgspec's rules hold, or pydantic's for its own classes.

    Parameters:
        args_type: What the worker takes: a class, or ``dict[str, Any]``.

    Raises:
        ConfigurationError: if it cannot be decoded into; names the class and the remedy.
    """
    decode = _decode_of(args_type)

    def decode_args(args: dict[str, Any]) -> Any:
        try:
            return decode(args)
        except RecursionError:
            raise ArgsDecodeError("args: nested too deeply") from None

    return decode_args


def _decode_of(args_type: Any) -> Decode:
    cls = get_origin(args_type) or args_type
    if cls is Any or cls is object or (cls in _MAPPINGS and get_args(args_type) in _ANY_ITEMS):
        return lambda args: args
    if isinstance(cls, type) and hasattr(cls, "to_json"):
        return _by_itself(cls)
    return _by_pydantic(args_type) if _is_pydantic(cls) else _by_msgspec(args_type)


def _by_itself(cls: Any) -> Decode:
    if not isinstance(getattr_static(cls, "from_json", None), classmethod | staticmethod):
        raise ConfigurationError(
            f"{cls.__name__} has to_json(), and no inverse of it: give it a class method from_json(text) that takes "
            "JSON text and returns the args"
        )
    return lambda args: cls.from_json(_encode(args))


def _is_pydantic(cls: Any) -> bool:
    return isinstance(cls, type) and hasattr(cls, "__pydantic_validator__")


def _by_pydantic(args_type: Any) -> Decode:
    from pydantic import PydanticUndefinedAnnotation, PydanticUserError, TypeAdapter, ValidationError

    try:
        adapter = TypeAdapter(args_type)
        adapter.rebuild()
    except (PydanticUndefinedAnnotation, PydanticUserError) as error:
        raise ConfigurationError(f"pydantic cannot decode {_named(args_type)}: {error.message}; {_RESOLVE}") from error

    def decode(args: dict[str, Any]) -> Any:
        try:
            return adapter.validate_json(_encode(args))  # of text, a strict model takes times too
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in first["loc"])
            raise ArgsDecodeError(f"args{place}: {first['msg']}") from error

    return decode


def _by_msgspec(args_type: Any) -> Decode:
    try:
        from msgspec import ValidationError, convert
    except ImportError:
        raise ConfigurationError(
            f"msgspec decodes {_named(args_type)}, and is not installed: install riverqueue[worker], or take a dict"
        ) from None
    _check(args_type)

    def decode(args: dict[str, Any]) -> Any:
        try:
            return convert(args, args_type, str_keys=True)
        except (ValidationError, TypeError) as error:  # TypeError: a set of what cannot be in one
            raise ArgsDecodeError(_placed(str(error))) from error

    return decode


def _placed(message: str) -> str:
    found = _PLACE.fullmatch(message)
    if found is None:
        return f"args: {message}"
    return f"args{found['path']}: {'key: ' if found['key'] else ''}{found['problem']}"


def _check(args_type: Any) -> None:
    """Refuse what msgspec cannot decode into, or only seems to."""
    from msgspec import inspect

    try:
        info = inspect.type_info(args_type)
    except (AttributeError, NameError, RuntimeError, TypeError) as error:
        remedy = f"; {_RESOLVE}" if isinstance(error, AttributeError | NameError) else ""
        raise ConfigurationError(f"{_named(args_type)} cannot be decoded: {error}{remedy}") from error
    for place, cls in _foreign(info, _named(args_type), set()):
        remedy = "make the whole a pydantic model" if _is_pydantic(cls) else "make it a dataclass"
        raise ConfigurationError(
            f"{place}: {_named(cls)} cannot be decoded: {remedy}, or take what JSON has and make it in the worker"
        )
    objects = (inspect.StructType, inspect.DataclassType, inspect.TypedDictType, inspect.DictType)
    if not isinstance(info, objects) or getattr(info, "array_like", False):
        raise ConfigurationError(
            f"args are a JSON object, and {_named(args_type)} is decoded from another value; put it into a class"
        )


def _foreign(info: Any, place: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    """Find the classes that msgspec does not make, or not as they make themselves; and where they are named."""
    from msgspec import inspect, structs

    if id(info) in seen:
        return
    seen.add(id(info))
    cls = getattr(info, "cls", None)
    if (isinstance(info, inspect.CustomType) and cls is not object) or _is_pydantic(get_origin(cls) or cls):
        yield place, cls
    owner = place if cls is None else _named(cls)
    for part in structs.astuple(info):
        for each in part if isinstance(part, tuple) else (part,):
            if isinstance(each, inspect.Field):
                yield from _foreign(each.type, f"{owner}.{each.name}", seen)
            elif isinstance(each, inspect.Type):
                yield from _foreign(each, place, seen)


def _named(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) and not get_args(hint) else repr(hint)
