"""The suite every driver of River must pass; a stranger's runs it in a few lines.

Subclass `AsyncDriverConformance` (or `DriverConformance`), say how a driver is opened on a database that has
River's tables and nothing else in them, and let pytest or unittest collect the class::

    class TestMyDriver(AsyncDriverConformance):
        @pytest.fixture(autouse=True)
        def use(self, database_url: str) -> None:
            self.url = database_url

        @asynccontextmanager
        async def driver(self) -> AsyncGenerator[MyDriver]:
            async with my_library.create_pool(self.url) as pool:
                yield MyDriver(pool)

`AsyncHarness` lists what else a subclass may say. The suite observes the database through the driver
itself, on connections of its own, and needs no other library. It changes the schema: every test needs a
database of its own, in which it may create functions and schemas.
"""

from riverqueue.testing.conformance.async_harness import AsyncHarness
from riverqueue.testing.conformance.async_suite import AsyncDriverConformance
from riverqueue.testing.conformance.harness import Harness
from riverqueue.testing.conformance.suite import DriverConformance

__all__ = ["AsyncDriverConformance", "AsyncHarness", "DriverConformance", "Harness"]
