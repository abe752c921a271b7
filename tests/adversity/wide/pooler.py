"""PgBouncer in transaction mode, as docs/scaling.md has it, between FicPay and PostgreSQL."""

import os
import random
import re
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg

from dev.postgres import APPLICATION
from dev.privileges import disguise
from tests.support.gateway_server import PORTS

# The first that follows prepared statements from one server connection to the next.
PREPARES_FROM = (1, 21)
_STARTS_WITHIN = 10.0  # seconds
_SETTINGS = """\
[databases]
{database} = host={host} dbname={database}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {users}
pool_mode = transaction
default_pool_size = {size}
max_client_conn = 500
{prepared}
ignore_startup_parameters = options
server_connect_timeout = 3
server_login_retry = 1
query_wait_timeout = 8
log_connections = 0
log_disconnections = 0
"""


class PoolerMissing(Exception):
    """There is no PgBouncer here. The message says what to do."""


class Pooler:
    """One PgBouncer process. `with Pooler(home, host) as pooler: pooler.point_at(another)`."""

    def __init__(self, home: Path, host: str, *, database: str = "ficpay", size: int = 12) -> None:
        """`host` is PostgreSQL's, or its socket's directory; `size` its connections. Raises PoolerMissing."""
        self._binary = _found()
        self._home, self._port, self._database, self._size = home, _free_port(), database, size
        self.version = _version_of(self._binary)
        self.log = home / "pgbouncer.log"
        self._write(host)

    @property
    def prepares(self) -> bool:
        """Whether statements may be prepared through it."""
        return self.version >= PREPARES_FROM

    @property
    def url(self) -> str:
        """What FicPay's processes have as DATABASE_URL."""
        return f"postgres://{APPLICATION}@127.0.0.1:{self._port}/{self._database}"

    def django_settings(self) -> dict[str, Any]:
        """The same for a connection of Django's."""
        return {"HOST": "127.0.0.1", "PORT": self._port, "USER": APPLICATION}

    def __enter__(self) -> Self:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*disguise().prefix, self._binary, str(self._home / "pgbouncer.ini")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + _STARTS_WITHIN
        while True:
            try:
                psycopg.connect(self.url, connect_timeout=2).close()
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, self.log.read_text()
                time.sleep(0.1)
            else:
                return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()  # at once, whoever is connected
        self._process.wait(timeout=10)

    def point_at(self, host: str) -> None:
        """Write the new address and reload: connections to the old one are closed, FicPay's stay."""
        self._write(host)
        self._process.send_signal(signal.SIGHUP)

    def _write(self, host: str) -> None:
        users = self._home / "users.txt"
        users.write_text(f'"{APPLICATION}" ""\n')
        prepared = "max_prepared_statements = 200" if self.prepares else ""
        settings = _SETTINGS.format(
            host=host, port=self._port, database=self._database, size=self._size,
            users=users, prepared=prepared,
        )  # fmt: skip
        (self._home / "pgbouncer.ini").write_text(settings)


def _free_port() -> int:
    while True:
        port = random.choice(PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _found() -> str:
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"  # Debian's place for it, which people's PATH leaves out
    binary = shutil.which(os.environ.get("PGBOUNCER") or "pgbouncer", path=path)
    if binary is None:
        raise PoolerMissing(
            "There is no PgBouncer here: `apt-get install pgbouncer`, or name its program in PGBOUNCER."
        )
    return binary


def _version_of(binary: str) -> tuple[int, int]:
    told = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"(\d+)\.(\d+)", told)
    assert found is not None, told
    return int(found[1]), int(found[2])
