"""The models' own transitions: the same edges, refused before the database is asked."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from django_fsm import TransitionNotAllowed, can_proceed

from payments.domain.states import (
    FINISHED_OPERATIONS,
    OPERATION_EDGES,
    PAYMENT_EDGES,
    OperationKind,
    OperationState,
    PaymentState,
)
from payments.models import Operation, Payment, payments_with_pending
from payments.models.clock import read_clock
from tests.database.sql import one_by_one, update
from tests.support.factories import OperationFactory, PaymentFactory
from tests.support.unguarded import unguarded

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
EXPIRES_AT = NOW + timedelta(days=7)
PAYMENT_TRANSITIONS: dict[PaymentState, tuple[str, dict[str, Any]]] = {
    PaymentState.AUTHORIZED: (
        "become_authorized",
        {"reference": "auth_1", "expires_at": EXPIRES_AT, "at": NOW},
    ),
    PaymentState.CAPTURED: (
        "become_captured",
        {"amount_minor": 4300, "reference": "cap_1", "at": NOW},
    ),
    PaymentState.REFUNDED: ("become_refunded", {"reference": "ref_1", "at": NOW}),
    PaymentState.VOIDED: ("become_voided", {"reference": "void_1", "at": NOW}),
    PaymentState.EXPIRED: ("become_expired", {"at": NOW}),
    PaymentState.DECLINED: ("become_declined", {"code": "insufficient_funds", "at": NOW}),
    PaymentState.FAILED: ("become_failed", {"at": NOW}),
}
OPERATION_TRANSITIONS = {state: f"become_{state.lower()}" for state in OperationState if state != "OPEN"}


def transition(payment: Payment, target: PaymentState) -> Callable[[], None]:
    method, arguments = PAYMENT_TRANSITIONS[target]
    return lambda: getattr(payment, method)(**arguments)


class TestAPayment:
    def test_changes_along_the_edges_only(self) -> None:
        for target, source in product(PAYMENT_TRANSITIONS, PaymentState):
            payment = Payment(state=source)
            before = {name: value for name, value in vars(payment).items() if name != "_state"}
            legal = (source, target) in PAYMENT_EDGES
            assert can_proceed(getattr(payment, PAYMENT_TRANSITIONS[target][0])) == legal
            if legal:
                transition(payment, target)()
                assert payment.state == target
            else:
                with pytest.raises(TransitionNotAllowed):
                    transition(payment, target)()
                assert {name: value for name, value in vars(payment).items() if name != "_state"} == before

    def test_dates_its_new_state(self) -> None:
        for source, target in PAYMENT_EDGES:
            payment = Payment(state=source)
            transition(payment, target)()
            assert getattr(payment, f"{target.lower()}_at") == NOW

    def test_keeps_what_the_bank_called_it(self) -> None:
        payment = Payment()
        for target in (PaymentState.AUTHORIZED, PaymentState.CAPTURED, PaymentState.REFUNDED):
            transition(payment, target)()
        assert (payment.bank_authorization_id, payment.authorization_expires_at) == ("auth_1", EXPIRES_AT)
        assert (payment.bank_capture_id, payment.bank_refund_id) == ("cap_1", "ref_1")

    def test_counts_what_was_captured_and_given_back_in_parts(self) -> None:
        payment = Payment(amount_minor=5000)
        for target in (PaymentState.AUTHORIZED, PaymentState.CAPTURED):
            transition(payment, target)()
        assert (payment.captured_minor, payment.refundable_minor) == (4300, 4300)
        payment.refund_part(amount_minor=1300, reference="ref_0")
        assert (payment.state, payment.refunded_minor, payment.refundable_minor) == ("CAPTURED", 1300, 3000)
        transition(payment, PaymentState.REFUNDED)()
        assert (payment.refunded_minor, payment.refundable_minor) == (4300, 0)
        assert payment.bank_refund_id == "ref_1"

    def test_is_not_told_its_state_directly(self) -> None:
        payment = Payment()
        with pytest.raises(AttributeError, match="Direct state modification"):
            payment.state = PaymentState.CAPTURED
        assert payment.state == PaymentState.PENDING


class TestAnOperation:
    def test_changes_along_the_edges_only(self) -> None:
        for target, source in product(OPERATION_TRANSITIONS, OperationState):
            operation = Operation(state=source)
            change = getattr(operation, OPERATION_TRANSITIONS[target])
            if (source, target) in OPERATION_EDGES:
                change()
                assert operation.state == target
            else:
                with pytest.raises(TransitionNotAllowed):
                    change()
                assert operation.state == source

    def test_is_not_told_its_state_directly(self) -> None:
        operation = Operation()
        with pytest.raises(AttributeError, match="Direct state modification"):
            operation.state = OperationState.SUCCEEDED

    def test_without_a_payment_says_so(self) -> None:
        with pytest.raises(ValueError, match="has no payment"):
            _ = Operation(kind=OperationKind.RELEASE).claimed_payment


def _columns(row: Payment | Operation) -> dict[str, Any]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


@pytest.mark.django_db
class TestRefreshing:
    """A row read again without a lock is a row that may have changed by the time it is written."""

    def test_is_refused_and_changes_nothing(self) -> None:
        for make in one_by_one([PaymentFactory, OperationFactory]):
            row = make()
            before = _columns(row)
            with unguarded():
                if isinstance(row, Payment):
                    update(row, state="FAILED", failed_at=NOW)
                else:
                    update(row, state="NOT_EXECUTED", finished_at=NOW, lease_epoch=9)
            with pytest.raises(AttributeError):
                row.refresh_from_db()
            assert _columns(row) == before
            with pytest.raises(AttributeError):
                row.state = "SUCCEEDED"  # it is still protected

    def test_never_lifts_the_protection_from_other_threads_payments(self) -> None:
        payment = PaymentFactory()
        stop, unprotected = threading.Event(), []

        def assigns() -> None:
            mine = Payment()
            while not stop.is_set():
                try:
                    mine.state = PaymentState.CAPTURED
                except AttributeError:
                    continue
                unprotected.append(mine.state)

        thread = threading.Thread(target=assigns)
        thread.start()
        for _ in range(30):
            with pytest.raises(AttributeError):
                payment.refresh_from_db()
        stop.set()
        thread.join()
        assert unprotected == []

    def test_a_state_that_was_not_read_yet_is_read_when_asked_for(self) -> None:
        payment = PaymentFactory(captured=True)
        assert Payment.objects.only("id").get(pk=payment.pk).state == PaymentState.CAPTURED


@pytest.mark.django_db
class TestThePendingOperation:
    def test_is_an_unfinished_one(self) -> None:
        for state in one_by_one(OperationState):
            payment = PaymentFactory(authorized=True)
            OperationFactory(payment=payment, succeeded=True)
            OperationFactory(payment=payment, kind=OperationKind.CAPTURE, state=state)
            OperationFactory(kind=OperationKind.VOID)
            expected = None if state in FINISHED_OPERATIONS else "capture"
            assert payments_with_pending().get(pk=payment.pk).pending_kind == expected

    def test_is_never_a_release(self) -> None:
        payment = PaymentFactory(expired=True)
        OperationFactory(payment=payment, kind=OperationKind.RELEASE)
        assert payments_with_pending().get(pk=payment.pk).pending_kind is None


@pytest.mark.django_db
class TestTheDatabasesClock:
    def test_goes_on_within_a_transaction(self) -> None:
        first, second = read_clock(), read_clock()
        assert first < second
        assert first.utcoffset() == timedelta(0)
