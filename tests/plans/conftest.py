from collections.abc import Iterator

import psycopg
import pytest

from tests.plans.filled import filled_database
from tests.support.server import RunningServer, connect


@pytest.fixture(scope="module")
def filled_url(_server: RunningServer, template_database: str) -> str:
    """The URL of the database with a million jobs; it goes with all others of this run."""
    return filled_database(_server.url, f"{_server.run}_filled", template_database)


@pytest.fixture(scope="module")
def connection(filled_url: str) -> Iterator[psycopg.Connection]:
    """A connection to it."""
    with connect(filled_url) as connection:
        yield connection
