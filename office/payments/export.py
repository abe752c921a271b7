"""Exports payments as a CSV file, streamed in batches.

Each batch is a short SQL statement that begins where the previous one ended. So no cursor, transaction or
connection waits for a slow download, and memory holds one batch. Payments created meanwhile are newer than
the first row and left out. A state may change between two batches.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

from django.db import connection
from django.db.models import Q, QuerySet

from office.payments.search import Search
from office.search.models import FoundPayment
from payments.domain.money import DENOMINATIONS
from payments.domain.spreadsheets import BEGIN_OF_UTF8, as_text, csv_lines
from payments.models import PaymentWithPending, payments_with_pending

BATCH = 1000
# A spreadsheet holds 1,048,576 rows.
ROWS_AT_MOST = 1_000_000
# What support needs to compare payments. Email, description and metadata are only on a payment's page.
COLUMNS = (
    *("payment", "created_at (UTC)", "order", "customer", "merchant", "mode", "state", "pending"),
    *("amount", "amount (minor units)", "currency", "captured", "refunded", "card", "decline", "bank"),
    *("authorization", "capture", "void", "refund"),
    *("authorized_at (UTC)", "captured_at (UTC)", "voided_at (UTC)", "refunded_at (UTC)"),
)


def as_csv(payments: QuerySet[FoundPayment], search: Search) -> Iterator[str]:
    """A header line, then one line per payment of the queryset that matches the search, newest first.

    Amounts are plain numbers with their currency in another column. Times are in UTC.
    """
    yield BEGIN_OF_UTF8 + csv_lines([COLUMNS])
    rows = 0
    for batch in _batches(payments, search):
        yield csv_lines([_row(payment) for payment in batch])
        rows += len(batch)
        if rows >= ROWS_AT_MOST:
            yield csv_lines(
                [(f"Incomplete: only the newest {rows} payments. Narrow the filter to export the rest.",)]
            )
            return


def _batches(payments: QuerySet[FoundPayment], search: Search) -> Iterator[list[PaymentWithPending]]:
    """Batches of BATCH payments, newest first, until one is not full."""
    remaining = payments
    while batch := _newest(remaining, search):
        yield batch
        last = batch[-1]
        # Return the connection to the pool while the client reads.
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()
        if len(batch) < BATCH:
            return
        before = Q(created_at__lt=last.created_at) | Q(created_at=last.created_at, id__lt=last.id)
        # The first comparison lets the database use its index.
        remaining = payments.filter(Q(created_at__lte=last.created_at) & before)


def _newest(payments: QuerySet[FoundPayment], search: Search) -> list[PaymentWithPending]:
    if search.typed.term:
        payments = payments.filter(pk__in=search.newest(payments, BATCH))
    ids = list(payments.order_by("-created_at", "-id").values_list("pk", flat=True)[:BATCH])
    found = payments_with_pending().select_related("merchant").in_bulk(ids)
    return [found[one] for one in ids]


def _row(payment: PaymentWithPending) -> tuple[str, ...]:
    amount, captured, refunded = (
        DENOMINATIONS[payment.currency].number(minor)
        for minor in (payment.amount_minor, payment.captured_minor, payment.refunded_minor)
    )
    return (
        payment.public_id,
        _utc(payment.created_at),
        as_text(payment.order_id),
        as_text(payment.customer_id),
        as_text(payment.merchant.name),
        payment.mode,
        payment.state,
        payment.pending_kind or "",
        *(amount, str(payment.amount_minor), payment.currency, captured, refunded),
        # In one cell, because a spreadsheet would turn 0042 into 42.
        f"{payment.card_brand} {payment.card_last4}",
        *map(as_text, (payment.decline_code, payment.bank)),
        *map(as_text, (payment.bank_authorization_id, payment.bank_capture_id)),
        *map(as_text, (payment.bank_void_id, payment.bank_refund_id)),
        *map(_utc, (payment.authorized_at, payment.captured_at, payment.voided_at, payment.refunded_at)),
    )


def _utc(moment: datetime | None) -> str:
    if moment is None:
        return ""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="seconds")
