"""A stranger's driver passes the suite."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from runpy import run_path
from typing import Any

import asyncpg

from riverqueue.testing.conformance import AsyncDriverConformance
from tests.drivers.support import NOWHERE, AsyncListening
from tests.examples.support import ROOT

Driver: Any = run_path(str(ROOT / "examples" / "asyncpg_driver.py"))["Driver"]


class TestAsyncpgDriver(AsyncListening, AsyncDriverConformance):
    @asynccontextmanager
    async def driver(self) -> AsyncGenerator[Any]:
        async with asyncpg.create_pool(self.url, min_size=1) as pool:
            yield Driver(pool)

    @asynccontextmanager
    async def unreachable(self) -> AsyncGenerator[Any]:
        async with asyncpg.create_pool(NOWHERE, min_size=0) as pool:
            yield Driver(pool)

    @asynccontextmanager
    async def refused(self, driver: Any) -> AsyncGenerator[list[Any]]:
        async with asyncpg.create_pool(self.url, min_size=1) as pool, pool.acquire() as idle:
            closed = await asyncpg.connect(self.url)
            await closed.close()
            yield [driver, pool, idle, closed]
