import gc
import logging
import os
import random
import secrets
import warnings
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.faults.support import STACKS, Scene, opened

#: What chance decides in all tests here is told by it.
SEED = os.environ.get("RIVER_FAULT_SEED") or secrets.token_hex(4)


@pytest.fixture(params=STACKS)
def stack(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def dice(request: pytest.FixtureRequest) -> random.Random:
    """Chance, the same again with the seed that is printed when a test fails."""
    print(f"to repeat: RIVER_FAULT_SEED={SEED}")
    return random.Random(f"{SEED} {request.node.name}")


@pytest.fixture(autouse=True)
def _no_leavings() -> None:
    """Let go of what tests before have left to the garbage collector, which is asked here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(autouse=True)
def _forgotten_errors() -> Iterator[None]:
    """Keep the words of logged errors only: pytest keeps the rest, and with it connections that nobody has any more."""

    def forget(record: logging.LogRecord) -> bool:
        record.msg, record.args = record.getMessage(), ()
        return True

    logger = logging.getLogger("riverqueue.worker")
    logger.addFilter(forget)
    yield
    logger.removeFilter(forget)


@pytest.fixture
async def scene(fresh_database_url: str) -> AsyncIterator[Scene]:
    async with opened(fresh_database_url) as scene:
        yield scene


@pytest.fixture
def rounds() -> int:
    """How often a test repeats what chance decides."""
    return int(os.environ.get("RIVER_FAULT_ROUNDS", "4"))
