"""Statement imports by several processes at once, and by one that is killed: nothing twice, nothing half."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from reconciliation.models import Difference, StatementFile, StatementLine
from reconciliation.services.imports import import_file
from tests.support.gateway_server import environment_of_a_process
from tests.support.project import PROJECT
from tests.support.statement_files import HEADER

Until = Callable[[Callable[[], Any]], Any]

# Imports the file, and waits when it has read the first line, until it is killed.
STOPS_WHILE_READING = """
import sys, time, django
from pathlib import Path
django.setup()
from reconciliation.services.imports import import_file
def wait(_read):
    print("reading", flush=True)
    time.sleep(600)
import_file(Path(sys.argv[1]), bank="ficmart", actor="operator", progress=wait)
"""


def rows(numbers: range) -> list[str]:
    return [
        f"{number:08}-0000-4000-8000-000000000000,AUTH_HOLD,,5000,USD,2026-11-21T09:30:00Z"
        for number in numbers
    ]


@pytest.fixture
def files(transactional_db: None, tmp_path: Path) -> tuple[Path, Path]:
    """Two that have half of their lines in common."""
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    first.write_text("\n".join([HEADER, *rows(range(2000))]))
    second.write_text("\n".join([HEADER, *rows(range(1000, 3000))]))
    return first, second


def import_process(*arguments: str) -> "subprocess.Popen[str]":
    environment = environment_of_a_process("http://127.0.0.1:1")
    environment["DATABASE_URL"] += "?options=-c%20lock_timeout%3D60000"  # it waits for this test, too
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=PROJECT, env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def command(file: Path) -> "subprocess.Popen[str]":
    return import_process("manage.py", "reconcile", "statement", str(file), "--bank", "ficmart")


@contextmanager
def files_locked() -> Iterator[None]:
    """Whoever would record a file waits, with its lines written and not committed."""
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SET idle_in_transaction_session_timeout = 0")  # a busy machine takes longer
            cursor.execute("BEGIN; LOCK TABLE reconciliation_statementfile IN SHARE MODE")
            yield
    finally:
        other.close()


def waiting(kind: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = %s", [kind])
        return int(cursor.fetchone()[0])


def kept() -> tuple[int, int]:
    """Files and lines."""
    return StatementFile.objects.count(), StatementLine.objects.count()


def test_two_files_and_one_of_them_twice_at_once(files: tuple[Path, Path], until: Until) -> None:
    with files_locked():
        processes = [command(file) for file in (*files, files[0])]
        until(lambda: (waiting("relation"), waiting("advisory")) == (1, 2))
        assert kept() == (0, 0)
    told = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [1, 1, 1], told  # holds that no payment claims
    assert sum("was imported already" in one for one in told) == 1
    assert kept() == (2, 3000)
    assert sorted(StatementFile.objects.values_list("new_lines", flat=True)) == [1000, 2000]
    assert Difference.objects.count() == 3000


def test_a_process_killed_while_it_reads_leaves_nothing(files: tuple[Path, Path], until: Until) -> None:
    with import_process("-c", STOPS_WHILE_READING, str(files[0])) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "reading\n"
        process.kill()
    assert kept() == (0, 0)
    assert import_file(files[0], bank="ficmart", actor="operator").file.new_lines == 2000


def test_a_process_killed_before_its_commit_leaves_nothing(files: tuple[Path, Path], until: Until) -> None:
    with files_locked(), command(files[0]) as process:
        until(lambda: waiting("relation") == 1)
        process.kill()
    until(lambda: waiting("relation") == 0)
    assert import_file(files[0], bank="ficmart", actor="operator").file.new_lines == 2000
    assert kept() == (1, 2000)
