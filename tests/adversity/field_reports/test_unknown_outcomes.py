"""Reported of others: silence taken for a no, a no that was never told, and old news taken for new."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from payments.domain.timing import Timing
from payments.models import Attempt, Event, Operation, Payment
from payments.usecases.recovery import recover_due
from tests.adversity.doubts import in_doubt
from tests.adversity.field_reports.stalling import the_first_stalls
from tests.adversity.races.books import assert_books_agree
from tests.conftest import forget_pace, wait_for_bank_threads
from tests.support.api_client import ApiClient, order
from tests.support.at_once import InBackground
from tests.support.database_away import database_away
from tests.support.simulated_bank import SimulatedBank
from tests.support.time_travel import let_pass

WITHIN = timedelta(seconds=5)
MINUTES, HOURS = timedelta(minutes=1), timedelta(hours=1)


@pytest.mark.usefixtures("impatient")
class TestAnUnknownPayment:
    def test_is_not_marked_failed_however_long_nobody_answers(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        body = order()
        payment = in_doubt(bank, "authorizations", lambda: live.post("/payments", body, key="the-order"))
        silences: list[tuple[Any, dict[str, Any]]] = [
            ("drop_before", {}),
            ("fail_before", {}),
            ("fail_before", {"status": 429, "code": "too_many"}),
            ("database_down", {}),
            ("database_fails_midway", {}),
            ("garbage", {"executed": False, "status": 503}),
        ]
        for step, options in silences:
            bank.script("authorizations", step, times=1000, **options)
            if step.startswith("database"):
                bank.database_down()
            forget_pace()
            let_pass(3 * HOURS, bank)
            assert recover_due(within=WITHIN) == 1
            receipt = live.receipt(payment["id"])
            assert (receipt["state"], receipt["money_moved"]) == ("PENDING", "unknown")
            bank.clear_script()
            bank.database_down(down=False)
        forget_pace()
        let_pass(3 * HOURS, bank)
        assert recover_due(within=WITHIN) == 1
        assert live.post("/payments", body, key="the-order").json["state"] == "AUTHORIZED"
        assert Event.objects.filter(type="payment.failed").count() == 0
        assert len(bank.ledger()) == 1
        assert assert_books_agree(bank) == []


class TestAStaleWorker:
    """Its answer is from before somebody else took the operation over."""

    def test_does_not_overwrite_a_success_with_its_decline(
        self, live: ApiClient, bank: SimulatedBank, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        body = order()
        bank.script("authorizations", "fail_before", status=402, code="insufficient_funds")
        with the_first_stalls(monkeypatch) as stalled:
            stale = InBackground(lambda: live.post("/payments", body, key="the-order"))
            assert stalled.wait(timeout=10)
            let_pass(MINUTES, bank)
            newer = live.post("/payments", body, key="the-order")
            assert (newer.status, newer.json["state"]) == (201, "AUTHORIZED")
        assert stale.answer().json == newer.json
        first = Attempt.objects.get(number=1)
        assert (first.http_status, first.is_late) == (402, True)
        assert (Operation.objects.get().state, Payment.objects.get().state) == ("SUCCEEDED", "AUTHORIZED")
        assert not Event.objects.filter(type="payment.declined").exists()
        assert assert_books_agree(bank) == []

    def test_does_not_decide_while_the_newer_one_is_at_the_bank(
        self, live: ApiClient, bank: SimulatedBank, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        body = order()
        bank.script("authorizations", "fail_before", status=402, code="insufficient_funds")
        with the_first_stalls(monkeypatch) as stalled:
            stale = InBackground(lambda: live.post("/payments", body, key="the-order"))
            assert stalled.wait(timeout=10)
            let_pass(MINUTES, bank)
            bank.hold("authorizations")
            newer = InBackground(lambda: live.post("/payments", body, key="the-order"))
            bank.wait_until_held()
        assert stale.answer().status == 202
        assert (Operation.objects.get().state, Payment.objects.get().state) == ("OPEN", "PENDING")
        bank.release()
        assert newer.answer().status == 201
        assert assert_books_agree(bank) == []

    def test_does_not_overwrite_a_decline_with_its_success_and_its_hold_is_voided(
        self, live: ApiClient, bank: SimulatedBank, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        body = order()
        # One request id for both: the refusal names the request that began the operation.
        asked: dict[str, Any] = {"key": "the-order", "X-Request-ID": "the-click"}
        bank.script("authorizations", "alter", stored=False)  # nothing altered, and nothing stored
        bank.script("authorizations", "fail_before", status=400, code="card_expired")
        with the_first_stalls(monkeypatch) as stalled:
            stale = InBackground(lambda: live.post("/payments", body, **asked))
            assert stalled.wait(timeout=10)
            let_pass(MINUTES, bank)
            newer = live.post("/payments", body, **asked)
            assert (newer.status, newer.json["code"]) == (402, "card_expired")
        assert stale.answer().json["code"] == "card_expired"
        wait_for_bank_threads()
        assert Payment.objects.get().state == "DECLINED"
        assert bank.balances()["1111"].held == 5000
        recover_due(within=WITHIN)
        assert bank.balances()["1111"].held == 0
        assert Payment.objects.get().state == "DECLINED"
        assert assert_books_agree(bank) == []


class TestOurDatabaseGoneBetweenTheBanksAnswerAndTheOutcome:
    """For longer than the lease. For a moment: tests/engine/test_outcomes.py."""

    @pytest.mark.parametrize("verb", ["authorize", "refund"])
    def test_the_client_is_told_unknown_and_recovery_does_the_rest(
        self,
        live: ApiClient,
        bank: SimulatedBank,
        put_clock_forward: Callable[[float], None],
        until: Callable[[Callable[[], bool]], bool],
        verb: str,
    ) -> None:
        body = order() if verb == "authorize" else None
        path = "/payments" if verb == "authorize" else f"/payments/{live.captured()['id']}/refund"
        bank.hold("authorizations", "refunds")
        waiting = InBackground(lambda: live.post(path, body, key="the-key"))
        bank.wait_until_held()
        with database_away():
            put_clock_forward(Timing().lease)
            bank.release()
            answer = waiting.answer()
            wait_for_bank_threads()  # it has given up
        assert (answer.status, answer.json["code"]) == (503, "service_unavailable")
        assert answer.json["money_moved"] == "unknown"
        operation = Operation.objects.get(kind=verb)
        assert (operation.state, operation.attempts.get().ended_at) == ("OPEN", None)
        executed = len(bank.ledger())

        let_pass(MINUTES, bank)
        recover_due(within=WITHIN)  # this process keeps the reply, and may be quicker
        until(lambda: not Operation.objects.filter(state="OPEN").exists())
        settled = live.post(path, body, key="the-key")
        assert settled.status == (201 if verb == "authorize" else 200)
        assert settled.json["bank"][f"{'authorization' if verb == 'authorize' else verb}_id"]
        assert len(bank.ledger()) == executed
        assert assert_books_agree(bank) == []
