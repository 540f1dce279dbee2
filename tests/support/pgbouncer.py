"""A PgBouncer in transaction mode in front of the tests' server, for as long as its ``with`` block lasts.

Every database of the server is there under its own name. Few server connections serve all clients, so that
sessions really share them. No client needs a password: the socket lies in a directory of its own.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Self

import psycopg
from psycopg.conninfo import conninfo_to_dict

from tests.support.server import url_for

#: Server connections for each database. A test holds a transaction, has another one wait for it, and looks on.
POOL_SIZE = 3

# Debian's package puts the program where only root looks for programs.
_PLACES = [*os.get_exec_path(), "/usr/sbin", "/usr/local/sbin"]

_CONFIGURATION = """
[databases]
* = {server}

[pgbouncer]
admin_users = postgres
auth_type = any
default_pool_size = {pool_size}
listen_addr =
listen_port = 6432
max_client_conn = 200
pool_mode = transaction
query_wait_timeout = 30
server_login_retry = 0
server_tls_sslmode = prefer
unix_socket_dir = {directory}
"""

# However this process ends, the pipe to the guard closes, and PgBouncer ends with it.
_GUARD = 'run=$1; shift; "$@" </dev/null & read -r stop; kill $!; wait $!; rm -rf "$run"'


class PgBouncer:
    """A running PgBouncer.

    Parameters:
        server_url: The libpq URL of the server it stands before.
    """

    def __init__(self, server_url: str) -> None:
        account = pwd.getpwnam("nobody") if os.geteuid() == 0 else None  # PgBouncer refuses to run as root
        self._directory = Path(tempfile.mkdtemp(prefix="river-pgb-", dir="/tmp"))
        (self._directory / "pgbouncer.ini").write_text(_configuration(server_url, self._directory))
        if account:
            os.chown(self._directory, account.pw_uid, account.pw_gid)
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115  (the end of the block closes it)
        self._guard = _start(self._directory, account, self._log)

    def __enter__(self) -> Self:
        try:
            self._wait_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._guard.communicate(timeout=30)
        self._log.close()

    def reconnect(self) -> None:
        """Forget all sessions with the server, dead or alive; new ones are opened when they are needed."""
        self._tell("RECONNECT", "WAIT_CLOSE")

    def server_sessions(self) -> list[int]:
        """Return the process ids of its sessions with the server."""
        with self._console() as console:
            columns = console.execute("SHOW SERVERS")
            names = [column.name for column in columns.description or ()]
            return [row[names.index("remote_pid")] for row in columns]

    @contextmanager
    def setting(self, name: str, value: str) -> Iterator[None]:
        """Change one of its settings, which is empty otherwise, for a while."""
        try:
            self._tell(f"SET {name} = '{value}'")
            yield
        finally:
            self._tell(f"SET {name} = ''")

    def url_for(self, database: str) -> str:
        """Return the libpq URL of a database through PgBouncer."""
        return f"postgresql://postgres@/{database}?host={self._directory}&port=6432"

    def _tell(self, *commands: str) -> None:
        with self._console() as console:
            for command in commands:
                console.execute(command.encode())

    def _console(self) -> psycopg.Connection:
        return psycopg.connect(self.url_for("pgbouncer"), autocommit=True)

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + 10
        while True:
            try:
                return self._console().close()
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline or self._guard.poll() is not None:
                    self._log.seek(0)
                    raise RuntimeError(f"PgBouncer did not start: {error}\n{self._log.read()}") from error


def missing_reason() -> str | None:
    """Say why there is no PgBouncer here, or None when there is."""
    return None if _program() else "there is no `pgbouncer` here: apt-get install pgbouncer, or brew install pgbouncer"


def is_required(environ: Mapping[str, str] = os.environ) -> bool:
    """Tell whether ``RIVER_TEST_PGBOUNCER=required`` says that tests must not be skipped for lack of it."""
    return environ.get("RIVER_TEST_PGBOUNCER") == "required"


def database_of(url: str) -> str:
    """Return the name of the database of a libpq URL."""
    return str(conninfo_to_dict(url)["dbname"])


def _configuration(server_url: str, directory: Path) -> str:
    given = conninfo_to_dict(url_for(server_url, ""))
    wanted = {name: str(given[name]) for name in ("host", "port", "user", "password") if given.get(name)}
    server = " ".join(f"{name}='{value.replace(chr(39), chr(39) * 2)}'" for name, value in wanted.items())
    return _CONFIGURATION.format(server=server, pool_size=POOL_SIZE, directory=directory)


def _program() -> str | None:
    return shutil.which("pgbouncer", path=os.pathsep.join(_PLACES))


def _start(directory: Path, account: pwd.struct_passwd | None, log: IO[str]) -> subprocess.Popen[bytes]:
    command = [str(_program()), "--quiet", str(directory / "pgbouncer.ini")]
    return subprocess.Popen(
        ["/bin/sh", "-c", _GUARD, "sh", str(directory), *command],
        cwd="/",
        extra_groups=[] if account else None,
        group=account.pw_gid if account else None,
        start_new_session=True,  # Ctrl-C in a terminal is for the tests alone
        stderr=log,
        stdin=subprocess.PIPE,
        stdout=log,
        user=account.pw_uid if account else None,
    )
