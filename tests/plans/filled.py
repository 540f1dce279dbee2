"""A database with a million jobs, as one looks that has worked for three days."""

import secrets
from pathlib import Path

import psycopg
from psycopg import sql

from tests.support.server import connect, create_database, url_for

ROWS = 1_000_000

_FILL = Path(__file__).with_name("filled.sql").read_text(encoding="utf-8")
_INDEXES = """
SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid)
FROM pg_index
WHERE indrelid = 'river_job'::regclass AND NOT indisprimary
"""


def filled_database(server_url: str, name: str, template: str) -> str:
    """Return the URL of a database that is made once a run, however many processes ask for it; nobody may change it."""
    with connect(server_url) as connection:
        connection.execute("select pg_advisory_lock(hashtextextended(%s, 0))", [name])
        if not connection.execute("select 1 from pg_database where datname = %s", [name]).fetchone():
            # Under another name until it is complete, for a process may die in between.
            unfinished = f"{name}_{secrets.token_hex(4)}"
            create_database(server_url, unfinished, template)
            with connect(url_for(server_url, unfinished)) as inside:
                _fill(inside)
            rename = sql.SQL("alter database {} rename to {}")
            connection.execute(rename.format(sql.Identifier(unfinished), sql.Identifier(name)))
    return url_for(server_url, name)


def _fill(connection: psycopg.Connection) -> None:
    """Insert the jobs without River's indexes and make these afterwards, which takes a third of the time."""
    indexes = connection.execute(_INDEXES).fetchall()
    connection.execute("SET synchronous_commit = off")
    connection.execute("SET maintenance_work_mem = '256MB'")
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}".encode())
    connection.execute(_FILL.encode(), [ROWS])
    for _, definition in indexes:
        connection.execute(definition.encode())
    connection.execute("INSERT INTO river_queue (name) SELECT 'queue_' || n FROM generate_series(1, 1000) AS n")
    connection.execute("VACUUM ANALYZE river_job, river_queue")
