"""What an error tells its reader to do now works in this very case."""

import json
from typing import Any

import pytest
from django.db import OperationalError

from payments.api.problem_examples import problem
from payments.domain.problems import NEXT_IN_STATE, NEXT_OF_ORDER, ORDER_UNFINISHED, PROBLEMS, Again
from payments.domain.states import PAYMENT_EDGES, OperationKind, OperationState, PaymentState
from payments.engine import responses
from tests.support.api_client import ApiClient, order
from tests.support.factories import OperationFactory, PaymentFactory

KINDS = {
    OperationKind.CAPTURE: (PaymentState.AUTHORIZED, PaymentState.CAPTURED),
    OperationKind.VOID: (PaymentState.AUTHORIZED, PaymentState.VOIDED),
    OperationKind.REFUND: (PaymentState.CAPTURED, PaymentState.REFUNDED),
}


def allowed(kind: OperationKind, state: PaymentState) -> bool:
    source, _ = KINDS[kind]
    assert KINDS[kind] in PAYMENT_EDGES
    return state is source


class TestRefusedOperations:
    def test_each_is_told_what_to_do_in_its_state(self, mistaken: ApiClient) -> None:
        for kind in KINDS:
            for state in PaymentState:
                # A payment that is PENDING has an unfinished authorize, and an expired one its own code.
                if allowed(kind, state) or state is PaymentState.PENDING:
                    continue
                payment = PaymentFactory(state=state)
                answer = mistaken.post(f"/payments/{payment.public_id}/{kind}")
                if (kind, state) == (OperationKind.CAPTURE, PaymentState.EXPIRED):
                    assert answer.json["code"] == "authorization_expired"
                    continue
                assert answer.json["code"] == "invalid_transition"
                assert answer.json["next"] == NEXT_IN_STATE[kind, state]

    def test_what_is_done_already_needs_nothing(self) -> None:
        for kind, (_, done) in KINDS.items():
            assert "lready " in NEXT_IN_STATE[kind, done]
            assert NEXT_IN_STATE[kind, done].startswith("Nothing to do: ")

    def test_a_void_and_a_refund_are_advised_only_where_they_work(self) -> None:
        for (_, state), text in NEXT_IN_STATE.items():
            assert ("void the payment" in text) <= allowed(OperationKind.VOID, state)
            assert ("refund the payment" in text) <= allowed(OperationKind.REFUND, state)


class TestOrdersWithAPayment:
    def test_it_is_void_it_only_where_that_works(self, mistaken: ApiClient) -> None:
        for state in NEXT_OF_ORDER:
            payment = PaymentFactory(state=state, order_id=f"o-{state}")
            if state is PaymentState.PENDING:
                OperationFactory(payment=payment)
            refused = mistaken.post("/payments", order(order_id=f"o-{state}")).json
            assert refused["code"] == "order_already_has_payment", state
            assert refused["next"] == NEXT_OF_ORDER[state]
            assert ("void" in refused["next"]) is (state is PaymentState.AUTHORIZED), state

    def test_not_beside_an_operation_that_is_unfinished(self, mistaken: ApiClient) -> None:
        payment = PaymentFactory(authorized=True, order_id="o-1")
        OperationFactory(payment=payment, kind=OperationKind.CAPTURE)
        assert mistaken.post("/payments", order(order_id="o-1")).json["next"] == ORDER_UNFINISHED


class TestSentences:
    def test_another_card_is_asked_for_only_where_the_issuer_declined_this_one(self) -> None:
        asked = {code for code, known in PROBLEMS.items() if "another card" in known.next}
        assert asked == {"insufficient_funds", "card_expired", "invalid_card", "declined"}

    def test_what_may_have_moved_money_is_sent_again_with_the_same_key(self) -> None:
        for code, known in PROBLEMS.items():
            if known.money_moved == "unknown":
                assert known.again is Again.SAME_KEY, code
            if known.again is Again.SAME_KEY:
                assert "the same request again" in known.next, code
                assert "the same idempotency key" in known.next, code

    def test_a_read_that_met_a_failure_of_ours_is_told_of_no_key(
        self, mistaken: ApiClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for error in (OperationalError("away"), RuntimeError("a defect")):

            def fail(*_: Any, error: Exception = error, **__: Any) -> None:
                raise error

            monkeypatch.setattr("payments.api.base.ApiView.payments", fail)
            assert mistaken.get("/payments").json["next"] == "Send the request again."

    def test_every_error_has_one(self) -> None:
        assert all(problem(code)["next"].endswith((".", "?")) for code in PROBLEMS)


class TestMoneyMoved:
    def test_stands_once_in_an_error_and_is_about_the_request(self, mistaken: ApiClient) -> None:
        """It stood twice: `no` for a second capture, and `yes` in the receipt of the captured payment."""
        payment = PaymentFactory(captured=True)
        refused = mistaken.post(f"/payments/{payment.public_id}/capture").json
        assert refused["money_moved"] == "no"
        receipt = mistaken.receipt(payment.public_id)
        assert receipt.pop("money_moved") == "yes"
        assert refused["payment"] == receipt


class TestLastOperation:
    def test_tells_how_it_ended(self, mistaken: ApiClient) -> None:
        for state, kind, ended, code in (
            ("AUTHORIZED", "authorize", OperationState.SUCCEEDED, None),
            ("AUTHORIZED", "capture", OperationState.NOT_EXECUTED, "bank_unavailable"),
            ("EXPIRED", "capture", OperationState.REJECTED, "authorization_expired"),
            ("DECLINED", "authorize", OperationState.DECLINED, "insufficient_funds"),
            ("FAILED", "authorize", OperationState.NOT_EXECUTED, "bank_unavailable"),
            ("FAILED", "authorize", OperationState.NOT_EXECUTED, "not_found_at_bank"),
            ("FAILED", "authorize", OperationState.NOT_EXECUTED, "found_by_people"),
        ):
            payment = PaymentFactory(state=PaymentState(state))
            OperationFactory(payment=payment, kind=OperationKind(kind), state=ended, outcome_code=code)
            last = mistaken.receipt(payment.public_id)["last_operation"]
            found = (last["kind"], last["outcome"], last["code"])
            assert found == (kind, ended.value.lower(), code), state
            assert last["at"].endswith("Z")

    def test_is_the_latest_that_has_ended_and_no_release(self, mistaken: ApiClient) -> None:
        payment = PaymentFactory(authorized=True)
        assert mistaken.receipt(payment.public_id)["last_operation"] is None
        OperationFactory(payment=payment, succeeded=True)
        OperationFactory(payment=payment, kind=OperationKind.VOID, not_executed=True)
        OperationFactory(payment=payment, kind=OperationKind.RELEASE, succeeded=True)
        OperationFactory(payment=payment, kind=OperationKind.CAPTURE)
        receipt = mistaken.receipt(payment.public_id)
        assert receipt["pending_operation"] == "capture"
        assert receipt["last_operation"]["kind"] == "void"


class TestNotExecuted:
    def test_is_the_bank_out_of_reach_only_where_it_was(self, db: None) -> None:
        kind, state = OperationKind.CAPTURE, OperationState.NOT_EXECUTED
        for code in ("bank_unavailable", "not_found_at_bank", "found_by_people"):
            payment = PaymentFactory(authorized=True)
            ended = OperationFactory(payment=payment, kind=kind, state=state, outcome_code=code)
            answer = json.loads(responses.of_operation(payment, ended).body)
            assert answer["code"] == "bank_unavailable", code
            assert ("could not be reached" in answer["detail"]) is (code == "bank_unavailable"), code


class TestLivemode:
    def test_is_the_keys(self, test_mode: ApiClient) -> None:
        receipt = test_mode.authorized()
        assert receipt["livemode"] is False
        assert test_mode.receipt(receipt["id"])["livemode"] is False
