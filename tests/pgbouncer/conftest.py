"""One PgBouncer for each process of a test run."""

from collections.abc import Iterator

import pytest

from tests.support.pgbouncer import PgBouncer, database_of, is_required, missing_reason


@pytest.fixture(scope="session")
def pgbouncer(server_url: str) -> Iterator[PgBouncer]:
    """A PgBouncer in transaction mode in front of the tests' server."""
    if reason := missing_reason():
        (pytest.fail if is_required() else pytest.skip)(reason)
    with PgBouncer(server_url) as running:
        yield running


@pytest.fixture
def pooled_url(database_url: str, pgbouncer: PgBouncer) -> str:
    """The libpq URL of `database_url`'s database through PgBouncer."""
    pgbouncer.reconnect()  # the last test's sessions were ended
    return pgbouncer.url_for(database_of(database_url))
