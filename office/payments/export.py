"""Exports payments as a CSV file, streamed in batches.

Each batch is a short SQL statement that begins where the previous one ended. So no cursor, transaction or
connection waits for a slow download, and memory holds one batch. Payments created meanwhile are newer than
the first row and left out. A state may change between two batches.
"""

import csv
import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime

from django.db import connection
from django.db.models import Q, QuerySet

from office.payments.search import Search
from office.search.models import FoundPayment
from payments.domain.money import DENOMINATIONS
from payments.models import PaymentWithPending, payments_with_pending

BATCH = 1000
# A spreadsheet holds 1,048,576 rows.
ROWS_AT_MOST = 1_000_000
_BEGIN_OF_UTF8 = "\ufeff"  # tells spreadsheets that the file is UTF-8
# Text that a spreadsheet would convert to a number (0012345, 1e10, 12345678901234567890), a date (1-2, MAR1),
# a time (5 pm) or a boolean. An apostrophe in front keeps it as text.
_MONTH = (
    "(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    "|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_CHANGED = re.compile(
    rf"(?=.*\d)[\d\s.,:/+%$€£¥()-]+(?:[ed][+-]?\d+|[ap]m?)?|(?=.*\d)[\d\s.,/-]*{_MONTH}[\d\s.,/-]*|true|false",
    re.IGNORECASE,
)
# A spreadsheet runs text that begins like this as a formula.
_FORMULA = re.compile(r"(^(?=[\t\r\n])|(?:^|[;|\t\r\n])(?=\s*[=+@-]))")
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
    yield _BEGIN_OF_UTF8 + _lines([COLUMNS])
    rows = 0
    for batch in _batches(payments, search):
        yield _lines([_row(payment) for payment in batch])
        rows += len(batch)
        if rows >= ROWS_AT_MOST:
            yield _lines(
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
        _text(payment.order_id),
        _text(payment.customer_id),
        _text(payment.merchant.name),
        payment.mode,
        payment.state,
        payment.pending_kind or "",
        *(amount, str(payment.amount_minor), payment.currency, captured, refunded),
        # In one cell, because a spreadsheet would turn 0042 into 42.
        f"{payment.card_brand} {payment.card_last4}",
        *map(_text, (payment.decline_code, payment.bank)),
        *map(_text, (payment.bank_authorization_id, payment.bank_capture_id)),
        *map(_text, (payment.bank_void_id, payment.bank_refund_id)),
        *map(_utc, (payment.authorized_at, payment.captured_at, payment.voided_at, payment.refunded_at)),
    )


def _text(text: str) -> str:
    """Text that others wrote, escaped so that a spreadsheet keeps it as text (OWASP, CSV injection).

    Also after a semicolon or the like, which a spreadsheet may take for the end of a cell.
    """
    if _CHANGED.fullmatch(text):
        return f"'{text}"
    return _FORMULA.sub(r"\1'", text)


def _utc(moment: datetime | None) -> str:
    if moment is None:
        return ""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="seconds")


def _lines(rows: list[tuple[str, ...]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
