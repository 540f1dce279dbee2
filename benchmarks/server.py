"""The one server of a run, and a database on it that is made for the run and dropped after it."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import riverqueue_migrations
import sqlalchemy

from riverqueue import embedded

_NAME = "riverqueue_benchmark"

#: No checkpoint falls into a measurement.
_SETTINGS = {"shared_buffers": "1GB", "max_wal_size": "8GB", "checkpoint_timeout": "30min"}


@contextmanager
def server(url: str | None, *, waits_for_disk: bool) -> Iterator[str]:
    """Yield the URL of a server: the one given, or a new one.

    Parameters:
        url: Of a server that runs already.
        waits_for_disk: Whether a commit of the new one does. If not, what clients and server themselves need
            shows, where a slow disk would hide it.
    """
    if url is not None:
        yield url
        return
    # /var/tmp is on a disk where /tmp may be in memory, whose fsync costs nothing.
    place = Path("/var/tmp") if Path("/var/tmp").is_dir() else Path(tempfile.gettempdir())
    data = Path(tempfile.mkdtemp(prefix="riverqueue-benchmark-", dir=place))
    settings = {**_SETTINGS, "synchronous_commit": "on" if waits_for_disk else "off"}
    try:
        with embedded.start(data, durable=True, settings=settings) as started:
            yield started.url
    finally:
        shutil.rmtree(data, ignore_errors=True)


@contextmanager
def database(server_url: str, suffix: str = "") -> Iterator[str]:
    """Yield the URL of a new database with River's tables."""
    name = _NAME + suffix
    url = sqlalchemy.make_url(server_url).set(database=name)
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {name}")
        try:
            _migrate(url)
            yield url.render_as_string(hide_password=False)
        finally:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def _migrate(url: sqlalchemy.URL) -> None:
    engine = sqlalchemy.create_engine(url.set(drivername="postgresql+psycopg"))
    riverqueue_migrations.upgrade(engine)
    engine.dispose()


_COMPLETED = """
INSERT INTO river_job (args, attempt, attempted_at, attempted_by, finalized_at, kind, max_attempts, queue, state)
SELECT jsonb_build_object('num', num), 1, now(), '{bench}', now(), 'bench', 25, %(queue)s, 'completed'
FROM generate_series(0, %(rows)s - 1) AS num
"""
_AVAILABLE = """
INSERT INTO river_job (args, kind, max_attempts, queue)
SELECT jsonb_build_object('num', num), 'bench', 25, %(queue)s
FROM generate_series(0, %(rows)s - 1) AS num
"""


def fill(url: str, rows: int) -> None:
    """Empty River's table and put completed jobs there, with identities from 1: each measurement begins alike."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("TRUNCATE river_job RESTART IDENTITY")
        if rows:
            connection.execute(_COMPLETED, {"rows": rows, "queue": "default"})
            connection.execute("VACUUM ANALYZE river_job")


def fill_available(url: str, rows: int) -> None:
    """Empty River's table and put jobs there that are to be worked."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("TRUNCATE river_job RESTART IDENTITY")
        connection.execute(_AVAILABLE, {"rows": rows, "queue": "default"})
    vacuum(url)


def fill_other(url: str, rows: int) -> None:
    """Put finished jobs into another queue, and as many that nobody works."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_COMPLETED, {"rows": rows, "queue": "other"})
        connection.execute(_AVAILABLE, {"rows": rows, "queue": "other"})


def refill(url: str, rows: int) -> None:
    """Replace the jobs of the queue that is worked; those of others stay."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DELETE FROM river_job WHERE queue = 'default'")
        connection.execute(_AVAILABLE, {"rows": rows, "queue": "default"})
    vacuum(url)


def vacuum(url: str) -> None:
    """Leave nothing for the server to tidy up while others are measured."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


def description(url: str) -> str:
    """Say what the server is, and what decides how it commits."""
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT current_setting('server_version'), current_setting('fsync'), "
            "current_setting('synchronous_commit'), current_setting('shared_buffers')"
        ).fetchone()
    version, fsync, commit, buffers = row or ("?",) * 4
    return f"PostgreSQL {version}, fsync {fsync}, synchronous_commit {commit}, shared_buffers {buffers}"
