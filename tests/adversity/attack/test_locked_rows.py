"""Somebody's transaction holds a payment's row and does not end: only that payment's requests may notice."""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest
import requests
from django.db import connection

from office.decisions import resolve
from office.decisions.evidence import CannotResolve
from office.log.staff import Staff
from payments.domain.ids import PAYMENT_PREFIX, parse_public_id
from payments.domain.timing import DatabaseTiming, Timing
from payments.engine import leases
from payments.models import Attempt, Operation
from payments.models.clock import clock_in
from payments.usecases import recovery
from payments.usecases.recovery import recover_due
from reconciliation.services.audit import violations
from tests.conftest import forget_pace
from tests.office.decisions.cases import lost_capture, recording
from tests.settings import POSTGRES
from tests.support.api_client import ApiClient, order
from tests.support.gateway_server import GatewayServer
from tests.support.leases import WITHIN, let_leases_run_out
from tests.support.simulated_bank import SimulatedBank
from tests.support.time_travel import let_pass

_CLIENT_WAITS = 20  # seconds; a client of FicPay's waits longer than that


@contextmanager
def locked(*payments: dict[str, Any]) -> Iterator[None]:
    """As an operator's forgotten session does: rows are held, and nothing ends it."""
    ids = [parse_public_id(PAYMENT_PREFIX, payment["id"]) for payment in payments]
    with psycopg.connect(POSTGRES.url(connection.settings_dict["NAME"])) as other:
        other.execute("SELECT 1 FROM payments_payment WHERE id = ANY (%s) FOR UPDATE", [ids])
        yield
        other.rollback()


class Shop:
    """Speaks to a real server."""

    def __init__(self, url: str, key: str) -> None:
        self._url, self._key = url, key

    def get(self, path: str) -> int:
        return requests.get(f"{self._url}{path}", headers=self._headers(), timeout=_CLIENT_WAITS).status_code

    def post(self, path: str, body: Any = None) -> requests.Response:
        headers = self._headers() | {"Idempotency-Key": uuid.uuid4().hex}
        return requests.post(f"{self._url}/api/v1{path}", json=body, headers=headers, timeout=_CLIENT_WAITS)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._key}"}


@pytest.fixture(scope="module")
def small(
    bank_process: SimulatedBank, django_db_setup: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayServer]:
    """A real server with a pool of two connections, and threads for many more requests and calls."""
    environment = {"FICPAY_DB_POOL": "2", "FICPAY_BANK_THREADS": "32"}
    home = tmp_path_factory.mktemp("gateway")
    with GatewayServer(bank_process.url, home, threads=40, environment=environment) as server:
        yield server


@pytest.fixture
def shop(small: GatewayServer, live: ApiClient, bank: SimulatedBank) -> Shop:
    return Shop(small.url, live.key)


def test_thirty_requests_for_a_locked_payment_cost_nobody_else_anything(live: ApiClient, shop: Shop) -> None:
    payment = live.authorized()
    path = f"/payments/{payment['id']}"
    with ThreadPoolExecutor(30) as clients:
        assert shop.get("/health/ready") == 200
        with locked(payment):
            verbs = ["capture", "void"] * 15
            asked = [clients.submit(shop.post, f"{path}/{verb}") for verb in verbs]
            others = []
            while not all(one.done() for one in asked):
                others += [
                    shop.get("/health/ready"),
                    shop.get(f"/api/v1{path}"),
                    shop.get("/api/v1/payments"),
                    shop.post("/payments", order()).status_code,
                ]
            answers = [one.result() for one in asked]
        assert set(others) == {200, 201}
        assert {(one.status_code, one.json()["code"]) for one in answers} == {(503, "service_unavailable")}
        for one in answers:
            assert one.json()["money_moved"] == "no"
            assert "same idempotency key" in one.json()["next"]
            assert int(one.headers["Retry-After"]) > 0
        assert shop.post(f"{path}/capture").status_code == 200
    assert Operation.objects.filter(kind__in=["capture", "void"]).count() == 1


def test_answers_for_locked_payments_are_put_down_and_leave_the_pool_to_the_others(
    live: ApiClient, bank: SimulatedBank, shop: Shop
) -> None:
    """Six bank threads have an answer for a locked payment each; there are two connections."""
    payments = [live.authorized() for _ in range(6)]
    with ThreadPoolExecutor(6) as clients:
        bank.hold("captures")
        asked = [clients.submit(shop.post, f"/payments/{one['id']}/capture") for one in payments]
        bank.wait_until_held(6)
        with locked(*payments):
            bank.release()
            others = []
            while not all(one.done() for one in asked):
                others += [shop.get("/health/ready"), shop.post("/payments", order()).status_code]
            assert {one.result().status_code for one in asked} == {202}
            assert set(others) == {200, 201}
            put_down = Attempt.objects.filter(operation__kind="capture", is_late=True, said="approved")
            assert put_down.count() == 6
    asked_for = len(bank.requests())
    let_leases_run_out()
    recover_due(within=WITHIN)
    assert {live.receipt(one["id"])["state"] for one in payments} == {"CAPTURED"}
    assert len(bank.requests()) == asked_for  # the answers were there
    assert violations() == []


@pytest.fixture
def short_waits(settings: Any, brief: Timing) -> None:
    """For a locked row, in this process."""
    settings.DATABASE_TIMING = replace(DatabaseTiming(), lock=0.2)
    connection.close()


@pytest.mark.usefixtures("short_waits")
class TestRecovery:
    def test_goes_on_beside_a_locked_payment(self, live: ApiClient, bank: SimulatedBank) -> None:
        payments = [live.authorized() for _ in range(3)]
        bank.script("captures", "drop_before", times=1000)
        for payment in payments:
            live.post(f"/payments/{payment['id']}/capture")
        bank.clear_script()
        forget_pace()  # so many silent attempts may have opened the circuit breaker
        let_pass(timedelta(minutes=5), bank)
        with locked(payments[0]):
            recover_due(within=timedelta(seconds=10))
            states = [live.receipt(payment["id"])["state"] for payment in payments]
        assert states == ["AUTHORIZED", "CAPTURED", "CAPTURED"]
        let_leases_run_out()
        assert recover_due(within=WITHIN) == 1
        assert live.receipt(payments[0]["id"])["state"] == "CAPTURED"
        assert violations() == []

    def test_says_that_it_passes_over_a_locked_operation(self, live: ApiClient, bank: SimulatedBank) -> None:
        bank.script("captures", "drop_before", times=1000)
        for payment in [live.authorized() for _ in range(2)]:
            live.post(f"/payments/{payment['id']}/capture")
        let_pass(timedelta(minutes=5), bank)
        operation = Operation.objects.filter(kind="capture").earliest("created_at")
        assert operation.public_id not in recovery.passed_over()
        with psycopg.connect(POSTGRES.url(connection.settings_dict["NAME"])) as other:
            other.execute("SELECT 1 FROM payments_operation WHERE id = %s FOR UPDATE", [operation.pk])
            assert recovery.passed_over()[operation.public_id] == "its row is locked"
            other.rollback()
        assert operation.public_id not in recovery.passed_over()

    def test_wakes_the_others_beside_a_locked_operation(self, live: ApiClient, bank: SimulatedBank) -> None:
        bank.script("captures", "drop_before", times=1000)
        for payment in [live.authorized() for _ in range(3)]:
            live.post(f"/payments/{payment['id']}/capture")
        captures = Operation.objects.filter(kind="capture")
        captures.update(due_at=clock_in(3600))
        with psycopg.connect(POSTGRES.url(connection.settings_dict["NAME"])) as other:
            other.execute("SELECT 1 FROM payments_operation WHERE kind = 'capture' LIMIT 1 FOR UPDATE")
            assert leases.make_due("ficmart", within=timedelta(seconds=1)) == 2
            other.rollback()
        assert captures.filter(due_at__lte=clock_in(1)).count() == 2


@pytest.mark.usefixtures("short_waits")
def test_staff_are_told_that_somebody_else_is_at_work_on_it(
    live: ApiClient, bank: SimulatedBank, kim: Staff
) -> None:
    capture = lost_capture(live, bank)
    proposal = recording(capture, bank.ledger()[-1].id)
    payment = {"id": capture.claimed_payment.public_id}
    with locked(payment), pytest.raises(CannotResolve, match="Somebody else is working on this"):
        resolve.propose(kim, proposal)
    assert resolve.propose(kim, proposal).is_done
