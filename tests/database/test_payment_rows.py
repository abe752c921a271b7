"""What PostgreSQL lets happen to a payment's row, whoever asks."""

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from django.db import connection, transaction

from payments.domain.states import (
    LIVE_PAYMENTS,
    PAYMENT_EDGES,
    Mode,
    OperationKind,
    OperationState,
    PaymentState,
)
from payments.models import Operation, Payment
from tests.database.sql import execute, one_by_one, refuses, update
from tests.support.factories import MerchantFactory, OperationFactory, PaymentFactory
from tests.support.unguarded import unguarded

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
# What a row has to say of itself in the state it comes to.
COMES_WITH: dict[PaymentState, dict[str, Any]] = {
    PaymentState.AUTHORIZED: {"bank_authorization_id": "auth_1", "authorized_at": NOW},
    PaymentState.CAPTURED: {"bank_capture_id": "cap_1", "captured_minor": 5000, "captured_at": NOW},
    PaymentState.REFUNDED: {"bank_refund_id": "ref_1", "refunded_minor": 5000, "refunded_at": NOW},
    PaymentState.VOIDED: {"bank_void_id": "void_1", "voided_at": NOW},
    PaymentState.EXPIRED: {"expired_at": NOW},
    PaymentState.DECLINED: {"decline_code": "insufficient_funds", "declined_at": NOW},
    PaymentState.FAILED: {"failed_at": NOW},
}
# The operation that brings a payment to a state.
CAUSES = {
    PaymentState.AUTHORIZED: (OperationKind.AUTHORIZE, OperationState.SUCCEEDED),
    PaymentState.CAPTURED: (OperationKind.CAPTURE, OperationState.SUCCEEDED),
    PaymentState.REFUNDED: (OperationKind.REFUND, OperationState.SUCCEEDED),
    PaymentState.VOIDED: (OperationKind.VOID, OperationState.SUCCEEDED),
    PaymentState.EXPIRED: (OperationKind.CAPTURE, OperationState.REJECTED),
    PaymentState.DECLINED: (OperationKind.AUTHORIZE, OperationState.DECLINED),
    PaymentState.FAILED: (OperationKind.AUTHORIZE, OperationState.NOT_EXECUTED),
}
ILLEGAL = [
    (source, target)
    for source in PaymentState
    for target in PaymentState
    if source is not target and (source, target) not in PAYMENT_EDGES
]


# What a column has that says nothing, by the last word of its name.
_EMPTY: dict[str, Any] = {"at": None, "minor": 0}


# What the guards say of a column that was written before its state was reached.
UNREACHED = (
    "dates its|only what is|has a reference|has a code|its totals are out of range|is captured|REFUNDED when"
)


def _another(column: str) -> Any:
    """A value that is not in COMES_WITH."""
    return {"at": LATER, "minor": 4999}.get(column.rpartition("_")[2], "another")


def state_of(payment: Payment) -> str:
    return Payment.objects.values_list("state", flat=True).get(pk=payment.pk)


def cause(payment: Payment, target: PaymentState, **fields: Any) -> Operation:
    """The operation that has just brought the payment there, whose row does not say so yet."""
    kind, state = CAUSES[target]
    came = [value for name, value in COMES_WITH[target].items() if name.startswith("bank_")]
    reference = {"bank_reference": came[0]} if came else {}
    return OperationFactory(
        payment=payment, kind=kind, state=state, **{"finished_at": NOW} | reference | fields
    )


def insert(**columns: Any) -> int:
    """INSERT a payment as PostgreSQL sees it, in PENDING unless told otherwise."""
    row: dict[str, Any] = {
        "id": "0189f7e0-1234-4abc-8def-0123456789ab",
        "merchant_id": MerchantFactory().pk,
        "mode": "live",
        "bank": "ficmart",
        "order_id": "order-inserted",
        "customer_id": "customer-1",
        "amount_minor": 5000,
        "currency": "USD",
        "state": "PENDING",
        **dict.fromkeys(("description", "customer_email", "decline_code"), ""),
        **dict.fromkeys(("bank_authorization_id", "bank_capture_id", "bank_void_id", "bank_refund_id"), ""),
        "card_brand": "visa",
        "card_last4": "1111",
        "card_expiry_month": 12,
        "card_expiry_year": 2030,
        "metadata": "{}",
    } | columns
    placeholders = ", ".join(["%s"] * len(row))
    return execute(
        f"INSERT INTO payments_payment ({', '.join(row)}) VALUES ({placeholders})",
        *row.values(),
    )


class TestTransitions:
    def test_along_an_edge_pass(self) -> None:
        for source, target in one_by_one(PAYMENT_EDGES):
            payment = PaymentFactory(state=source)
            cause(payment, target)
            assert update(payment, state=target, **COMES_WITH[target]) == 1
            assert state_of(payment) == target

    def test_along_no_edge_are_refused(self) -> None:
        for source, target in one_by_one(ILLEGAL):
            payment = PaymentFactory(state=source)
            for columns in ({}, COMES_WITH.get(target, {})):
                with refuses(f"no way leads from {source} to {target}"):
                    update(payment, state=target, **columns)
            assert state_of(payment) == source

    def test_of_many_rows_at_once_are_refused_for_one_that_would_jump(self) -> None:
        held = [PaymentFactory(authorized=True) for _ in range(3)]
        for payment in held:
            cause(payment, PaymentState.CAPTURED, bank_reference=f"cap_{payment.order_id}")
        PaymentFactory()
        with refuses("no way leads from PENDING to CAPTURED"):
            execute(
                "UPDATE payments_payment SET state = 'CAPTURED', captured_at = %s, captured_minor = 5000,"
                " bank_capture_id = 'cap_' || order_id",
                NOW,
            )
        assert {state_of(payment) for payment in held} == {"AUTHORIZED"}

    def test_two_steps_in_one_statement_are_refused(self) -> None:
        payment = PaymentFactory(order_id="order-1")
        with refuses("no way leads from PENDING to CAPTURED"):
            execute(
                "INSERT INTO payments_payment SELECT * FROM payments_payment WHERE id = %s"
                " ON CONFLICT (id) DO UPDATE SET state = 'CAPTURED', authorized_at = now(),"
                " captured_at = now(), bank_authorization_id = 'auth_1'",
                payment.pk,
            )

    def test_of_a_queryset_are_refused_too(self) -> None:
        payment = PaymentFactory(refunded=True)
        with refuses("no way leads from REFUNDED"):
            Payment.objects.filter(pk=payment.pk).update(state=PaymentState.CAPTURED)

    def test_to_an_unknown_state_are_refused(self) -> None:
        for state in one_by_one(["", "authorized", "PAID", "PENDING:AUTHORIZED"]):
            with refuses("no way leads from|value too long"):
                update(PaymentFactory(), state=state)

    def test_no_history_begins_anywhere_but_in_pending(self) -> None:
        for state in one_by_one(PaymentState):
            if state is PaymentState.PENDING:
                assert insert() == 1
                continue
            dates = {f"{reached.lower()}_at": NOW for reached in COMES_WITH}
            with refuses("it begins as PENDING"):
                insert(state=state, **dates, bank_authorization_id="auth_1", decline_code="x")

    def test_a_state_cannot_be_null(self) -> None:
        with refuses("null value"):
            insert(state=None)
        with refuses("null value"):
            update(PaymentFactory(), state=None)


class TestWhatAStateComesWith:
    def test_its_date(self) -> None:
        for source, target in one_by_one(PAYMENT_EDGES):
            columns = COMES_WITH[target] | {f"{target.lower()}_at": None}
            with refuses(f"{target.lower()}_at dates its"), unguarded():
                update(PaymentFactory(state=source), state=target, **columns)

    def test_a_holds_reference(self) -> None:
        with refuses("its hold has a reference"), unguarded():
            update(PaymentFactory(), state="AUTHORIZED", authorized_at=NOW)

    def test_a_declines_code(self) -> None:
        with refuses("a decline has a code"), unguarded():
            update(PaymentFactory(), state="DECLINED", declined_at=NOW)

    def test_nothing_of_a_state_that_was_not_reached(self) -> None:
        for (_, columns), state in one_by_one(product(COMES_WITH.items(), PaymentState)):
            payment = PaymentFactory(state=state)
            for column, value in columns.items():
                if getattr(payment, column):
                    continue  # reached, and written once
                with refuses(UNREACHED), unguarded():
                    update(payment, **{column: value})


class TestWhatIsFixed:
    def test_at_creation_stays(self) -> None:
        for column, value in one_by_one(
            [
                *(
                    ("id", "0189f7e0-1234-4abc-8def-0123456789ab"),
                    ("merchant_id", MerchantFactory(slug="another").pk),
                    ("mode", "test"),
                ),
                *(("bank", "sandbox"), ("order_id", "x"), ("customer_id", "x"), ("amount_minor", 1)),
                *(("currency", "EUR"), ("created_at", NOW), ("card_brand", "amex"), ("card_last4", "9999")),
                *(("card_expiry_month", 1), ("card_expiry_year", 2099), ("description", "x")),
                *(("customer_email", "x@example.com"), ("metadata", '{"a": "b"}')),
            ]
        ):
            for state in (PaymentState.PENDING, PaymentState.CAPTURED):
                with refuses("what was asked for stays"):
                    update(PaymentFactory(state=state), **{column: value})

    def test_with_a_state_stays(self) -> None:
        for state, columns in one_by_one(COMES_WITH.items()):
            payment = PaymentFactory(state=state, at=NOW)
            for column, value in columns.items():
                for other in (_another(column), _EMPTY.get(column.rpartition("_")[2], "")):
                    assert other != value
                    with refuses(f"written once|its totals are not|{UNREACHED}"):
                        update(payment, **{column: other})

    def test_a_holds_end_stays(self) -> None:
        payment = PaymentFactory(authorized=True, at=NOW)
        for other in (LATER, None):
            with refuses("the end of its hold comes with the hold"):
                update(payment, authorization_expires_at=other)

    def test_a_holds_end_is_not_made_up(self) -> None:
        with refuses("the end of its hold comes with the hold"):
            update(
                PaymentFactory(captured=True, authorization_expires_at=LATER),
                authorization_expires_at=NOW,
            )

    def test_every_column_is_guarded(self) -> None:
        """A new column is decided upon here: may it change, and when."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT prosrc FROM pg_proc WHERE proname = 'guard_payment_update'")
            ((guard,),) = cursor.fetchall()
        columns = {field.column for field in Payment._meta.concrete_fields}
        assert {column for column in columns if f"OLD.{column}" not in guard} == set()

    def test_the_same_again_is_no_change(self) -> None:
        payment = Payment.objects.get(pk=PaymentFactory(captured=True).pk)
        payment.save()
        assert update(payment, state="CAPTURED", bank_capture_id=payment.bank_capture_id) == 1

    def test_it_is_never_deleted(self) -> None:
        payment = PaymentFactory()
        with refuses("DELETE of payments_payment is refused"):
            execute("DELETE FROM payments_payment WHERE id = %s", payment.pk)
        with refuses("DELETE of payments_payment is refused"), transaction.atomic():
            Payment.objects.all().delete()
        assert Payment.objects.filter(pk=payment.pk).exists()


class TestACause:
    """A payment comes to a state by the operation that ended so at that moment, or not at all."""

    def test_is_needed(self) -> None:
        for source, target in one_by_one(PAYMENT_EDGES):
            payment = PaymentFactory(
                state=source, authorization_expires_at=datetime.now(UTC) + timedelta(days=1)
            )
            cause(PaymentFactory(state=source), target, bank_idempotency_key="another's")
            with refuses(f"no operation has made it {target}"):
                update(payment, state=target, **COMES_WITH[target])

    def test_is_that_of_its_kind(self) -> None:
        for source, target in one_by_one(PAYMENT_EDGES):
            payment = PaymentFactory(
                state=source, authorization_expires_at=datetime.now(UTC) + timedelta(days=1)
            )
            for other, operation in CAUSES.items():
                if operation != CAUSES[target]:
                    cause(payment, other)
            with refuses(f"no operation has made it {target}"):
                update(payment, state=target, **COMES_WITH[target])

    def test_says_when_and_under_which_reference(self) -> None:
        for source, target in one_by_one(PAYMENT_EDGES):
            payment = PaymentFactory(
                state=source, authorization_expires_at=datetime.now(UTC) + timedelta(days=1)
            )
            cause(payment, target)
            for column in COMES_WITH[target]:
                other = {column: _another(column)}
                with refuses(f"no operation has made it {target}|its totals are not|REFUNDED when all"):
                    update(payment, state=target, **COMES_WITH[target] | other)

    def test_of_an_expiry_may_be_that_the_hold_has_run_out(self) -> None:
        payment = PaymentFactory(authorized=True, authorization_expires_at=NOW)
        assert update(payment, state="EXPIRED", expired_at=LATER) == 1

    def test_of_a_reference_that_is_filled_in_is_its_operation(self) -> None:
        payment = PaymentFactory(captured=True, at=NOW, bank_capture_id="cap_1")
        with unguarded():
            update(payment, bank_capture_id="")
        with refuses("no operation has made it CAPTURED"):
            update(payment, bank_capture_id="cap_1")
        cause(payment, PaymentState.CAPTURED)
        assert update(payment, bank_capture_id="cap_1") == 1


class TestTotals:
    """What is captured and refunded is what operations have done, and never more than there was."""

    def _captured(self, **fields: Any) -> Payment:
        payment = PaymentFactory(captured=True, at=NOW, bank_capture_id="cap_1", **fields)
        cause(payment, PaymentState.CAPTURED, amount_minor=payment.captured_minor)
        return payment

    def test_change_by_a_part_that_an_operation_has_given_back(self) -> None:
        payment = self._captured(captured_minor=4370)
        for amount, refunded in ((1370, 1370), (1000, 2370)):
            with refuses("its totals are not"):
                update(payment, refunded_minor=refunded)
            refund = OperationFactory(
                payment=payment, kind=OperationKind.REFUND, succeeded=True, amount_minor=amount
            )
            with refuses("its totals are not"):
                update(payment, refunded_minor=refunded + 1)
            assert update(payment, refunded_minor=refunded, bank_refund_id=refund.bank_reference) == 1

    def test_name_a_refund_of_their_own(self) -> None:
        payment = self._captured()
        OperationFactory(payment=payment, kind=OperationKind.REFUND, succeeded=True, amount_minor=10)
        with refuses("its totals are not"):
            update(payment, refunded_minor=10, bank_refund_id="ref_of_another")

    def test_in_no_order_of_their_own(self) -> None:
        for columns, because in one_by_one(
            [
                ({"captured_minor": 5001}, "its totals are out of range"),
                ({"captured_minor": 0}, "something is captured once it is CAPTURED|its totals"),
                ({"refunded_minor": 4371}, "its totals are out of range"),
                ({"refunded_minor": -1}, "its totals are out of range"),
                ({"refunded_minor": 4370}, "it is REFUNDED when all is given back"),
                ({"bank_refund_id": "ref_1"}, "only what is refunded has a refund's reference"),
            ]
        ):
            with refuses(because), unguarded():
                update(PaymentFactory(captured=True, captured_minor=4370), **columns)


class TestOneLivePaymentPerOrder:
    def test_refuses_a_second(self) -> None:
        for state in one_by_one(LIVE_PAYMENTS):
            PaymentFactory(state=state, order_id="order-1")
            with refuses("one_live_payment_per_order"):
                insert(order_id="order-1")

    def test_lets_another_follow_one_that_is_over(self) -> None:
        for state in one_by_one([state for state in PaymentState if state not in LIVE_PAYMENTS]):
            PaymentFactory(state=state, order_id="order-1")
            assert insert(order_id="order-1") == 1

    def test_holds_for_each_merchant_and_mode_alone(self) -> None:
        PaymentFactory(order_id="order-1")
        assert PaymentFactory(order_id="order-1", mode=Mode.TEST).pk
        assert PaymentFactory(order_id="order-1", merchant=MerchantFactory(slug="another")).pk
        assert PaymentFactory(order_id="order-2").pk


class TestOnePaymentPerHold:
    def test_refuses_a_second(self) -> None:
        PaymentFactory(voided=True, bank_authorization_id="auth_1")
        with refuses("one_payment_per_hold"), unguarded():
            update(PaymentFactory(), state="AUTHORIZED", **COMES_WITH[PaymentState.AUTHORIZED])

    def test_knows_that_another_bank_has_its_own_names(self) -> None:
        PaymentFactory(authorized=True, bank_authorization_id="auth_1")
        assert PaymentFactory(authorized=True, bank="sandbox", bank_authorization_id="auth_1").pk


class TestValues:
    def test_in_range_are_taken(self) -> None:
        for amount in one_by_one([1, 99_999_999]):
            assert insert(amount_minor=amount) == 1

    def test_out_of_range_are_refused(self) -> None:
        for columns, because in one_by_one(
            [
                ({"amount_minor": 0}, "its amount is out of range"),
                ({"amount_minor": -1}, "its amount is out of range"),
                ({"amount_minor": 100_000_000}, "its amount is out of range"),
                ({"amount_minor": 2**31}, "out of range"),
                ({"amount_minor": None}, "null value"),
                ({"currency": "CHF"}, "its currency is unknown"),
                ({"currency": "usd"}, "its currency is unknown"),
                ({"currency": ""}, "its currency is unknown"),
                ({"mode": "prod"}, "its mode is unknown"),
                ({"mode": ""}, "its mode is unknown"),
                ({"card_last4": "41111111"}, "value too long"),
                ({"merchant_id": None}, "null value"),
            ]
        ):
            with refuses(because):
                insert(**columns)
