"""`reconcile pending --watch` through a database that goes away, and told to stop in the middle of a call."""

import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError, connection
from django.test import Client

from payments.engine.passed_over import PASSED_OVER
from payments.models import Heartbeat, Operation
from payments.usecases import recovery
from reconciliation.services.watch import watch
from tests.reconciliation.test_reconcile_command import capture_in_doubt, reconcile
from tests.settings import POSTGRES
from tests.support.api_client import ApiClient
from tests.support.gateway_server import PROJECT, environment_of_a_process
from tests.support.simulated_bank import SimulatedBank
from tests.support.time_travel import let_pass

pytestmark = pytest.mark.usefixtures("brief")
Until = Callable[[Callable[[], Any]], Any]


@contextmanager
def watching(bank: SimulatedBank, until: Until) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        [sys.executable, "manage.py", "reconcile", "pending", "--watch"],
        cwd=PROJECT, env=environment_of_a_process(bank.url),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        try:
            until(lambda: Heartbeat.objects.filter(process="recovery").exists())
            yield process
        finally:
            process.kill()


def test_it_outlives_the_database(live: ApiClient, bank: SimulatedBank, until: Until) -> None:
    with watching(bank, until) as process:
        connection.close()
        POSTGRES.stop()
        time.sleep(3)
        POSTGRES.start()
        capture_in_doubt(live, bank)
        let_pass(timedelta(minutes=5), bank)
        until(lambda: not Operation.objects.filter(state="OPEN").exists())
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0


def test_it_finishes_the_call_that_it_is_in(live: ApiClient, bank: SimulatedBank, until: Until) -> None:
    with watching(bank, until) as process:
        payment = live.authorized()
        bank.script("captures", "drop_before", times=1000)
        assert live.post(f"/payments/{payment['id']}/capture").status == 202
        bank.clear_script()
        bank.hold("captures")
        let_pass(timedelta(minutes=5), bank)
        bank.wait_until_held()
        process.send_signal(signal.SIGTERM)
        time.sleep(2)
        assert process.poll() is None
        bank.release()
        assert process.wait(timeout=20) == 0
        assert live.receipt(payment["id"])["state"] == "CAPTURED"


def test_a_defect_does_not_leave_a_beating_heart_and_nobody_at_work(
    live: ApiClient, bank: SimulatedBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever one look raises, the next one is made; or else the process ends, for its supervisor to see."""
    stop, looks = threading.Event(), []

    def defective() -> bool:
        looks.append(threading.current_thread().name)
        if len(looks) == 1:
            raise ValueError("a defect")
        return False

    monkeypatch.setattr(recovery, "recover_next", defective)
    main = threading.Thread(target=lambda: watch(stop, threads=2), name="main-look", daemon=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main.start()
        time.sleep(4)
        stop.set()
        main.join(20)
    assert len(looks) > 1


class TestTheHeartbeat:
    def _watched(self, monkeypatch: pytest.MonkeyPatch, look: Callable[[], bool]) -> None:
        stop = threading.Event()
        monkeypatch.setattr(recovery, "recover_next", look)
        monkeypatch.setattr("reconciliation.services.watch._EVERY", 0.05)
        monkeypatch.setattr("reconciliation.services.watch._HEARTBEAT_EVERY", 0.1)
        watching = threading.Thread(target=lambda: watch(stop, threads=2), daemon=True)
        watching.start()
        time.sleep(1.5)
        stop.set()
        watching.join(20)

    @pytest.mark.parametrize("error", [ValueError("a defect"), OperationalError("gone")])
    def test_is_silent_where_no_look_comes_to_an_end(
        self, live: ApiClient, monkeypatch: pytest.MonkeyPatch, error: Exception
    ) -> None:
        def look() -> bool:
            raise error

        self._watched(monkeypatch, look)
        assert not Heartbeat.objects.filter(process="recovery").exists()

    def test_tells_what_is_passed_over(self, live: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
        passed = uuid4()
        PASSED_OVER.add(passed, reason="a defect")
        try:
            self._watched(monkeypatch, lambda: False)
        finally:
            PASSED_OVER.forget(passed)
        told = Heartbeat.objects.get(process="recovery").passed_over
        assert told[f"op_{passed.hex}"] == "a defect, 1 times"
        assert Client().get("/health/ready").json()["recovery"]["passed_over"] >= 1
        assert f"Recovery skips op_{passed.hex}: a defect" in reconcile("pending")[1]
