"""River's SQL: one name a statement, read from ``.sql`` files and rendered for a driver.

``@name`` marks a parameter and always stands before a cast, so that server-side and client-side
binding see one type. ``{schema}`` stands before each of River's names.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import Literal, TypeAlias

from riverqueue.rows import JOB_COLUMNS, JOB_JSON, QUEUE_COLUMNS
from riverqueue.statement import Clauses, Param, Params

#: How a driver marks parameters; the names are PEP 249's, ``numeric_dollar`` is SQLAlchemy's.
Paramstyle: TypeAlias = Literal["pyformat", "format", "named", "numeric_dollar"]

#: What a driver passes to its cursor: by position or by name, as its paramstyle asks.
BoundParams: TypeAlias = tuple[Param, ...] | Params

#: How a server tells that an insert met an existing row (`riverqueue.capabilities`).
_DUPLICATE = {"old": "(OLD.id IS NOT NULL)", "xmax": "(xmax <> 0)", "nonce": "false"}

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)
_COMMENT = re.compile(r"^\s*--.*\n?", re.MULTILINE)
_PARAM = re.compile(r"@(\w+)(?=::)")
_FRAGMENT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Rendered:
    """One statement as a driver takes it.

    Parameters:
        sql: The text.
        names: The parameters' names in the order of their marks; None if they are bound by name.
    """

    sql: str
    names: tuple[str, ...] | None

    def bind(self, params: Params) -> BoundParams:
        """Arrange parameters as the driver's paramstyle wants them."""
        return params if self.names is None else tuple([params[name] for name in self.names])


@cache
def statements() -> dict[str, str]:
    """Read every statement, without its comments, by name."""
    found: dict[str, str] = {}
    for file in sorted(resources.files("riverqueue.sql").joinpath("postgresql").iterdir(), key=lambda f: f.name):
        _, *parts = _NAME.split(file.read_text(encoding="utf-8"))
        for name, text in zip(parts[::2], parts[1::2], strict=True):
            found[name] = _COMMENT.sub("", text).strip()
    return found


def quote(identifier: str) -> str:
    """Quote a name for use in SQL."""
    return '"' + identifier.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


# Not without bound: a clause may hold SQL of the user's.
@lru_cache(maxsize=1024)
def render(
    name: str, style: Paramstyle, schema: str | None = None, duplicate: str = "xmax", clauses: Clauses = ()
) -> Rendered:
    """Make one statement ready for a driver.

    Parameters:
        name: The statement's name.
        style: How the driver marks parameters.
        schema: Schema of River's tables; None leaves it to the ``search_path``.
        duplicate: How the server tells a duplicate: ``old``, ``xmax`` or ``nonce``.
        clauses: What the statement leaves open; by default all jobs, by id.
    """
    fragments = {
        "schema": quote(schema) + "." if schema else "",
        "channel_prefix": _literal(schema) if schema else "current_schema()",
        "job_columns": JOB_COLUMNS,
        "job_json": JOB_JSON,
        "queue_columns": QUEUE_COLUMNS,
        "where": "true",
        "order_by": "river_job.id",
        "duplicate": _DUPLICATE[duplicate],
        **dict(clauses),
    }
    return mark(_filled(statements()[name], fragments), style)


def _filled(text: str, fragments: dict[str, str]) -> str:
    # A statement whose name begins with an underscore is a part of others.
    return _FRAGMENT.sub(lambda found: fragments.get(found[1]) or _part(found[1], fragments), text)


def _part(name: str, fragments: dict[str, str]) -> str:
    return "" if name in fragments else _filled(statements()[name], fragments)


def mark(text: str, style: Paramstyle) -> Rendered:
    """Spell the parameters of one statement as a driver takes them."""
    in_order: Sequence[str] = _PARAM.findall(text)
    if style == "numeric_dollar":
        names = tuple(dict.fromkeys(in_order))
        return Rendered(_PARAM.sub(lambda found: f"${names.index(found[1]) + 1}", text), names)
    if style == "named":
        return Rendered(_PARAM.sub(r":\1", text), None)
    text = text.replace("%", "%%")
    if style == "format":
        return Rendered(_PARAM.sub("%s", text), tuple(in_order))
    return Rendered(_PARAM.sub(r"%(\1)s", text), None)
