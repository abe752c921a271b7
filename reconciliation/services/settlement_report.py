"""A settlement's report as a CSV file: a line for each operation and correction, then the totals."""

from collections.abc import Iterator
from datetime import UTC, datetime

from django.db.models import QuerySet

from payments.domain.money import DENOMINATIONS
from payments.domain.spreadsheets import BEGIN_OF_UTF8, as_text, csv_lines
from reconciliation.models import Settlement, SettlementLine

_AT_ONCE = 2000
COLUMNS = (
    *("kind", "payment", "order", "operation", "amount", "fee", "currency"),
    *("bank reference", "time (UTC)", "reason"),
)


def lines_with_their_things(settlement: Settlement) -> QuerySet[SettlementLine]:
    """A settlement's lines, each with its operation, payment or correction: one statement."""
    return settlement.lines.select_related("operation__payment", "correction__operation__payment")


def as_csv(settlement: Settlement) -> Iterator[str]:
    """The report in parts. Amounts are plain numbers, signed as the merchant's balance changes.

    A fee is taken from the balance besides the amount. Each part is a statement of its own, so a slow reader
    holds no connection.
    """
    yield BEGIN_OF_UTF8 + csv_lines([COLUMNS])
    lines, last = lines_with_their_things(settlement).order_by("id"), 0
    while batch := list(lines.filter(id__gt=last)[:_AT_ONCE]):
        yield csv_lines([_row(line, settlement.currency) for line in batch])
        last = batch[-1].pk
    yield csv_lines(_totals(settlement))


def _row(line: SettlementLine, currency: str) -> tuple[str, ...]:
    number = DENOMINATIONS[currency].number
    operation = line.about
    payment = operation.payment if operation else None
    return (
        line.kind,
        payment.public_id if payment else "",
        as_text(payment.order_id) if payment else "",
        operation.public_id if operation else "",
        number(line.amount_minor),
        number(line.fee_minor),
        currency,
        as_text(operation.bank_reference) if operation else "",
        _utc(line.at) if line.at else "",
        as_text(line.correction.reason if line.correction else ""),
    )


def _totals(settlement: Settlement) -> Iterator[tuple[str, ...]]:
    number = DENOMINATIONS[settlement.currency].number
    moved = settlement.captured_minor - settlement.refunded_minor + settlement.corrected_minor
    for name, amount_minor, fee_minor in (
        ("total", moved, settlement.fees_minor),
        ("brought forward", settlement.brought_forward_minor, 0),
        ("paid", settlement.amount_minor, 0),
        ("carried forward", settlement.carried_forward_minor, 0),
    ):
        yield (name, "", "", "", number(amount_minor), number(fee_minor), settlement.currency, "", "", "")


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="seconds")
