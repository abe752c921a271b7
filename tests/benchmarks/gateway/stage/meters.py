"""What the processes of one machine have used so far: CPU, memory, WAL, statements."""

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from django.db import connection

from dev.postgres import APPLICATION

T = TypeVar("T")
Sampled = dict[str, float]
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Used:
    """Since their start; `later - earlier` is what was used between them."""

    web_cpu: float  # seconds
    postgres_cpu: float  # seconds, of sessions that have ended, too
    wal: int  # bytes
    statements: int

    def __sub__(self, earlier: "Used") -> "Used":
        return Used(
            self.web_cpu - earlier.web_cpu,
            self.postgres_cpu - earlier.postgres_cpu,
            self.wal - earlier.wal,
            self.statements - earlier.statements,
        )


def read(web_pid: int | None, postgres_pid: int) -> Used:
    """Of the web server's process tree, if there is one, of PostgreSQL's, and of the database's counters."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn,"
            " (SELECT coalesce(sum(calls), 0) FROM pg_stat_statements WHERE toplevel)"
        )
        wal, statements = cursor.fetchone()
    return Used(
        _cpu_of(tree_of(web_pid)) if web_pid else 0.0,
        _cpu_of(tree_of(postgres_pid)),
        int(wal),
        int(statements),
    )


def meanwhile(work: Callable[[], T], sample: Callable[[], Sampled]) -> tuple[T, Sampled]:
    """What comes of the work, and the most of everything that was sampled meanwhile."""
    most = sample()
    with ThreadPoolExecutor(1) as threads:
        future = threads.submit(work)
        while not future.done():
            most = {name: max(value, most[name]) for name, value in sample().items()}
            time.sleep(0.5)
    return future.result(), most


def memory_of(pid: int) -> int:
    """Bytes of the process tree; a page that several share is counted once among them (PSS)."""
    return sum(memory_of_one(one) for one in tree_of(pid))


def memory_of_one(pid: int) -> int:
    """Bytes of the process without those below it."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:  # it has ended
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def threads_of(pid: int) -> int:
    return sum(len(list(Path(f"/proc/{one}/task").iterdir())) for one in tree_of(pid) if _is_there(one))


def connections() -> int:
    """How many the application holds at this database, whatever they do."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = %s AND datname = current_database()",
            [APPLICATION],
        )
        [(count,)] = cursor.fetchall()
    return int(count)


def tree_of(pid: int) -> list[int]:
    """The process and all below it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields:
                children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        found.append(one)
        waiting += children.get(one, [])
    return found


def _cpu_of(pids: list[int]) -> float:
    """User and system time, that of children that have ended included."""
    fields = [_stat(pid) for pid in pids]
    return sum(sum(map(int, one[11:15])) for one in fields if one) / _TICKS


def _is_there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
