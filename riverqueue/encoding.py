"""JSON as Go's encoder writes it (``encoding/json``).

What is stored need only mean the same: PostgreSQL spells it anew. Unique keys are hashes of text, so
there the spelling itself must be Go's: that is `canonical`.
"""

import json
import re
import sys
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any, NoReturn

from riverqueue.errors import InvalidArgsError

# Possessive quantifiers: a megabyte of escapes must not cost a megabyte of backtracking state.
_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_TOKEN = re.compile(rf"{_STRING}|[ \t\n\r]++|-?\d[\d.eE+\-]*+")
_STRING_OR_FLOAT = re.compile(rf"{_STRING}|-?\d++(?:\.\d++(?:e[+\-]\d++)?|e[+\-]\d++)")
_FLOAT_OF_PYTHON = re.compile(r"\.0\b|\de[+\-]\d")
_SPACE_OR_ESCAPED = re.compile(r"[ \t\n\r\\<>&\u2028\u2029]")
_FLOAT = re.compile(r"(?:^|[:,\[])-?\d++[.eE]")
_ESCAPED_STRING = re.compile(r"[\\<>&\u2028\u2029]")
_HTML = re.compile(r"[<>&\u2028\u2029]")
_PLAIN_NAME = re.compile(r"[ !#-\[\]-\x7f]*")
_NUL = re.compile(r"(?<!\\)(?:\\\\)*+\\u0000")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_FLOAT_KEY = re.compile(r'"-?\d++[.e]')
_SCALARS = (str, int, float, type(None))


def encode(value: object) -> str:
    """Spell a Python value as compact JSON; mappings keep their order, object names are text.

    Beside JSON's own types: dataclass, attrs, msgspec and pydantic instances (objects), tuples,
    enums (their value), aware times (RFC 3339 in UTC, ``Z``, no trailing zeros), dates, UUIDs,
    ``Decimal`` (text, so that no digit is lost), ``bytes`` (Base64, as Go). Floats are spelled as
    Go spells them. ``int`` keys become text, as in Go's maps.

    Parameters:
        value: What to spell.

    Raises:
        InvalidArgsError: if the value has no JSON form, or PostgreSQL could not store it (NaN,
            infinity, NUL, a lone surrogate).
    """
    try:
        text = _ENCODER.encode(value)
    except InvalidArgsError:
        raise
    except RecursionError:
        raise InvalidArgsError("value is nested too deeply for JSON, or contains itself") from None
    except (TypeError, ValueError) as error:
        raise InvalidArgsError(f"value cannot be encoded as JSON: {_why(error)}") from error
    # A few searches at C speed settle nearly every text, here and below.
    if 'true":' in text or 'false":' in text or 'null":' in text:
        _check_keys(value)
    if "." in text or "e-" in text or "e+" in text:
        if _FLOAT_KEY.search(text):
            _check_keys(value)
        text = respelled(text)
    return storable(text)


def _why(error: Exception) -> str:
    if "Out of range float" in str(error):
        return "it holds NaN or infinity, which JSON does not know; use None or text"
    return str(error)


def _check_keys(value: object) -> None:
    """Refuse keys that Python would turn into text and Go would not."""
    if isinstance(value, _SCALARS):
        return
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str) and (isinstance(key, bool) or not isinstance(key, int)):
                raise InvalidArgsError(f"object names must be str or int, not {key!r}; convert with str(...)")
            _check_keys(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _check_keys(item)
    else:
        _check_keys(_plain(value))


def respelled(text: str) -> str:
    """Spell the floats of valid compact JSON as Go does; all else is left as it is.

    Parameters:
        text: Valid JSON in which numbers are spelled as Python spells them.
    """
    if (".0" in text or "e-" in text or "e+" in text) and _FLOAT_OF_PYTHON.search(text):
        return _STRING_OR_FLOAT.sub(lambda match: _respelled_float(match[0]), text)
    return text


def _respelled_float(token: str) -> str:
    return token if token[0] == '"' else number(token)


def storable(text: str) -> str:
    """Return valid JSON text if PostgreSQL can store it as ``jsonb``.

    Parameters:
        text: Valid JSON.

    Raises:
        InvalidArgsError: if a string in it contains NUL or a lone surrogate.
    """
    if "\\u0000" in text and _NUL.search(text):
        raise InvalidArgsError(
            f"a string contains NUL (U+0000){_place_of_nul(text)}, which PostgreSQL cannot store; "
            'remove it with .replace("\\0", "")'
        )
    if not text.isascii():
        _check_utf8(text)
    if "\\u" in text and _SURROGATE.search(text):
        canonical(text)
    return text


def _check_utf8(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidArgsError(
            f"a string contains the lone surrogate {error.object[error.start]!a}, which is not text; "
            "decode its source with errors='replace'"
        ) from None


def _place_of_nul(text: str) -> str:
    place = _find_nul(_parse(text))
    return f" at {place.lstrip('.')}" if place else ""


def _find_nul(value: object) -> str | None:
    """Return the dotted place of the first string with a NUL; None if there is none."""
    if isinstance(value, str):
        return "" if "\0" in value else None
    if isinstance(value, dict):
        for key, item in value.items():
            place = "" if "\0" in key else _find_nul(item)
            if place is not None:
                return f".{key}{place}".replace("\0", "\\0")
    if isinstance(value, list):
        for index, item in enumerate(value):
            place = _find_nul(item)
            if place is not None:
                return f"[{index}]{place}"
    return None


def check_object(text: str, what: str) -> None:
    """Check that text is JSON of an object, and that PostgreSQL can store it.

    Parameters:
        text: What somebody else encoded.
        what: What to call it in an error.

    Raises:
        InvalidArgsError: if it is not.
    """
    value = _parse(text, what)
    if not isinstance(value, dict):
        raise InvalidArgsError(f"{what} must be a JSON object, {{...}}, not {_shortened(text)}")
    storable(text)


def checked(text: str, what: str) -> str:
    """Return JSON text of any value, if PostgreSQL can store it.

    Parameters:
        text: What somebody else encoded.
        what: What to call it in an error.

    Raises:
        InvalidArgsError: if it is not.
    """
    _parse(text, what)
    return storable(text)


def _shortened(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}…"


def canonical(text: str) -> str:
    """Spell JSON text as Go's encoder would have spelled the same value.

    Compact; strings with Go's escapes (``<``, ``>``, ``&``, U+2028 and U+2029 among them), floats
    in Go's spelling. Integers keep their digits, objects their order and repeated names. For
    unique keys only.

    Parameters:
        text: Any JSON text.

    Raises:
        InvalidArgsError: if it is not valid JSON; says where.
    """
    _parse(text)
    return _canonical(text)


def _canonical(text: str) -> str:
    if not _SPACE_OR_ESCAPED.search(text) and not _FLOAT.search(text):
        return text
    return _TOKEN.sub(lambda match: _canonical_token(match[0]), text)


def _canonical_token(token: str) -> str:
    first = token[0]
    if first == '"':
        return string(_decode(token)) if _ESCAPED_STRING.search(token) else token
    if first in " \t\n\r":
        return ""
    return number(token)


def _decode(token: str) -> str:
    value: str = _DECODER.raw_decode(token)[0]
    if not value.isascii():
        _check_utf8(value)
    return value


def string(text: str) -> str:
    """Spell a string as Go's JSON encoder does, quotes included.

    Parameters:
        text: The string.
    """
    encoded = _ENCODER.encode(text)
    return _HTML.sub(_html_escape, encoded) if _HTML.search(encoded) else encoded


def _html_escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def name(text: str) -> str:
    """Spell the name of an object's member as River's unique keys do.

    ASCII without control characters, quotes and backslashes stands verbatim; any other name
    is spelled as a whole as `string` does.

    Parameters:
        text: The name.
    """
    return f'"{text}"' if _PLAIN_NAME.fullmatch(text) else string(text)


def number(token: str) -> str:
    """Spell a JSON number as Go does: integers as they are, floats as their shortest form.

    Floats are decimal from 1e-6 up to 1e21 and have an exponent outside. One that overflows a
    float64 keeps its text.

    Parameters:
        token: A valid JSON number.
    """
    if not ("." in token or "e" in token or "E" in token):
        return token
    value = float(token)
    text = repr(value)
    if value and not 1e-6 <= abs(value) < 1e21:
        mantissa, _, exponent = text.partition("e")
        return f"{mantissa}e{int(exponent):+d}" if exponent else token
    return f"{Decimal(text):f}" if "e" in text else text.removesuffix(".0")


def object_members(text: str) -> list[tuple[str, str]]:
    """Take a JSON object apart: names, decoded, with the canonical text of their values, in order.

    Repeated names are kept. ``{}`` has no members and, as in Go, neither has ``[]``.

    Parameters:
        text: JSON text of an object.

    Raises:
        InvalidArgsError: if it is not valid JSON, or of something else.
    """
    compact = canonical(text)
    if compact == "[]":
        return []
    if compact[0] != "{":
        raise InvalidArgsError(f"unique args must encode a JSON object, not {_shortened(compact)}")
    return members(compact)


def members(compact: str) -> list[tuple[str, str]]:
    """Take apart the canonical text of a JSON object; see `object_members`.

    Parameters:
        compact: What `canonical` returned, or a value that `members` did; begins with ``{``.
    """
    found = []
    position = 1
    while compact[position] != "}":
        key, end = _DECODER.raw_decode(compact, position)
        _, position = _DECODER.raw_decode(compact, end + 1)
        found.append((key, compact[end + 1 : position]))
        position += compact[position] == ","
    return found


def _parse(text: str, what: str = "args") -> Any:
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise InvalidArgsError(f"{what} must be valid JSON: {error}") from None
    except RecursionError:
        raise InvalidArgsError(f"{what} must not be nested so deeply") from None


def _refuse_constant(token: str) -> NoReturn:
    raise InvalidArgsError(f"{token} is no JSON number; send null or a string instead")


def rfc3339(time: datetime) -> str:
    """Spell a time as Go does in UTC: ``2026-01-02T03:04:05.6789Z``, no trailing zeros.

    Parameters:
        time: An aware time.

    Raises:
        InvalidArgsError: if it is naive, or outside of the years 1 to 9999 in UTC.
    """
    if time.utcoffset() is None:
        raise InvalidArgsError(
            f"time must know its zone: {time!r} is naive; use datetime.now(UTC) or .replace(tzinfo=...)"
        )
    try:
        text = time.astimezone(UTC).isoformat().removesuffix("+00:00")
    except OverflowError:
        raise InvalidArgsError(f"time is outside of the years 1 to 9999 in UTC: {time!r}") from None
    return (text.rstrip("0") if time.microsecond else text) + "Z"


def _plain(value: Any) -> object:
    """Turn a value that JSON does not know into one that it knows; the encoder's ``default``."""
    cls: type = type(value)
    return _converter(cls)(value)


@cache
def _converter(cls: type) -> Callable[[Any], object]:
    if any(base.__module__ == "uuid" for base in cls.__mro__):
        return str  # by name: the module takes its time to import, and whoever has a UUID has it
    for known, convert in _CONVERTERS.items():
        if issubclass(cls, known):
            return convert
    return instance_converter(cls) or _refuse


@cache
def instance_converter(cls: type) -> Callable[[Any], Any] | None:
    """Find how to turn instances of a class into a value of JSON's types, without importing anything.

    Parameters:
        cls: A dataclass, attrs class, msgspec Struct or pydantic model; for any other, None.
    """
    if hasattr(cls, "__pydantic_serializer__"):
        return lambda value: value.__pydantic_serializer__.to_python(value, mode="json", by_alias=True)
    if hasattr(cls, "__struct_fields__"):
        # The instance exists, so the module is loaded.
        return lambda value: sys.modules["msgspec"].to_builtins(value)
    names = field_names(cls)
    if names is not None:
        return lambda value: {name: getattr(value, name) for name in names}
    return None


def field_names(cls: type) -> tuple[str, ...] | None:
    """Name the fields of a dataclass or an attrs class; None for other classes.

    Parameters:
        cls: Any class.
    """
    if hasattr(cls, "__attrs_attrs__"):
        return tuple(field.name for field in cls.__attrs_attrs__)
    if hasattr(cls, "__dataclass_fields__"):
        return tuple(field.name for field in fields(cls))
    return None


def _refuse(value: object) -> NoReturn:
    advice = "a set has no order: send a sorted list" if isinstance(value, set | frozenset) else "convert it first"
    if isinstance(value, timedelta):
        advice = "send .total_seconds()"
    raise InvalidArgsError(f"{type(value).__name__} cannot be encoded as JSON ({_shortened(repr(value))}); {advice}")


def _base64(value: bytes | bytearray | memoryview) -> str:
    return b64encode(value).decode("ascii")


def _decimal(value: Decimal) -> str:
    if not value.is_finite():
        raise InvalidArgsError(f"Decimal must be finite, not {value}")
    return str(value)


# Order counts: a datetime is a date.
_CONVERTERS: dict[type, Callable[[Any], object]] = {
    datetime: rfc3339,
    date: date.isoformat,
    Enum: lambda value: value.value,
    Decimal: _decimal,
    bytes: _base64,
    bytearray: _base64,
    memoryview: _base64,
    Mapping: dict,
}

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain)

# Numbers stay text: digits are not limited, and nobody reads the values.
_DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_refuse_constant)
