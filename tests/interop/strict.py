"""Strict decoding of an adapter's requests: what is not known, at any depth, is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_INT64 = range(-(2**63), 2**63)

#: Shapes that are no type, list or mapping of shapes.
RAW, TIME = "raw JSON", "RFC 3339 time"

_NAMES = {bool: "a boolean", int: "an integer", str: "a string"}


class Number(str):
    """A number that is no integer, by its text, so that none of its digits is lost."""

    __slots__ = ()


class RefusedError(Exception):
    """A request is answered with this error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class ShapeError(ValueError):
    """Params do not have the shape the method asks for."""


def parse(line: bytes) -> Any:
    """Parse one line of JSON.

    Raises:
        ValueError: if it is none.
    """
    return json.loads(line, parse_float=Number, parse_constant=_refuse_constant)


def decode(value: Any, shape: Any, where: str) -> Any:
    """Check a value against a shape and return it without its nulls.

    A shape is a type, a list with one shape, a mapping from names to shapes, `RAW` (anything, as JSON text)
    or `TIME` (a datetime).

    Raises:
        ShapeError: saying where and why.
    """
    if isinstance(shape, Mapping):
        return _decode_object(value, shape, where)
    if isinstance(shape, list):
        if not isinstance(value, list):
            raise ShapeError(f"{where} must be a list")
        return [decode(element, shape[0], f"{where}[{index}]") for index, element in enumerate(value)]
    if shape is RAW:
        return spell(value)
    if shape is TIME:
        return _decode_time(value, where)
    if type(value) is not shape or (shape is int and value not in _INT64):
        raise ShapeError(f"{where} must be {_NAMES[shape]}")
    return value


def spell(value: Any) -> str:
    """Spell a parsed value as JSON text again, its numbers as they were."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{spell(member)}" for name, member in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(spell, value)) + "]"
    return json.dumps(value)


def _decode_object(value: Any, shape: Mapping[str, Any], where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ShapeError(f"{where} must be an object")
    if unknown := value.keys() - shape.keys():
        raise ShapeError(f"{where} has unknown fields: {', '.join(sorted(unknown))}")
    return {
        name: decode(member, shape[name], f"{where}.{name}") for name, member in value.items() if member is not None
    }


def _decode_time(value: Any, where: str) -> datetime:
    if type(value) is str and _TIME.fullmatch(value):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            pass
    raise ShapeError(f"{where} must be an RFC 3339 time")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
