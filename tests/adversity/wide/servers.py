"""A primary and its synchronous standby: start, copy, kill, promote, with PostgreSQL's own programs."""

import os
import signal
import subprocess
import time
from pathlib import Path

import psycopg
from django.db import connection

from dev.postgres import EmbeddedPostgres, binaries
from dev.privileges import disguise

# Not for speed, as the other tests: what is acknowledged must be on both disks.
DURABLE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}
STANDBY = "standby"
_STREAMS_WITHIN = 30.0  # seconds


def start_standby(primary: EmbeddedPostgres, directory: Path) -> EmbeddedPostgres:
    """Copy the primary, let the copy follow, and let no commit return before it has it, too."""
    standby = EmbeddedPostgres(
        directory, options={**primary.options, **DURABLE, "cluster_name": STANDBY, "hot_standby": "on"}
    )
    directory.mkdir(mode=0o700)
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    copied = subprocess.run(
        [
            *disguise().prefix,
            *(str(binaries() / "pg_basebackup"), "--dbname", primary.url("postgres")),
            *("--pgdata", str(standby.data), "--write-recovery-conf", "--checkpoint=fast"),
        ],
        env=ours, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert copied.returncode == 0, copied.stderr
    standby.start()
    with psycopg.connect(primary.url("postgres"), autocommit=True) as session:
        session.execute(f"ALTER SYSTEM SET synchronous_standby_names = 'FIRST 1 ({STANDBY})'")
        session.execute("SELECT pg_reload_conf()")
        deadline = time.monotonic() + _STREAMS_WITHIN
        while not _is_synchronous(session):
            assert time.monotonic() < deadline, "the standby does not follow"
            time.sleep(0.1)
    return standby


def _is_synchronous(session: psycopg.Connection) -> bool:
    return bool(
        session.execute("SELECT FROM pg_stat_replication WHERE sync_state = 'sync' AND state = 'streaming'")
        .fetchall()
    )  # fmt: skip


def kill(server: EmbeddedPostgres) -> None:
    """SIGKILL to all its processes, as when its machine loses power."""
    postmaster = int((server.data / "postmaster.pid").read_text().partition("\n")[0])
    os.kill(postmaster, signal.SIGSTOP)  # so that it starts none meanwhile
    listed = subprocess.run(
        ["/usr/bin/env", "ps", "-o", "pid=", "--ppid", str(postmaster)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    for process in (postmaster, *map(int, listed.stdout.split())):
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            continue


def promote(standby: EmbeddedPostgres) -> None:
    """Make it the primary, and let this process's own connection go there."""
    with psycopg.connect(standby.url("postgres"), autocommit=True) as session:
        assert session.execute("SELECT pg_promote(wait => true)").fetchone() == (True,)
    connection.close()
    connection.settings_dict["HOST"] = socket_directory(standby)


def socket_directory(server: EmbeddedPostgres) -> str:
    """Where it listens, as libpq and PgBouncer write it."""
    found = psycopg.conninfo.conninfo_to_dict(server.url("postgres"))["host"]
    return str(found)
