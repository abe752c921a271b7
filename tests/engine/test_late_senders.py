"""Senders that come late, and calls that may still be alive: what was sent once is never forgotten.

Each test is named after the way in which money would be moved twice, or lost from sight.
"""

import threading
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection

from payments.banks.ficmart import FicmartBank
from payments.domain.timing import Timing
from payments.engine import claim, leases
from payments.engine.capacity import capacity_of
from payments.models import IdempotencyKey, Operation, Payment
from payments.models.clock import ClockTimestamp, clock_in
from payments.usecases.recovery import recover_due
from tests.conftest import forget_pace, wait_for_bank_threads
from tests.settings import POSTGRES
from tests.support.api_client import ApiClient, ApiResponse, order
from tests.support.at_once import InBackground
from tests.support.leases import WITHIN, after_the_clients_bound, let_leases_run_out
from tests.support.simulated_bank import SimulatedBank
from tests.support.unguarded import unguarded


class TestALateReply:
    @pytest.mark.parametrize("verb", ["capture", "void", "refund"])
    def test_is_read_by_whoever_takes_the_operation_over_and_needs_no_bank(
        self, live: ApiClient, bank: SimulatedBank, settings: Any, verb: str
    ) -> None:
        """A transaction holds the payment's row while the bank's 200 waits and the lease runs out."""
        payment = live.captured() if verb == "refund" else live.authorized()
        settings.BANK_TIMING = Timing(start_window=0.3, client_wait=0.6, backoff_base=0.1, backoff_cap=0.1)
        endpoint: Any = f"{verb}s"
        bank.hold(endpoint)
        waiting = InBackground(lambda: live.post(f"/payments/{payment['id']}/{verb}"))
        bank.wait_until_held()
        with psycopg.connect(POSTGRES.url(connection.settings_dict["NAME"])) as other:
            other.execute("SELECT 1 FROM payments_payment FOR NO KEY UPDATE")
            bank.release()
            bank.wait_until_idle()
            executed = len(bank.ledger())
            bank.stop()
            let_leases_run_out()
            assert recover_due(within=WITHIN) == 1  # takes over; nothing can be sent
            other.rollback()
        # Where nobody holds it by then, its late sender applies the answer, perhaps while the client waits.
        assert waiting.answer().status in (200, 202)
        wait_for_bank_threads()
        let_leases_run_out()
        recover_due(within=WITHIN)
        operation = Operation.objects.get(kind=verb)
        bank.restart()
        assert (operation.state, operation.bank_reference) == ("SUCCEEDED", bank.ledger()[-1].id)
        assert len(bank.ledger()) == executed

    def test_is_told_as_it_was_recorded_whatever_the_payment_has_become_since(
        self, live: ApiClient, bank: SimulatedBank, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One key, one final response: the client whose sender slept gets the one that a retry gets."""
        payment = live.authorized()
        asleep, woken = threading.Event(), threading.Event()
        send = FicmartBank.send

        def falls_asleep(*args: Any, **options: Any) -> Any:
            reply = send(*args, **options)
            if not asleep.is_set():
                asleep.set()
                assert woken.wait(10)
            return reply

        monkeypatch.setattr(FicmartBank, "send", falls_asleep)
        path = f"/payments/{payment['id']}"
        waiting = InBackground(lambda: live.post(f"{path}/capture", key="the-capture"))
        assert asleep.wait(10)
        let_leases_run_out()
        assert recover_due(within=WITHIN) == 1
        assert live.post(f"{path}/refund").status == 200
        woken.set()
        first, again = waiting.answer(), live.post(f"{path}/capture", key="the-capture")
        assert (first.status, first.body) == (again.status, again.body)
        assert first.json["state"] == "CAPTURED"


class TestACallThatMayStillBeAlive:
    def test_has_no_second_one_beside_it_after_a_read_timeout(
        self, live: ApiClient, bank: SimulatedBank, settings: Any
    ) -> None:
        settings.BANK_TIMING = Timing(
            connect=0.3, read=0.8, attempt=1.5, start_window=0.3, client_wait=1.2, lease_margin=3.0,
            backoff_base=0.1, backoff_cap=0.1,
        )  # fmt: skip
        bank.script("authorizations", "delay", ms=0, ignores_hangup=True, times=2)
        bank.hold("authorizations")
        body = order()
        assert live.post("/payments", body, key="the-order").status == 202
        wait_for_bank_threads()
        operation = Operation.objects.annotate(now=ClockTimestamp()).get()
        assert operation.lease_expires_at > operation.now + timedelta(seconds=1)
        assert leases.take_over(operation.pk) is None
        assert live.post("/payments", body, key="the-order").status in (202, 409)
        assert set(bank.max_in_flight().values()) == {1}
        bank.release()
        bank.wait_until_idle()
        assert len(bank.ledger()) == 1

    def test_is_not_sent_again_within_the_window_either(
        self, live: ApiClient, bank: SimulatedBank, settings: Any
    ) -> None:
        settings.BANK_TIMING = Timing(
            connect=0.3, read=0.4, attempt=1.5, start_window=2.0, client_wait=2.5, lease_margin=3.0,
            backoff_base=0.1, backoff_cap=0.1,
        )  # fmt: skip
        bank.hold("authorizations")
        assert live.post("/payments", order()).status == 202
        assert len(bank.requests()) == 1


class TestARetry:
    def _bounded(self, monkeypatch: pytest.MonkeyPatch, call: Callable[[], ApiResponse]) -> ApiResponse:
        """The call's answer, unless it goes round in circles."""
        decide, rounds = claim.decide, []

        def counting(command: Any) -> Any:
            rounds.append(1)
            assert len(rounds) < 20, "endless"
            return decide(command)

        monkeypatch.setattr(claim, "decide", counting)
        return call()

    def test_whose_key_is_swept_at_that_moment_starts_as_new(
        self, live: ApiClient, bank: SimulatedBank, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.BANK_TIMING = Timing(start_window=0.1, backoff_base=0.1, backoff_cap=0.1)
        body = order()
        bank.stop()
        assert live.post("/payments", body, key="k").status == 503
        bank.restart()
        forget_pace()
        with unguarded():
            IdempotencyKey.objects.update(created_at=clock_in(-31 * 24 * 3600))
        again = claim._again

        def swept_meanwhile(*args: Any) -> Any:
            made = again(*args)
            claim.sweep(limit=10)
            return made

        monkeypatch.setattr(claim, "_again", swept_meanwhile)
        assert self._bounded(monkeypatch, lambda: live.post("/payments", body, key="k")).status == 201

    def test_that_would_continue_what_ends_not_executed_at_that_moment_starts_anew(
        self, live: ApiClient, bank: SimulatedBank, scripted: Timing, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        body = order()
        bank.script("authorizations", "fail_before", times=1000)
        assert live.post("/payments", body, key="k").status == 202
        bank.clear_script()
        forget_pace()
        after_the_clients_bound()
        take_over = leases.take_over

        def ends_first(operation_id: uuid.UUID) -> Any:
            operation = Operation.objects.annotate(now=ClockTimestamp()).get(pk=operation_id)
            if operation.state == "OPEN":
                operation.become_not_executed()
                operation.finished_at, operation.outcome_code = operation.now, "bank_unavailable"
                payment = Payment.objects.get()
                payment.become_failed(at=operation.now)
                with unguarded():
                    operation.save()
                    payment.save()
            return take_over(operation_id)

        monkeypatch.setattr(leases, "take_over", ends_first)
        assert self._bounded(monkeypatch, lambda: live.post("/payments", body, key="k")).status == 201

    def test_of_a_doubt_is_never_told_that_nothing_was_sent_because_the_pool_is_full(
        self, live: ApiClient, bank: SimulatedBank, scripted: Timing, settings: Any
    ) -> None:
        body = order()
        bank.script("authorizations", "drop_after", times=1000)
        assert live.post("/payments", body, key="k").status == 202
        after_the_clients_bound()
        settings.BANK_THREADS = 1
        capacity_of.cache_clear()
        with capacity_of("ficmart").threads.reserve():
            answer = live.post("/payments", body, key="k")
        capacity_of.cache_clear()
        assert (answer.status, answer.json["money_moved"]) == (202, "unknown")

    def test_of_a_forgotten_key_for_something_else_has_a_bank_key_of_its_own(
        self, live: ApiClient, bank: SimulatedBank, settings: Any
    ) -> None:
        settings.BANK_TIMING = Timing(start_window=0.1, backoff_base=0.1, backoff_cap=0.1)
        bank.stop()
        live.post("/payments", order(amount=5000), key="k")
        bank.restart()
        forget_pace()
        with unguarded():
            IdempotencyKey.objects.update(created_at=clock_in(-31 * 24 * 3600))
        claim.sweep(limit=10)
        assert live.post("/payments", order(amount=9000), key="k").status == 201
        assert len(set(Operation.objects.values_list("bank_idempotency_key", flat=True))) == 2


class TestADatabaseInFailover:
    def test_that_is_read_only_for_a_moment_loses_no_answer(
        self, live: ApiClient, bank: SimulatedBank, scripted: Timing
    ) -> None:
        name = connection.settings_dict["NAME"]
        bank.hold("authorizations")
        waiting = InBackground(lambda: live.post("/payments", order()))
        bank.wait_until_held()
        connection.close()
        with psycopg.connect(POSTGRES.url("postgres"), autocommit=True) as maintenance:
            maintenance.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
            maintenance.execute(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
            )
            timer = threading.Timer(
                0.4, lambda: maintenance.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
            )
            timer.start()
            bank.release()
            assert waiting.answer().status in (201, 202)
            timer.join()
        wait_for_bank_threads()
        assert Operation.objects.get().state == "SUCCEEDED"
        assert len(bank.ledger()) == 1


class TestADefectOnABankThread:
    def test_is_logged_although_the_client_has_its_202(
        self, live: ApiClient, bank: SimulatedBank, settings: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        settings.BANK_TIMING = Timing(start_window=0.1, client_wait=0.3, backoff_base=0.05, backoff_cap=0.1)
        with connection.cursor() as cursor:
            cursor.execute(
                "ALTER TABLE payments_event ADD CONSTRAINT broken CHECK (type <> 'payment.authorized')"
            )
        try:
            bank.hold("authorizations")
            assert live.post("/payments", order()).status == 202
            bank.release()
            wait_for_bank_threads()
        finally:
            with connection.cursor() as cursor:
                cursor.execute("ALTER TABLE payments_event DROP CONSTRAINT broken")
        assert [record for record in caplog.records if "bank_thread_failed" in str(record.msg)]
