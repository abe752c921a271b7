"""What the bank's replies do to operations and payments, fault by fault."""

import threading
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection

from payments.domain.timing import Timing
from payments.engine import send
from payments.models import Attempt, Event, Operation, Payment
from payments.usecases.recovery import recover_due
from tests.support.api_client import CARDS, ApiClient, order
from tests.support.at_once import InBackground
from tests.support.database_away import database_away
from tests.support.simulated_bank import SimulatedBank

_A_WEEK_AND_A_DAY = 8 * 24 * 3600
pytestmark = pytest.mark.usefixtures("scripted")


def attempts() -> list[tuple[str, int | None, bool | None]]:
    """Result, HTTP status and doubt of every attempt, oldest first."""
    return list(Attempt.objects.order_by("id").values_list("result", "http_status", "in_doubt"))


class TestAuthorize:
    def test_is_sent_again_with_the_same_key_after_a_5xx(self, live: ApiClient, bank: SimulatedBank) -> None:
        bank.script("authorizations", "fail_before", times=2)
        assert live.post("/payments", order()).status == 201
        assert attempts() == [("answered", 500, True), ("answered", 500, True), ("answered", 200, False)]
        assert len({seen.idempotency_key for seen in bank.requests()}) == 1
        assert len(bank.ledger()) == 1

    def test_that_nothing_answers_stays_open_and_is_answered_202(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        bank.script("authorizations", "fail_before", times=1000)
        answer = live.post("/payments", order())
        assert (answer.status, answer.json["pending_operation"]) == (202, "authorize")
        operation = Operation.objects.get()
        assert operation.state == "OPEN"
        assert operation.due_at is not None
        assert len(attempts()) == 4
        assert {in_doubt for _, _, in_doubt in attempts()} == {True}
        assert live.get(f"/orders/{answer.json['order_id']}").json["ready_to_ship"] is False

    def test_at_a_bank_that_never_connects_is_not_executed(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        bank.stop()
        try:
            answer = live.post("/payments", order())
        finally:
            bank.restart()
        assert (answer.status, answer.json["code"]) == (503, "bank_unavailable")
        assert answer.json["money_moved"] == "no"
        assert answer.json["payment"]["state"] == "FAILED"
        assert Operation.objects.get().state == "NOT_EXECUTED"
        assert len(attempts()) == 4
        assert {in_doubt for _, _, in_doubt in attempts()} == {False}

    def test_never_connected_after_a_5xx_is_no_proof(
        self, live: ApiClient, bank: SimulatedBank, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bank.script("authorizations", "fail_before")
        pauses: list[float] = []

        def pause(seconds: float) -> None:
            """The bank goes away between the first attempt and the second."""
            if not pauses:
                bank.kill()
            pauses.append(seconds)

        monkeypatch.setattr(send, "time", SimpleNamespace(sleep=pause))
        answer = live.post("/payments", order())
        monkeypatch.undo()
        bank.restart()
        assert answer.status == 202
        assert Payment.objects.get().state == "PENDING"
        assert attempts()[-1] == ("not_sent", None, False)

    def test_a_200_without_the_replay_header_after_silence_awaits_the_statement(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        """The silent attempt may have made a hold that the bank forgot to store: it did."""
        bank.script("authorizations", "drop_after", stored=False)
        answer = live.post("/payments", order())
        assert answer.status == 201
        assert len(bank.ledger()) == 2
        assert Operation.objects.get().strays_awaited == 1
        assert attempts()[0] == ("silent", None, True)
        assert live.get(f"/orders/{answer.json['order_id']}").json["ready_to_ship"] is True

    def test_a_replayed_200_after_silence_awaits_nothing(self, live: ApiClient, bank: SimulatedBank) -> None:
        bank.script("authorizations", "drop_after", stored=True)
        assert live.post("/payments", order()).status == 201
        assert len(bank.ledger()) == 1
        assert Operation.objects.get().strays_awaited == 0
        assert Attempt.objects.latest("id").is_replay is True

    def test_a_decline_after_silence_awaits_the_statement(self, live: ApiClient, bank: SimulatedBank) -> None:
        """The first hold may be what used up the funds: here it is."""
        bank.script("authorizations", "drop_after", stored=False)
        answer = live.post("/payments", order(card=CARDS["visa-500"], amount=40_000))
        assert (answer.status, answer.json["code"]) == (402, "insufficient_funds")
        assert len(bank.ledger()) == 1
        assert Operation.objects.get().strays_awaited == 1

    def test_invalid_card_from_a_bank_in_ill_health_is_no_decline(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        bank.script("authorizations", "database_fails_midway")
        bank.script("health", "fail_before", status=503)
        answer = live.post("/payments", order())
        assert answer.status == 201
        assert attempts() == [("answered", 400, True), ("answered", 200, False)]

    @pytest.mark.parametrize(
        ("card", "code"),
        [
            (CARDS["no-funds"], "insufficient_funds"),
            (CARDS["expired"], "card_expired"),
            (CARDS["visa"] | {"cvv": "999"}, "invalid_cvv"),
            (CARDS["visa"] | {"number": "4000000000000002"}, "invalid_card"),
        ],
    )
    def test_each_decline_is_final_and_a_402(
        self, live: ApiClient, bank: SimulatedBank, card: dict[str, Any], code: str
    ) -> None:
        answer = live.post("/payments", order(card=card))
        assert (answer.status, answer.json["code"]) == (402, code)
        assert answer.json["payment"]["decline"]["code"] == code
        assert len(attempts()) == 1
        again = live.post("/payments", order(order_id=answer.json["payment"]["order_id"]))
        assert again.status == 201

    @pytest.mark.parametrize("step", ["garbage", "alter"])
    def test_a_200_about_something_else_is_no_success(
        self, live: ApiClient, bank: SimulatedBank, step: Any
    ) -> None:
        options: dict[str, Any] = {"amount": 4999} if step == "alter" else {}
        bank.script("authorizations", step, times=1000, **options)
        answer = live.post("/payments", order())
        assert (answer.status, answer.json["state"]) == (202, "PENDING")

    def test_a_hold_that_another_payment_has_is_no_success(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        first = live.authorized()
        bank.script("authorizations", "alter", authorization_id=first["bank"]["authorization_id"])
        answer = live.post("/payments", order())
        assert (answer.status, answer.json["state"]) == (202, "PENDING")
        assert attempts()[-1] == ("answered", 200, True)
        assert Operation.objects.latest("created_at").state == "NEEDS_REVIEW"

    def test_a_bank_that_answers_too_late_is_waited_for_no_longer_than_an_attempt(
        self, live: ApiClient, bank: SimulatedBank, quick: Timing
    ) -> None:
        bank.script("authorizations", "dribble", times=10)
        answer = live.post("/payments", order())
        assert answer.status in (201, 202)
        assert all((attempt.duration_ms or 0) < 1900 for attempt in Attempt.objects.all())


class TestCaptureVoidAndRefund:
    @pytest.mark.parametrize("verb", ["capture", "void", "refund"])
    def test_at_a_bank_that_never_connects_leave_the_payment_as_it_is(
        self, live: ApiClient, bank: SimulatedBank, verb: str
    ) -> None:
        payment = live.captured() if verb == "refund" else live.authorized()
        bank.stop()
        try:
            answer = live.post(f"/payments/{payment['id']}/{verb}")
        finally:
            bank.restart()
        assert (answer.status, answer.json["code"]) == (503, "bank_unavailable")
        assert answer.json["money_moved"] == "no"
        assert answer.json["payment"]["state"] == payment["state"]
        assert live.post(f"/payments/{payment['id']}/{verb}").status == 200

    @pytest.mark.parametrize("verb", ["capture", "void", "refund"])
    def test_are_executed_once_though_the_answer_is_lost(
        self, live: ApiClient, bank: SimulatedBank, verb: str
    ) -> None:
        payment = live.captured() if verb == "refund" else live.authorized()
        endpoint: Any = f"{verb}s"
        bank.script(endpoint, "drop_after")
        before = len(bank.ledger())
        assert live.post(f"/payments/{payment['id']}/{verb}").status == 200
        assert len(bank.ledger()) == before + 1

    @pytest.mark.parametrize("verb", ["capture", "void", "refund"])
    def test_in_doubt_block_every_other_operation(
        self, live: ApiClient, bank: SimulatedBank, verb: str
    ) -> None:
        payment = live.captured() if verb == "refund" else live.authorized()
        endpoint: Any = f"{verb}s"
        bank.script(endpoint, "fail_before", times=1000)
        answer = live.post(f"/payments/{payment['id']}/{verb}")
        assert (answer.status, answer.json["pending_operation"]) == (202, verb)
        assert answer.json["state"] == payment["state"]
        allowed_otherwise = {"refund"} if verb == "refund" else {"capture", "void"}
        for other in sorted(allowed_otherwise):
            refused = live.post(f"/payments/{payment['id']}/{other}")
            assert (refused.status, refused.json["code"]) == (409, "operation_in_progress")
        assert live.receipt(payment["id"])["money_moved"] == "unknown"

    def test_a_bank_that_disagrees_with_our_books_is_not_asked_again_at_once(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        payment = live.authorized()
        bank.reset()  # it has forgotten the hold
        answer = live.post(f"/payments/{payment['id']}/capture")
        assert (answer.status, answer.json["state"]) == (202, "AUTHORIZED")
        assert attempts()[-1] == ("answered", 400, True)
        assert len(attempts()) == 2
        assert Operation.objects.get(kind="capture").state == "OPEN"


class TestExpiredHold:
    def test_a_capture_is_rejected_and_the_hold_released_in_the_background(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        payment = live.authorized()
        bank.move_clock(seconds=_A_WEEK_AND_A_DAY)
        answer = live.post(f"/payments/{payment['id']}/capture")
        assert (answer.status, answer.json["code"]) == (409, "authorization_expired")
        assert answer.json["payment"]["state"] == "EXPIRED"
        assert bank.balances()["1111"].held == 5000

        assert recover_due(within=timedelta(seconds=5)) == 1
        assert bank.balances()["1111"].held == 0
        assert live.receipt(payment["id"])["pending_operation"] is None
        release = Operation.objects.get(kind="release")
        assert (release.state, release.bank_reference) == ("SUCCEEDED", bank.ledger()[-1].id)
        types = list(Event.objects.order_by("id").values_list("type", flat=True))
        assert types[-4:] == [
            "capture.requested",
            "release.requested",
            "payment.expired",
            "release.succeeded",
        ]

    def test_a_release_that_could_not_be_sent_stays_open_until_it_is_due_again(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        payment = live.authorized()
        bank.move_clock(seconds=_A_WEEK_AND_A_DAY)
        live.post(f"/payments/{payment['id']}/capture")
        bank.stop()
        try:
            assert recover_due(within=timedelta(seconds=5)) == 1
        finally:
            bank.restart()
        assert Operation.objects.get(kind="release").state == "OPEN"
        assert recover_due(within=timedelta(seconds=5)) == 0  # it rests first
        Operation.objects.filter(kind="release").update(due_at=None)
        bank.move_clock(seconds=_A_WEEK_AND_A_DAY)
        assert recover_due(within=timedelta(seconds=5)) == 1
        assert Operation.objects.get(kind="release").state == "SUCCEEDED"
        assert [entry.type for entry in bank.ledger()] == ["AUTH_HOLD", "VOID"]

    def test_many_workers_send_a_release_once(self, live: ApiClient, bank: SimulatedBank) -> None:
        payment = live.authorized()
        bank.move_clock(seconds=_A_WEEK_AND_A_DAY)
        live.post(f"/payments/{payment['id']}/capture")
        sent: list[int] = []

        def work() -> None:
            try:
                sent.append(recover_due(within=timedelta(seconds=5)))
            finally:
                connection.close()

        workers = [threading.Thread(target=work) for _ in range(8)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert sorted(sent) == [0] * 7 + [1]
        assert len([seen for seen in bank.requests() if seen.path == "/api/v1/voids"]) == 1

    def test_a_capture_of_an_expired_payment_is_refused(self, live: ApiClient, bank: SimulatedBank) -> None:
        payment = live.authorized()
        bank.move_clock(seconds=_A_WEEK_AND_A_DAY)
        live.post(f"/payments/{payment['id']}/capture")
        refused = live.post(f"/payments/{payment['id']}/capture")
        assert (refused.status, refused.json["code"]) == (409, "authorization_expired")
        voided = live.post(f"/payments/{payment['id']}/void")
        assert (voided.status, voided.json["code"]) == (409, "invalid_transition")
        assert live.post("/payments", order(order_id=payment["order_id"])).status == 201


class TestDatabaseAway:
    """Our database is gone between the bank's reply and the outcome, for a moment."""

    def test_for_a_moment_the_outcome_is_kept_in_memory_and_recorded(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        bank.hold("authorizations")
        waiting = InBackground(lambda: live.post("/payments", order()))
        bank.wait_until_held()
        with database_away():
            bank.release()
            bank.wait_until_idle()
        answer = waiting.answer()
        assert answer.status in (201, 202)
        assert Payment.objects.get().state == "AUTHORIZED"
        assert len(bank.ledger()) == 1
