"""A reconciliation in a process of its own: killed while it heals, or no longer listened to."""

import os
import subprocess
import sys
from typing import Any

import psycopg
import pytest
from django.db import connection

from payments.models import Event, Operation
from reconciliation.models import Run
from reconciliation.services.audit import violations
from reconciliation.services.reconcile import reconcile
from tests.office.decisions.cases import HOURS, lost_capture
from tests.settings import POSTGRES
from tests.support.api_client import ApiClient
from tests.support.gateway_server import PROJECT, environment_of_a_process
from tests.support.simulated_bank import SimulatedBank
from tests.support.statements import deliver

pytestmark = pytest.mark.usefixtures("scripted")


def is_waiting() -> bool:
    """Whether the other process waits in the middle of an operation's transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND locktype = 'relation')")
        return bool(cursor.fetchone()[0])


def test_leaves_each_operation_whole_and_the_next_run_continues(
    live: ApiClient, bank: SimulatedBank, until: Any
) -> None:
    lost_capture(live, bank)
    deliver(bank, since=24 * HOURS, until=-HOURS)
    with psycopg.connect(POSTGRES.url(connection.settings_dict["NAME"])) as other:
        other.execute("LOCK TABLE payments_event IN SHARE MODE")
        process = subprocess.Popen(
            [sys.executable, "manage.py", "reconcile", "differences", "--bank", "ficmart"],
            cwd=PROJECT,
            env=environment_of_a_process(bank.url),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(is_waiting)
        process.kill()
        process.wait()
    assert Operation.objects.get(kind="capture").state == "NEEDS_REVIEW"
    assert Run.objects.get().ended_at is None
    run = reconcile("ficmart", actor="test")
    assert run.counts["healed"] == {"ended_by_line": 1}
    assert Event.objects.filter(actor="statement").count() == 1
    assert violations() == []


def test_ends_quietly_when_nobody_reads_on(bank: SimulatedBank, transactional_db: None) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    process = subprocess.run(
        [sys.executable, "manage.py", "reconcile", "differences", "--dry-run"],
        cwd=PROJECT,
        env=environment_of_a_process(bank.url),
        stdout=writes,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writes)
    assert (process.returncode, process.stderr) == (2, "")
