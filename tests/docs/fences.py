"""The fenced blocks of a page, and what it takes to run them.

A page is run like one program: its ```python fences in order, in one namespace, on a database that has
River's tables. ``await`` stands at top level, as it does in ``python -m asyncio``.

* The database is ``DATABASE_URL``, a variable and in the environment. In the text of a fence,
  ``postgresql://localhost/app`` stands for it, with any driver: ``postgresql+asyncpg://localhost/app``.
* An ```output fence is what the fence before it prints.
* A fence inside of an HTML comment runs, too, and the reader does not see it.
* A fence that cannot run has ``<!-- not run: reason -->`` on the line before it.
* In an ```sh fence each line begins with a command that exists.
"""

import ast
import asyncio
import contextlib
import inspect
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.server import sqlalchemy_url

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^(?P=indent)```[ ]*$", re.M | re.S)
_NOT_RUN = re.compile(r"<!-- not run: (?P<reason>.+?) -->\s*\Z", re.S)
_URL = re.compile(r"postgresql(?:\+(\w+))?://localhost/app\b")

#: Whose objects hold connections.
_CLOSED = {"psycopg", "psycopg_pool", "riverqueue_psycopg", "sqlalchemy"}


@dataclass(frozen=True)
class Fence:
    """One fenced block.

    Attributes:
        language: What follows the back-ticks.
        text: What it holds.
        line: The line of its first line of text, from 1.
        not_run: Why it is not run; None if it is.
    """

    language: str
    text: str
    line: int
    not_run: str | None


def fences(page: Path) -> list[Fence]:
    """Return a page's fences in their order."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in _FENCE.finditer(text):
        marker = _NOT_RUN.search(text, 0, match.start())
        body = re.sub(rf"^{match['indent']}", "", match["text"], flags=re.M)
        line = text.count("\n", 0, match.start("text")) + 1
        found.append(Fence(match["language"], body, line, marker["reason"] if marker else None))
    return found


class Program:
    """A page as one program.

    Parameters:
        page: The page, for the names in tracebacks.
        database_url: The libpq URL of its database.
    """

    def __init__(self, page: Path, database_url: str) -> None:
        self._database_url = database_url
        self._namespace: dict[str, Any] = {"__name__": page.stem, "DATABASE_URL": database_url}
        self._page = page
        self._runner = asyncio.Runner()

    def run(self, fence: Fence) -> str:
        """Run one fence and return what it prints."""
        source = "\n" * (fence.line - 1) + _URL.sub(self._url, fence.text)
        code = compile(source, self._page, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        with contextlib.redirect_stdout(io.StringIO()) as output:
            result = eval(code, self._namespace)  # not exec: it would drop a coroutine
            if inspect.iscoroutine(result):
                self._runner.run(_awaited(result))
        return output.getvalue()

    def close(self) -> None:
        """Let go of what the page has opened, as the end of a program does."""
        for value in list(self._namespace.values()):
            if type(value).__module__.partition(".")[0] in _CLOSED:
                method = getattr(value, "dispose", None) or getattr(value, "close", None)
                answer = method() if callable(method) else None
                if inspect.isawaitable(answer):
                    self._runner.run(_awaited(answer))
        self._runner.close()

    def _url(self, match: re.Match[str]) -> str:
        return sqlalchemy_url(self._database_url, match[1]) if match[1] else self._database_url


async def _awaited(awaitable: Any) -> Any:
    return await awaitable


@contextlib.contextmanager
def program(page: Path, database_url: str) -> Iterator[Program]:
    """Give a page's program, and let go of what it has opened."""
    made = Program(page, database_url)
    try:
        yield made
    finally:
        made.close()


def commands(fence: Fence) -> list[str]:
    """Return the commands of an ```sh fence, without prompts, comments and variables set before them."""
    joined = fence.text.replace("\\\n", " ")
    lines = [re.sub(r"(^| )#.*", "", line).strip().removeprefix("$ ") for line in joined.splitlines()]
    return [re.sub(r"^(\w+=\S* +)+", "", line) for line in lines if line]


def public_names(module: Any) -> Mapping[str, Any]:
    """Return what a module says is public."""
    return {name: getattr(module, name) for name in module.__all__}
