"""What the processes of one machine have used so far: CPU, memory, WAL, statements."""

import os
from dataclasses import dataclass
from pathlib import Path

from django.db import connection

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Used:
    """Since their start. Of two of them, `later - earlier` is what the time between has used."""

    web_cpu: float  # seconds
    postgres_cpu: float  # seconds; of processes that are there now, so connections have to outlive the time
    wal: int  # bytes
    statements: int

    def __sub__(self, earlier: "Used") -> "Used":
        return Used(
            self.web_cpu - earlier.web_cpu,
            self.postgres_cpu - earlier.postgres_cpu,
            self.wal - earlier.wal,
            self.statements - earlier.statements,
        )


def read(web_pid: int, postgres_pid: int) -> Used:
    """Of the web server's and PostgreSQL's process trees, and of the database's counters."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn,"
            " (SELECT coalesce(sum(calls), 0) FROM pg_stat_statements WHERE toplevel)"
        )
        wal, statements = cursor.fetchone()
    return Used(_cpu_of(tree_of(web_pid)), _cpu_of(tree_of(postgres_pid)), int(wal), int(statements))


def memory_of(pid: int) -> int:
    """Bytes resident in the process tree; what forked processes share is counted for each."""
    return sum(
        int(Path(f"/proc/{one}/statm").read_text().split()[1]) * _PAGE
        for one in tree_of(pid)
        if _is_there(one)
    )


def threads_of(pid: int) -> int:
    return sum(len(list(Path(f"/proc/{one}/task").iterdir())) for one in tree_of(pid) if _is_there(one))


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
