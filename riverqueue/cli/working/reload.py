"""Tells when a program's files change."""

import importlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from riverqueue.cli.failures import Failure


def check() -> None:
    """See that files can be watched.

    Raises:
        Failure: They cannot.
    """
    try:
        importlib.import_module("watchfiles")
    except ImportError:
        raise Failure("--reload needs watchfiles: pip install 'riverqueue[reload]'") from None


async def changes(folders: Sequence[Path]) -> AsyncIterator[list[str]]:
    """Return the names of Python files that have changed, whenever some have."""
    watchfiles: Any = importlib.import_module("watchfiles")
    async for changed in watchfiles.awatch(*folders, watch_filter=watchfiles.PythonFilter()):
        yield sorted({Path(path).name for _, path in changed})
