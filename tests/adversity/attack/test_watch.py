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
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError, connection
from django.test import Client

from payments.engine.passed_over import PASSED_OVER
from payments.models import Heartbeat, Operation
from payments.usecases import recovery
from reconciliation.services.watch import watch
from tests.adversity.doubts import capture_in_doubt
from tests.settings import POSTGRES
from tests.support.api_client import ApiClient
from tests.support.gateway_server import PROJECT, environment_of_a_process
from tests.support.reconcile import reconcile
from tests.support.simulated_bank import SimulatedBank
from tests.support.time_travel import let_pass

pytestmark = pytest.mark.usefixtures("brief")
Until = Callable[..., Any]


class Watching:
    """`manage.py reconcile pending --watch` as a process."""

    def __init__(self, bank: SimulatedBank, log: Path) -> None:
        self._log = log
        with log.open("wb") as printed:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "reconcile", "pending", "--watch"],
                cwd=PROJECT, env=environment_of_a_process(bank.url), stdout=printed, stderr=printed,
            )  # fmt: skip

    def said(self, event: str) -> bool:
        return event in self._log.read_text()


@pytest.fixture
def watching(live: ApiClient, bank: SimulatedBank, until: Until, tmp_path: Path) -> Iterator[Watching]:
    watching = Watching(bank, tmp_path / "watch.log")
    try:
        until(lambda: Heartbeat.objects.filter(process="recovery").exists(), seconds=30)
        yield watching
    finally:
        watching.process.kill()
        watching.process.wait()


def test_it_outlives_the_database_and_finishes_the_call_that_it_is_in(
    live: ApiClient, bank: SimulatedBank, watching: Watching, until: Until
) -> None:
    connection.close()
    POSTGRES.stop()
    until(lambda: watching.said("database_away"), seconds=30)
    POSTGRES.start()
    settled = capture_in_doubt(live, bank)
    let_pass(timedelta(minutes=5), bank)
    until(lambda: not Operation.objects.filter(state="OPEN").exists(), seconds=30)
    assert live.receipt(settled["id"])["state"] == "CAPTURED"

    payment = capture_in_doubt(live, bank, executed=False)
    bank.hold("captures")
    let_pass(timedelta(minutes=5), bank)
    bank.wait_until_held(seconds=30)
    watching.process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    assert watching.process.poll() is None
    bank.release()
    assert watching.process.wait(timeout=30) == 0
    assert live.receipt(payment["id"])["state"] == "CAPTURED"


def test_a_defect_does_not_leave_a_beating_heart_and_nobody_at_work(
    live: ApiClient, bank: SimulatedBank, monkeypatch: pytest.MonkeyPatch, until: Until
) -> None:
    """Whatever one look raises, the next one is made; or else the process ends, for its supervisor to see."""
    stop, looks = threading.Event(), []

    def defective() -> bool:
        looks.append(threading.current_thread().name)
        if len(looks) == 1:
            raise ValueError("a defect")
        return False

    monkeypatch.setattr(recovery, "recover_next", defective)
    monkeypatch.setattr("reconciliation.services.watch._EVERY", 0.05)
    main = threading.Thread(target=lambda: watch(stop, threads=2), name="main-look", daemon=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main.start()
        until(lambda: len(looks) > 1)
        stop.set()
        main.join(20)
    assert not main.is_alive()


class TestTheHeartbeat:
    @contextmanager
    def _watched(self, monkeypatch: pytest.MonkeyPatch, look: Callable[[], bool]) -> Iterator[None]:
        stop = threading.Event()
        monkeypatch.setattr(recovery, "recover_next", look)
        monkeypatch.setattr("reconciliation.services.watch._EVERY", 0.02)
        monkeypatch.setattr("reconciliation.services.watch._HEARTBEAT_EVERY", 0.05)
        watching = threading.Thread(target=lambda: watch(stop, threads=2), daemon=True)
        watching.start()
        try:
            yield
        finally:
            stop.set()
            watching.join(20)

    @pytest.mark.parametrize("error", [ValueError("a defect"), OperationalError("gone")])
    def test_is_silent_where_no_look_comes_to_an_end(
        self, live: ApiClient, monkeypatch: pytest.MonkeyPatch, until: Until, error: Exception
    ) -> None:
        looks = []

        def look() -> bool:
            looks.append(1)
            raise error

        with self._watched(monkeypatch, look):
            until(lambda: len(looks) > 20)
        assert not Heartbeat.objects.filter(process="recovery").exists()

    def test_tells_what_is_passed_over(
        self, live: ApiClient, monkeypatch: pytest.MonkeyPatch, until: Until
    ) -> None:
        passed = uuid4()
        PASSED_OVER.add(passed, reason="a defect")
        try:
            with self._watched(monkeypatch, lambda: False):
                until(lambda: Heartbeat.objects.filter(process="recovery").exists())
        finally:
            PASSED_OVER.forget(passed)
        told = Heartbeat.objects.get(process="recovery").passed_over
        assert told[f"op_{passed.hex}"] == "a defect, 1 times"
        assert Client().get("/health/ready").json()["recovery"]["passed_over"] >= 1
        assert f"Recovery skips op_{passed.hex}: a defect" in reconcile("pending")[1]
