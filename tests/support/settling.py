"""Captures and refunds to settle, matched or not; and many of them at once."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import connection

from payments.domain.days import begin_of
from payments.domain.states import OperationKind, PaymentState
from payments.models import LedgerPosting, Merchant, Operation
from tests.support.book_factories import MatchFactory, StatementFileFactory
from tests.support.factories import MerchantFactory, OperationFactory, PaymentFactory
from tests.support.unguarded import unguarded

DAY = date(2026, 11, 21)  # long over
NEXT = DAY + timedelta(days=1)


def noon(day: date) -> datetime:
    return begin_of(day) + timedelta(hours=12)


def captured(amount: int = 5000, *, day: date = DAY, matched: bool = True, **columns: Any) -> Operation:
    """A capture at noon of the day."""
    at = noon(day)
    payment = PaymentFactory(captured=True, amount_minor=amount, at=at, created_at=at, **columns)
    capture: Operation = OperationFactory(
        payment=payment, kind=OperationKind.CAPTURE, succeeded=True, finished_at=at
    )
    if matched:
        MatchFactory(operation=capture)
    return capture


def refunded(capture: Operation, amount: int | None = None, *, day: date = DAY) -> Operation:
    """A refund of the capture's payment an hour after noon of the day, of all unless told otherwise."""
    payment = capture.claimed_payment
    amount = amount or capture.amount_minor
    payment.refunded_minor += amount
    is_all = payment.refunded_minor == payment.captured_minor
    with unguarded():
        type(payment).objects.filter(pk=payment.pk).update(
            refunded_minor=payment.refunded_minor,
            state=PaymentState.REFUNDED if is_all else PaymentState.CAPTURED,
            refunded_at=noon(day) if is_all else None,
        )
    refund: Operation = OperationFactory(
        payment=payment,
        kind=OperationKind.REFUND,
        succeeded=True,
        amount_minor=amount,
        finished_at=noon(day) + timedelta(hours=1),
    )
    return refund


def many_captured(number: int, *, day: date = DAY, merchant: Merchant | None = None) -> None:
    """So many matched captures of 1, 2, 3, ... minor units, a second apart since the day began, by SQL."""
    merchant = merchant or MerchantFactory()
    file = StatementFileFactory(day=day)
    values = {"number": number, "merchant": merchant.pk, "at": begin_of(day), "file": file.pk}
    with unguarded(), connection.cursor() as cursor:
        cursor.execute(_MANY, values)


_MANY = """
    WITH made AS MATERIALIZED (
        SELECT n, gen_random_uuid() AS payment, gen_random_uuid() AS operation,
            'cap_' || gen_random_uuid() AS capture, 'auth_' || gen_random_uuid() AS hold,
            %(at)s::timestamptz + n * interval '1 second' AS at
        FROM generate_series(1, %(number)s) n
    ), payment AS (
        INSERT INTO payments_payment (
            id, merchant_id, mode, bank, order_id, customer_id, amount_minor, captured_minor, currency, state,
            card_brand, card_last4, card_expiry_month, card_expiry_year, description, customer_email,
            metadata, bank_authorization_id, bank_capture_id, bank_void_id, bank_refund_id, decline_code,
            created_at, authorized_at, captured_at
        )
        SELECT payment, %(merchant)s, 'live', 'ficmart', 'many-' || payment, 'customer-1', n, n, 'USD',
            'CAPTURED', 'visa', '1111', 12, 2030, '', '', '{}', hold, capture, '', '', '', at, at, at
        FROM made
    ), operation AS (
        INSERT INTO payments_operation (
            id, payment_id, kind, bank, amount_minor, currency, target_reference, bank_idempotency_key,
            ordinal, state, lease_epoch, lease_expires_at, bank_reference, outcome_code, strays_awaited,
            actor, request_id, reason, created_at, finished_at
        )
        SELECT operation, payment, 'capture', 'ficmart', n, 'USD', hold, operation::text, 0, 'SUCCEEDED', 1,
            at, capture, '', 0, 'api_key:1', '', '', at, at
        FROM made
    ), line AS (
        INSERT INTO reconciliation_statementline (
            file_id, number, bank, kind, reference, target_reference, amount_minor, currency, at, repeats
        )
        SELECT %(file)s, n, 'ficmart', 'capture', capture, hold, n, 'USD', at, 0 FROM made
        RETURNING id, reference
    )
    INSERT INTO reconciliation_match (line_id, operation_id, matched_at)
    SELECT line.id, made.operation, clock_timestamp() FROM line JOIN made ON made.capture = line.reference"""


def balance_of(account: str, **columns: Any) -> int:
    """The sum of an account's postings, in minor units: a debit positive."""
    entries = {f"entry__{name}": value for name, value in columns.items()}
    postings = LedgerPosting.objects.filter(account=account, **entries)
    return sum(postings.values_list("amount_minor", flat=True))


def now_after(day: date) -> datetime:
    """A moment when the day is over."""
    return datetime.combine(day + timedelta(days=1), datetime.min.time(), UTC)
