"""Settlement in processes of their own: two at once, and one killed in the middle."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection

from payments.models import Event, LedgerEntry
from reconciliation.models import Settlement, SettlementLine
from reconciliation.services.settle import settle
from tests.settings import POSTGRES
from tests.support.gateway_server import PROJECT, environment_of_a_process
from tests.support.settling import DAY, many_captured

COUNT = 2_000


def started() -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "manage.py", "reconcile", "settle", "--date", str(DAY)],
        cwd=PROJECT,
        env=environment_of_a_process("http://127.0.0.1:1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@contextmanager
def nobody_posts() -> Iterator["psycopg.Connection[Any]"]:
    """The ledger is locked: a settlement stands still when its lines are written, and not committed."""
    with psycopg.connect(POSTGRES.url(connection.settings_dict["NAME"])) as other:
        other.execute("LOCK TABLE payments_ledgerentry IN SHARE MODE")
        yield other


def waiting_for(locktype: str) -> int:
    """How many processes wait for a lock of this type."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = %s", [locktype])
        (number,) = cursor.fetchone()
    return int(number)


def assert_settled_once() -> None:
    settlement = Settlement.objects.get()
    assert settlement.amount_minor == sum(range(1, COUNT + 1))
    assert SettlementLine.objects.count() == COUNT
    assert LedgerEntry.objects.count() == Event.objects.count() == 1


def test_a_settlement_whose_process_is_killed_is_made_by_the_next(until: Any) -> None:
    many_captured(COUNT)
    with nobody_posts():
        process = started()
        until(lambda: waiting_for("relation") == 1)
        process.kill()
        process.communicate()
    assert not Settlement.objects.exists()
    assert not Event.objects.exists()
    settle(DAY, actor="operator")
    assert_settled_once()


def test_two_processes_settle_a_day_once(until: Any) -> None:
    many_captured(COUNT)
    with nobody_posts() as locked:
        processes = [started(), started()]
        until(lambda: (waiting_for("relation"), waiting_for("advisory")) == (1, 1))
        locked.rollback()
        printed = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], printed
    assert printed[0] == printed[1]
    assert "1 settlement." in printed[0]
    assert_settled_once()
