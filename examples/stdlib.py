"""The demo's input: Python's own standard library, as it is installed here."""

import re
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

LIBRARY = Path(sysconfig.get_path("stdlib"))

_NOT_OURS = {"__pycache__", "dist-packages", "site-packages", "test", "tests", "idle_test"}
_FUNCTION = re.compile(r"^\s*(?:async )?def (\w+)", re.M)


class Base(DeclarativeBase):
    """The application's tables."""


class SourceFile(Base):
    """The application's own row: one file of the standard library."""

    __tablename__ = "source_file"

    id: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(unique=True)
    size: Mapped[int]
    lines: Mapped[int]


class FileIndex(Base):
    """What the job of a file has found."""

    __tablename__ = "file_index"

    file_id: Mapped[int] = mapped_column(ForeignKey("source_file.id"), primary_key=True)
    functions: Mapped[int]


@dataclass
class IndexFile:
    """A job's args: index one file."""

    kind: ClassVar[str] = "index_file"

    file_id: int
    path: str


@dataclass
class ReportSizes:
    """A job's args: report on all files."""

    kind: ClassVar[str] = "report_sizes"

    library: str


@dataclass
class DocumentFunction:
    """A job's args: document one function."""

    kind: ClassVar[str] = "document_function"

    path: str
    line: int
    name: str


def modules() -> list[SourceFile]:
    """Read the library's top-level modules."""
    return [_read(path) for path in sorted(LIBRARY.glob("*.py"))]


def _read(path: Path) -> SourceFile:
    content = path.read_bytes()
    return SourceFile(path=path.name, size=len(content), lines=content.count(b"\n"))


def sources() -> list[Path]:
    """Find the sources of the whole library, but for its tests."""
    found = LIBRARY.rglob("*.py")
    return sorted(path for path in found if _NOT_OURS.isdisjoint(path.relative_to(LIBRARY).parts))


def functions(path: Path) -> Iterator[DocumentFunction]:
    """Find the functions of one file."""
    text = path.read_text(encoding="utf-8", errors="replace")
    for match in _FUNCTION.finditer(text):
        line = text.count("\n", 0, match.start(1)) + 1
        yield DocumentFunction(path.relative_to(LIBRARY).as_posix(), line, match[1])
