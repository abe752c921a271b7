"""Statements of test mode, so that it behaves as live mode does.

A bank of test mode keeps no books. Its statement of a day is written from what it replied that day, in the
layout of a real bank's, and imported like any other.
"""

import csv
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TextIO

from django.db.models import Min, OuterRef, Subquery

from payments.domain.days import begin_of
from payments.domain.replies import Said
from payments.domain.statements import NAMES
from payments.domain.states import Mode, OperationKind
from payments.engine.abilities import banks_whose_statements_we_write, statement_words
from payments.models import Attempt, Merchant, Payment
from payments.models.clock import read_clock
from reconciliation.services.coverage import uncovered_days
from reconciliation.services.imports import AlreadyImported, Imported, import_file
from reconciliation.services.reconcile import reconcile

HEADER = ("entry_id", "type", "reference_id", "amount_cents", "currency", "created_at")
# A reply is recorded within this time: its attempt began not longer before, and the day's last one is there.
_RECORDED_WITHIN = timedelta(minutes=10)
_LONGEST_ATTEMPT = timedelta(days=1)
_DAYS_AT_ONCE = 31
_ONE_DAY = timedelta(days=1)


class DayNotOver(Exception):
    """The day may still get replies. The message says so in a sentence."""


def deliver_due(*, actor: str, now: datetime | None = None) -> list[Imported]:
    """Write, import and reconcile the statements of all days that are over, the oldest first.

    At most 31 days of each bank at once; the next call goes on. Safe to run twice at once.
    """
    now = now or read_clock()
    delivered = []
    for bank in banks_whose_statements_we_write():
        imported = [done for day in _due(bank, now) if (done := _deliver(bank, day, actor))]
        if imported:
            reconcile(bank, actor=actor)
        delivered += imported
    return delivered


def deliver(day: date, *, actor: str, now: datetime | None = None) -> list[Imported]:
    """Write, import and reconcile this day's statements. Empty where they were imported before.

    Raises DayNotOver.
    """
    now = now or read_clock()
    if not _is_over(day, now):
        raise DayNotOver(
            f"{day} (UTC) is not over yet: its statement is written a few minutes after midnight."
        )
    delivered = []
    for bank in banks_whose_statements_we_write():
        if imported := _deliver(bank, day, actor):
            reconcile(bank, actor=actor)
            delivered.append(imported)
    return delivered


def write_statement(bank: str, day: date, output: TextIO) -> None:
    """Write what the bank approved on this UTC day, oldest first, as CSV."""
    words = statement_words(bank)
    if words is None:
        raise ValueError(f"{bank} gives no statements")
    rows = csv.writer(output, lineterminator="\n")
    rows.writerow(HEADER)
    for attempt in _approvals(bank, day):
        operation = attempt.operation
        kind = OperationKind(operation.kind)
        named = NAMES.get(OperationKind.VOID if kind is OperationKind.RELEASE else kind)
        rows.writerow(
            (
                words.bare(kind, attempt.bank_reference),
                words.word_of(kind),
                words.bare(named, operation.target_reference) if named else "",
                operation.amount_minor,
                operation.currency,
                _written(attempt.ended_at),
            )
        )


def _approvals(bank: str, day: date) -> Iterator[Attempt]:
    """The day's replies, each made thing once: the same instruction gets the same reply again."""
    begin = begin_of(day)
    found = (
        Attempt.objects.filter(
            operation__bank=bank,
            said=Said.APPROVED,
            started_at__range=(begin - _LONGEST_ATTEMPT, begin + _ONE_DAY),
            ended_at__gte=begin,
            ended_at__lt=begin + _ONE_DAY,
        )
        .exclude(bank_reference="")
        .select_related("operation")
        .order_by("ended_at", "pk")
    )
    seen: set[str] = set()
    for attempt in found.iterator():
        if attempt.bank_reference not in seen:
            seen.add(attempt.bank_reference)
            yield attempt


def _written(at: datetime | None) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else ""


def _deliver(bank: str, day: date, actor: str) -> Imported | None:
    name = f"{bank}-{day.isoformat()}.csv"
    with tempfile.TemporaryDirectory(prefix="ficpay-statement-") as folder:
        path = Path(folder) / name
        with path.open("w", encoding="utf-8", newline="") as output:
            write_statement(bank, day, output)
        try:
            return import_file(path, bank=bank, actor=actor, day=day, name=name)
        except AlreadyImported:
            return None


def _due(bank: str, now: datetime) -> list[date]:
    """The days that are over and have no statement yet, at most a month of them."""
    first = _first_day()
    last = (now - _RECORDED_WITHIN).date() - _ONE_DAY
    return uncovered_days(bank, first, last)[:_DAYS_AT_ONCE] if first is not None else []


def _first_day() -> date | None:
    """The day of the first test payment; None where there is none."""
    payments = Payment.objects.filter(merchant=OuterRef("pk"), mode=Mode.TEST)
    first = payments.order_by("created_at").values("created_at")[:1]
    found = Merchant.objects.annotate(first=Subquery(first)).aggregate(earliest=Min("first"))["earliest"]
    return found.astimezone(UTC).date() if found else None


def _is_over(day: date, now: datetime) -> bool:
    return now >= begin_of(day + _ONE_DAY) + _RECORDED_WITHIN
