"""How operations are sent: written ahead, from a bounded pool, with nothing of the database held."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import requests
from django.db import connection, transaction

from payments.domain.timing import Timing
from payments.engine import leases, send
from payments.engine.capacity import capacity_of
from payments.models import Attempt, Event, Operation, Payment
from payments.models.clock import read_clock
from tests.support.api_client import ApiClient, order
from tests.support.at_once import InBackground
from tests.support.gateway_server import GatewayServer
from tests.support.simulated_bank import SimulatedBank


class TestNothingIsHeldWhileTheBankIsAsked:
    def test_sixty_four_payments_in_flight_share_a_pool_of_four(
        self, live: ApiClient, bank: SimulatedBank, tmp_path: Path
    ) -> None:
        environment = {"FICPAY_DB_POOL": "4", "FICPAY_BANK_THREADS": "64"}
        headers = {"Authorization": f"Bearer {live.key}"}
        began = read_clock()
        connection.close()
        bank.hold("authorizations")
        with (
            GatewayServer(bank.url, tmp_path, environment=environment) as server,
            ThreadPoolExecutor(64) as pool,
        ):
            sent = [
                pool.submit(
                    requests.post,
                    f"{server.url}/api/v1/payments",
                    json=order(),
                    headers=headers | {"Idempotency-Key": uuid.uuid4().hex},
                    timeout=60,
                )
                for _ in range(64)
            ]
            try:
                bank.wait_until_held(64, seconds=30)
                held = _sessions_of_the_application(began)
                read_meanwhile = requests.get(f"{server.url}/api/v1/payments", headers=headers, timeout=10)
            finally:
                bank.release()
            responses = [future.result().status_code for future in sent]
        assert 0 < len(held) <= 4
        assert [state for state, _ in held if state != "idle"] == []
        assert [began for _, began in held if began is not None] == []
        assert read_meanwhile.status_code == 200
        assert responses == [201] * 64
        assert len(bank.ledger()) == 64
        assert set(bank.max_in_flight().values()) == {1}

    def test_the_bank_is_never_asked_inside_a_transaction(self, live: ApiClient, bank: SimulatedBank) -> None:
        with transaction.atomic(), pytest.raises(RuntimeError, match="transaction"):
            send.bank_health()


def _sessions_of_the_application(since: datetime) -> list[tuple[str, Any]]:
    """Those of the server that has been started since, not what an earlier test has left to close."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT state, xact_start FROM pg_stat_activity WHERE datname = current_database() "
            "AND usename = 'ficpay_app' AND backend_start > %s",
            [since],
        )
        found: list[tuple[str, Any]] = cursor.fetchall()
    return found


class TestWrittenAhead:
    def test_operation_attempt_and_event_are_committed_while_the_bank_is_still_asked(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        bank.hold("authorizations")
        waiting = InBackground(lambda: live.post("/payments", order()))
        bank.wait_until_held()
        operation = Operation.objects.get()
        attempt = operation.attempts.get()
        payment = Payment.objects.get()
        assert (operation.state, payment.state) == ("OPEN", "PENDING")
        assert (attempt.number, attempt.epoch, attempt.ended_at, attempt.in_doubt) == (1, 1, None, None)
        assert bank.requests()[-1].idempotency_key == operation.bank_idempotency_key
        assert list(payment.events.values_list("type", flat=True)) == ["payment.created"]
        bank.release()
        assert waiting.answer().status == 201

    def test_nothing_is_sent_when_the_intent_cannot_be_committed(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        with _a_commit_that_fails():
            answer = live.post("/payments", order())
        assert answer.status == 500
        assert answer.json["money_moved"] == "unknown"
        assert bank.requests() == []
        assert not Payment.objects.exists()

    def test_an_operation_carries_who_asked_and_why(self, live: ApiClient, bank: SimulatedBank) -> None:
        payment = live.authorized()
        live.post(f"/payments/{payment['id']}/capture", {"reason": "shipped"}, **{"X-Request-ID": "req-1"})
        event = Event.objects.get(type="payment.captured")
        assert event.actor.startswith("api_key:")
        assert event.request_id == "req-1"
        assert event.evidence["status"] == 200
        assert event.evidence["reference"] == bank.ledger()[-1].id
        assert event.operation is not None
        assert event.operation.reason == "shipped"


class _a_commit_that_fails:  # noqa: N801 - reads as a phrase where it is used
    """A deferred trigger that fails when the transaction that inserts an attempt commits."""

    def __enter__(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN RAISE EXCEPTION 'no commit'; END $$"
            )
            cursor.execute(
                "CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON payments_attempt "
                "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail()"
            )

    def __exit__(self, *_: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("DROP FUNCTION fail CASCADE")


class TestBoundedPool:
    def test_what_does_not_fit_is_refused_before_anything_is_recorded(
        self, live: ApiClient, bank: SimulatedBank, settings: Any
    ) -> None:
        settings.BANK_THREADS = 2
        capacity_of.cache_clear()
        bank.hold("authorizations")
        waiting = [InBackground(lambda: live.post("/payments", order())) for _ in range(2)]
        try:
            bank.wait_until_held(2)
            refused = live.post("/payments", order(), key="the-third")
            assert (refused.status, refused.json["code"]) == (503, "overloaded")
            assert int(refused.headers["Retry-After"]) > 0
            assert refused.json["money_moved"] == "no"
            assert Payment.objects.count() == 2
        finally:
            bank.release()
        assert [background.answer().status for background in waiting] == [201, 201]
        assert live.post("/payments", order(), key="the-third").status == 201
        capacity_of.cache_clear()

    def test_a_slot_comes_back_when_the_intent_is_refused(self, live: ApiClient, bank: SimulatedBank) -> None:
        payment = live.authorized()
        assert live.post(f"/payments/{payment['id']}/refund").status == 409
        assert capacity_of("ficmart").threads.busy == 0


class TestTheRequestWaitsBesideIt:
    def test_the_client_is_told_202_and_the_bank_thread_carries_on(
        self, live: ApiClient, bank: SimulatedBank, settings: Any, until: Callable[..., Any]
    ) -> None:
        settings.BANK_TIMING = Timing(start_window=0.1, client_wait=0.3, backoff_base=0.05, backoff_cap=0.1)
        bank.hold("authorizations")
        answer = live.post("/payments", order())
        assert answer.status == 202
        assert (answer.json["state"], answer.json["pending_operation"]) == ("PENDING", "authorize")
        assert answer.json["money_moved"] == "unknown"
        assert answer.headers["Location"].endswith(answer.json["id"])
        assert int(answer.headers["Retry-After"]) > 0
        bank.release()
        until(lambda: live.receipt(answer.json["id"])["state"] == "AUTHORIZED")
        assert len(bank.ledger()) == 1

    def test_a_client_that_hangs_up_does_not_interrupt_the_operation(
        self, live: ApiClient, bank: SimulatedBank, tmp_path: Path, until: Callable[..., Any]
    ) -> None:
        connection.close()
        bank.hold("authorizations")
        with GatewayServer(bank.url, tmp_path) as server:
            headers = {"Authorization": f"Bearer {live.key}", "Idempotency-Key": "hung-up"}
            with pytest.raises(requests.Timeout):
                requests.post(f"{server.url}/api/v1/payments", json=order(), headers=headers, timeout=1)
            bank.wait_until_held()
            bank.release()
            until(lambda: Payment.objects.filter(state="AUTHORIZED").exists())
        assert len(bank.ledger()) == 1

    def test_a_defect_after_the_bank_was_asked_is_answered_unknown_and_stays_open(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        """The outcome's transaction is undone as a whole; the bank's reply is put down for recovery."""
        with connection.cursor() as cursor:
            cursor.execute(
                "ALTER TABLE payments_event ADD CONSTRAINT broken CHECK (type <> 'payment.authorized')"
            )
        try:
            answer = live.post("/payments", order())
        finally:
            with connection.cursor() as cursor:
                cursor.execute("ALTER TABLE payments_event DROP CONSTRAINT broken")
        assert (answer.status, answer.json["money_moved"]) == (500, "unknown")
        assert Payment.objects.get().state == "PENDING"
        assert Operation.objects.get().state == "OPEN"
        put_down = Attempt.objects.get()
        assert (put_down.is_late, put_down.bank_reference) == (True, bank.ledger()[0].id)

    def test_a_defect_that_makes_no_answer_does_not_lose_the_banks(
        self, live: ApiClient, bank: SimulatedBank, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """No error of the database's: the outcome could not even be put into words."""
        monkeypatch.setattr("payments.engine.responses.of_operation", Mock(side_effect=KeyError("a defect")))
        assert live.post("/payments", order()).status == 500
        put_down = Attempt.objects.get()
        assert (put_down.is_late, put_down.bank_reference) == (True, bank.ledger()[0].id)


class TestLease:
    def test_a_sender_that_slept_past_its_lease_sends_nothing(
        self, live: ApiClient, bank: SimulatedBank, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        payment = live.authorized()
        awake, asleep = leases.boot_clock(), 0.0

        def slept() -> float:
            return awake + asleep

        first_lease = leases.first_lease

        def sleep_after_the_intent(*args: Any, **kwargs: Any) -> Any:
            nonlocal asleep
            lease = first_lease(*args, **kwargs)
            asleep = 11.0  # an attempt of 35 s no longer ends within a lease of 45 s
            return lease

        for module in (leases, send):
            monkeypatch.setattr(module, "boot_clock", slept)
        monkeypatch.setattr(leases, "first_lease", sleep_after_the_intent)
        answer = live.post(f"/payments/{payment['id']}/capture")
        assert [seen.path for seen in bank.requests()] == ["/api/v1/authorizations"]
        assert (answer.status, answer.json["code"]) == (503, "bank_unavailable")
        assert Attempt.objects.latest("id").result == "not_sent"

    def test_a_late_reply_is_recorded_and_changes_nothing(self, live: ApiClient, bank: SimulatedBank) -> None:
        payment = live.authorized()
        bank.hold("captures")
        waiting = InBackground(lambda: live.post(f"/payments/{payment['id']}/capture"))
        bank.wait_until_held()
        with connection.cursor() as cursor:
            cursor.execute("UPDATE payments_operation SET lease_epoch = 2 WHERE kind = 'capture'")
        bank.release()
        answer = waiting.answer()
        assert (answer.status, answer.json["state"]) == (202, "AUTHORIZED")
        operation = Operation.objects.get(kind="capture")
        assert operation.state == "OPEN"
        attempt = operation.attempts.get()
        assert (attempt.result, attempt.http_status) == ("answered", 200)
        assert attempt.bank_reference == bank.ledger()[-1].id

    def test_who_lost_the_lease_sends_no_further_attempt(self, live: ApiClient, bank: SimulatedBank) -> None:
        payment = live.authorized()
        bank.script("captures", "drop_before")
        bank.hold("captures")
        waiting = InBackground(lambda: live.post(f"/payments/{payment['id']}/capture"))
        bank.script("captures", "drop_after")
        bank.wait_until_held()
        with connection.cursor() as cursor:
            cursor.execute("UPDATE payments_operation SET lease_epoch = 2 WHERE kind = 'capture'")
        bank.release()
        answer = waiting.answer()
        assert answer.status == 202
        assert len([seen for seen in bank.requests() if seen.path == "/api/v1/captures"]) == 2
        attempts = Attempt.objects.filter(operation__kind="capture").order_by("number")
        assert [(attempt.epoch, attempt.result) for attempt in attempts] == [(1, "silent"), (1, "silent")]
