"""Values on the command line that are neither text nor numbers."""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta

import click

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PART = r"(\d+(?:\.\d*)?|\.\d+)(h|ms|m|s|us|µs|ns)"


def duration(text: str) -> timedelta:
    """Read a duration as Go spells it: ``30s``, ``1m30s``, ``500ms``.

    Raises:
        BadParameter: It is none.
    """
    if not re.fullmatch(f"(?:{_PART})+", text):
        raise click.BadParameter(f"{text!r} is not a duration such as 30s, 5m or 1h30m")
    try:
        return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in re.findall(_PART, text)))
    except OverflowError:
        raise click.BadParameter(f"{text!r} is too long") from None


def time(text: str) -> datetime:
    """Read a time in ISO 8601, with its offset from UTC.

    Raises:
        BadParameter: It is none.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a time such as 2030-01-31T09:00:00Z") from None
    if found.utcoffset() is None:
        raise click.BadParameter(f"{text!r} does not say its time zone: end it with Z, or an offset such as +02:00")
    return found


def integers(text: str) -> tuple[int, ...]:
    """Read numbers with commas between them.

    Raises:
        BadParameter: One is none.
    """
    try:
        return tuple(int(word) for word in text.split(","))
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a number, or several with commas between them") from None


def words(values: Iterable[str]) -> list[str]:
    """Take values of an option that is repeated or has commas apart."""
    return [word for value in values for word in value.split(",") if word]
