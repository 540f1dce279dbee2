"""River's own driver test-suite beside ours: each of its subtests has tests of ours that ask the same, or a reason."""

import ast
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from riverqueue.testing.conformance import AsyncDriverConformance, DriverConformance

ROOT = Path(__file__).parent.parent.parent
DATA = tomllib.loads(Path(__file__).with_name("subtests.toml").read_text(encoding="utf-8"))

#: Why a subtest has no test of ours: its short name, and the sentence.
REASONS: dict[str, str] = DATA["reasons"]


@dataclass(frozen=True)
class Subtest:
    """One of River's subtests.

    Parameters:
        area: The file it stands in.
        name: Its full name.
        tests: Ours that ask the same: ``Class.test_name`` of the conformance suite, which runs on every
            stack, or the node id of another.
        reason: The short name of the reason why there are none.
    """

    area: str
    name: str
    tests: tuple[str, ...] = ()
    reason: str | None = None


def subtests() -> list[Subtest]:
    """Read all of River's subtests."""
    return [
        Subtest(area, name, reason=ours) if isinstance(ours, str) else Subtest(area, name, tuple(ours))
        for area, entries in DATA["subtests"].items()
        for name, ours in entries.items()
    ]


def exists(test: str) -> bool:
    """Tell whether there is a test of ours by that name."""
    path, _, name = test.partition("::")
    return name in _functions(ROOT / path) if name else test in _suite()


@cache
def _functions(path: Path) -> frozenset[str]:
    if not path.is_file():
        return frozenset()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = (node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(name for name in names if name.startswith("test_"))


@cache
def _suite() -> frozenset[str]:
    """Name the suite's tests; what runs on sync stacks has to run on the others as well."""
    return frozenset(suite_tests(AsyncDriverConformance)) | frozenset(suite_tests(DriverConformance))


def suite_tests(suite: type) -> list[str]:
    """Name the tests of a suite, each with the class that has it."""
    return [f"{part.__name__}.{name}" for part in suite.__mro__ for name in vars(part) if name.startswith("test_")]


def report() -> Iterator[str]:
    """Say what is not covered and why, by area, and how much is."""
    every = subtests()
    for area in dict.fromkeys(subtest.area for subtest in every):
        here = [subtest for subtest in every if subtest.area == area]
        yield f"{area}: {_covered(here)} of {len(here)} covered"
        for reason in Counter(subtest.reason for subtest in here if subtest.reason):
            names = [subtest.name for subtest in here if subtest.reason == reason]
            yield f"    {REASONS[reason]} ({len(names)})"
            yield from (f"        {name}" for name in names)
    yield f"in all: {_covered(every)} of {len(every)} covered"


def _covered(subtests: list[Subtest]) -> int:
    return sum(1 for subtest in subtests if subtest.tests)
