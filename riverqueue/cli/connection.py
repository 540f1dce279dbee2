"""From options and the environment to an open connection."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import unquote

import click

from riverqueue.cli.failures import ExitCode, Failure, one_line
from riverqueue.cli.settings import Settings

if TYPE_CHECKING:
    import psycopg
    from sqlalchemy.engine import Engine

    from riverqueue import Client

Connection: TypeAlias = "psycopg.Connection[Any]"
River: TypeAlias = "Client[Connection, Connection]"

APPLICATION_NAME = "riverqueue CLI"
CONNECT_TIMEOUT = timedelta(seconds=10)

#: Unless the URL, PGOPTIONS or a flag says otherwise; as in River's own command line.
SESSION = {"statement_timeout": "10000", "idle_in_transaction_session_timeout": "11000"}

#: What PgBouncer says to settings of a session, unless its own settings let them pass.
_PGBOUNCER = "unsupported startup parameter"

#: Any of these says which database is meant.
_VARIABLES = ("PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGSERVICE")
_SECRETS = ("password", "sslpassword", "scram_client_key", "scram_server_key", "oauth_client_secret")
_VISIBLE = ("user", "dbname", "host", "hostaddr")

_HOST = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(:\d*)?")
_SETTING = re.compile(r"[A-Za-z_][\w.]*")

NOWHERE = (
    "no database is named: give --database-url postgresql://user@host/database, or set DATABASE_URL, or libpq's "
    "PGHOST, PGDATABASE and so on"
)
MALFORMED = (
    "the database URL cannot be read. It looks like postgresql://user:password@host:5432/database; within a user name "
    "or password write @ as %40, : as %3A, / as %2F, ? as %3F, # as %23, a space as %20, % as %25"
)
FOREIGN = "the database URL must begin with postgresql:// or postgres://: River's tables live in PostgreSQL"


@dataclass(frozen=True)
class Target:
    """Which database is meant.

    Parameters:
        where: What says so.
        url: Its URL; None leaves it to libpq's variables.
    """

    where: str
    url: str | None


def target(settings: Settings, environ: Mapping[str, str] = os.environ) -> Target:
    """Find out which database is meant: the flag, then ``DATABASE_URL``, then libpq's variables.

    Raises:
        Failure: None of them is given.
    """
    if settings.database_url:
        return Target("--database-url", settings.database_url)
    if environ.get("DATABASE_URL"):
        return Target("DATABASE_URL", environ["DATABASE_URL"])
    if any(environ.get(name) for name in _VARIABLES):
        return Target("libpq's variables", None)
    raise Failure(NOWHERE, ExitCode.USAGE)


def checked_url(url: str) -> tuple[str, str]:
    """Take a URL apart into the driver that its scheme names, and what follows the scheme.

    Raises:
        Failure: It is no URL of PostgreSQL.
    """
    scheme, separator, rest = url.strip().partition("://")
    dialect, _, driver = scheme.partition("+")
    if not separator:
        raise Failure(MALFORMED, ExitCode.USAGE)
    if dialect not in {"postgres", "postgresql"}:
        raise Failure(FOREIGN, ExitCode.USAGE)
    return driver, rest


def parameters(settings: Settings, url: str | None, *, session: Mapping[str, str] = SESSION) -> dict[str, Any]:
    """Work out what to connect with.

    Parameters:
        settings: Whose statement timeout wins; learns the passwords.
        url: The database's URL; what it leaves open is libpq's to know.
        session: Settings of the session, unless the URL, PGOPTIONS or a flag says otherwise.

    Raises:
        Failure: The URL cannot be read.
    """
    from psycopg.pq import Conninfo

    defaults = {one.keyword.decode(): one.val.decode() for one in Conninfo.get_defaults() if one.val}
    known = {one.keyword.decode() for one in Conninfo.get_defaults()}
    given, named = _read(url, known) if url else ({}, {})
    if settings.statement_timeout:
        named["statement_timeout"] = str(int(settings.statement_timeout.total_seconds() * 1000))
    # Later options win: ours, then the user's, then those that the URL or a flag names.
    options = [_options(session), given.get("options") or defaults.get("options", ""), _options(named)]
    settings.secrets |= _values(_SECRETS, given, defaults) - _values(_VISIBLE, given, defaults)
    return {
        "connect_timeout": defaults.get("connect_timeout", str(CONNECT_TIMEOUT.seconds)),
        "fallback_application_name": APPLICATION_NAME,
        **given,
        "options": " ".join(filter(None, options)),
    }


def _values(names: Iterable[str], *sources: Mapping[str, str]) -> set[str]:
    return {source[name] for source in sources for name in names if source.get(name)}


def _read(url: str, known: set[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Read a URL into libpq's parameters and settings of the session.

    Nothing of a URL that is not as it should be is given to libpq, whose messages quote what they do not
    understand: it may be half of a password.
    """
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    driver, rest = checked_url(url)
    credentials, query = _split(rest.replace(" ", "%20"))  # SQLAlchemy writes spaces as they are
    kept, session = [], {}
    for part in filter(None, query.partition("?")[2].split("&")):
        name, _, value = part.partition("=")
        if name == "ssl" and driver:  # asyncpg's word for it
            name = "sslmode"
        if name in known | {"ssl"}:
            kept.append(f"{name}={value}")
        elif not name.startswith("pool_"):  # those are of Go's pool
            session[_setting(name)] = unquote(value)
    place = query.partition("?")[0]
    try:
        found = conninfo_to_dict(f"postgresql://{credentials}{place}" + (f"?{'&'.join(kept)}" if kept else ""))
    except ProgrammingError:
        raise Failure(MALFORMED, ExitCode.USAGE) from None
    return {name: str(value) for name, value in found.items()}, session


def _split(rest: str) -> tuple[str, str]:
    """Split what follows the scheme behind the credentials, as libpq does, if all is spelt as it should be."""
    match = re.match(r"[^@/]*@", rest)
    credentials, tail = (match[0], rest[match.end() :]) if match else ("", rest)
    place, _, query = tail.partition("?")
    wrong = (
        re.search(r"\s|%(?![0-9a-fA-F]{2})|%00", rest)
        or "@" in (tail if match else place)
        or any("=" not in part for part in query.split("&") if query)
        or not all(_HOST.fullmatch(host) for host in place.partition("/")[0].split(","))
    )
    if wrong:
        raise Failure(MALFORMED, ExitCode.USAGE)
    return credentials, tail


def _setting(name: str) -> str:
    if not _SETTING.fullmatch(name):
        raise Failure(MALFORMED, ExitCode.USAGE)
    return name


def _options(session: Mapping[str, str]) -> str:
    escaped = {name: re.sub(r"([\\\s])", r"\\\1", value) for name, value in session.items()}
    return " ".join(f"-c {name}={value}" for name, value in escaped.items())


def connect(settings: Settings, *, autocommit: bool = True) -> Connection:
    """Open a connection.

    Raises:
        Failure: No database is named, its URL cannot be read, or it cannot be reached.
    """
    import psycopg

    found = target(settings)
    try:
        try:
            connection = _open(parameters(settings, found.url), autocommit)
        except psycopg.OperationalError as error:
            if _PGBOUNCER not in str(error):
                raise
            connection = _open(parameters(settings, found.url, session={}), autocommit)
    except psycopg.Error as error:
        message = f"cannot connect to the database of {found.where}: {one_line(error)}"
        raise Failure(message, ExitCode.UNREACHABLE) from error
    if settings.verbose or settings.debug:
        info = connection.info
        click.echo(f"connected to {info.dbname} on {info.host}:{info.port} as {info.user}, by {found.where}", err=True)
    return connection


def _open(given: Mapping[str, Any], autocommit: bool) -> Connection:
    import psycopg

    # Nothing is prepared: a pooler between may hand each statement to another session.
    return psycopg.connect(**given, autocommit=autocommit, prepare_threshold=None)


@contextmanager
def open_client(settings: Settings) -> Iterator[River]:
    """Open a connection with a client on it."""
    from riverqueue import Client
    from riverqueue_psycopg import Driver

    with connect(settings) as connection:
        yield Client(Driver(connection), schema=settings.schema)


def open_engine(settings: Settings) -> "Engine":
    """Make an engine, for migrations."""
    from sqlalchemy import NullPool, create_engine

    return create_engine(
        "postgresql+psycopg://", creator=lambda: connect(settings, autocommit=False), poolclass=NullPool
    )
