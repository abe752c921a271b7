"""Settlement: what was captured and matched becomes what the bank pays the merchant, less refunds and fees.

One settlement for each payee and UTC day, in a transaction of its own. It has everything not settled yet,
whatever its day, so what a statement shows late is settled later. Nothing is settled twice though it runs
twice, or is killed in between: a payee's settlements wait for each other, and each operation has one line.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, TypedDict

from django.db import connection
from django.db.models import QuerySet

from payments.domain.days import begin_of
from payments.domain.ids import new_id, public_id
from payments.domain.settlement import Sums, postings_of_settlement
from payments.models import Event, write_entry
from payments.models.clock import read_clock
from payments.models.patience import unhurried, wait_briefly
from reconciliation.models import Settlement
from reconciliation.models.settlements import SETTLEMENT_PREFIX
from reconciliation.services.settling import CHOOSE, LINES, PAYEES, SUMS, TABLE

_LONGEST_SETTLEMENT = 600.0  # seconds to wait for another process that settles the same payee


class SettlementRefused(Exception):
    """The day cannot be settled. The message is a sentence for operators."""


class PayeeColumns(TypedDict):
    """The columns that say whose a row is: of settlements, corrections, entries."""

    merchant_id: int
    mode: str
    bank: str
    currency: str


@dataclass(frozen=True)
class Payee:
    """A merchant in one mode, at one bank, in one currency: what has a settlement of its own."""

    merchant_id: int
    slug: str
    mode: str
    bank: str
    currency: str

    def __str__(self) -> str:
        return f"{self.slug}'s {self.mode} {self.currency} at {self.bank}"

    @property
    def columns(self) -> PayeeColumns:
        return columns_of(self)


def columns_of(row: "Payee | Settlement") -> PayeeColumns:
    """Whose it is."""
    return {
        "merchant_id": row.merchant_id,
        "mode": row.mode,
        "bank": row.bank,
        "currency": row.currency,
    }


@dataclass(frozen=True)
class Proposed:
    """What a settlement would be. It is made of so many operations and corrections."""

    payee: Payee
    sums: Sums
    lines: int


def settle(day: date, *, actor: str, now: datetime | None = None) -> list[Settlement]:
    """The day's settlements: made now, or earlier by another run.

    Raises SettlementRefused if the day (UTC) is not over, or if a payee with something left to settle has a
    settlement of a later day.
    """
    found = (_settle_payee(payee, day, actor) for payee in _payees(day, now or read_clock()))
    return [settlement for settlement in found if settlement is not None]


def propose(day: date, *, now: datetime | None = None) -> list[Proposed]:
    """The settlements that `settle` would make, which changes nothing. Raises SettlementRefused likewise."""
    proposed = []
    for payee in _payees(day, now or read_clock()):
        with unhurried():
            if not _settlements_of(payee).filter(date=day).exists():
                proposed.append(_choose(payee, day))
    return proposed


def _payees(day: date, now: datetime) -> list[Payee]:
    """Those with anything to settle up to the end of the day, or with a settlement of the day."""
    if _end_of(day) > now:
        raise SettlementRefused(f"{day} (UTC) is not over yet. Settle it after midnight.")
    with unhurried(), connection.cursor() as cursor:
        cursor.execute(PAYEES, {"day": day, "end": _end_of(day)})
        rows = cursor.fetchall()
        payees = {Payee(*row): latest for *row, latest in rows}
        for payee, latest in payees.items():
            if latest and latest > day and not _settlements_of(payee).filter(date=day).exists():
                raise _too_late(payee, day, latest)
    return list(payees)


def _settle_payee(payee: Payee, day: date, actor: str) -> Settlement | None:
    with unhurried():
        _wait_for_others(payee)
        latest = _settlements_of(payee).filter(date__gte=day).order_by("date").first()
        if latest and latest.date > day:
            raise _too_late(payee, day, latest.date)
        if latest:
            return latest
        chosen = _choose(payee, day)
        if not chosen.lines:
            return None
        return _write(payee, day, chosen.sums, actor)


def _wait_for_others(payee: Payee) -> None:
    wait_briefly(_LONGEST_SETTLEMENT)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"settlement of {payee}"])


def _choose(payee: Payee, day: date) -> Proposed:
    """Put what the payee's settlement consists of into the table `settling`, and add it up."""
    last = _settlements_of(payee).filter(date__lt=day).order_by("-date").first()
    wanted: dict[str, Any] = {**payee.columns, "end": _end_of(day)}
    with connection.cursor() as cursor:
        cursor.execute(TABLE)
        cursor.execute(CHOOSE, wanted)
        cursor.execute(SUMS)
        lines, captured, refunded, fees, corrected = cursor.fetchone()
    brought_forward = last.carried_forward_minor if last else 0
    return Proposed(payee, Sums(captured, refunded, fees, corrected, brought_forward), lines)


def _write(payee: Payee, day: date, sums: Sums, actor: str) -> Settlement:
    """The settlement of what is in `settling`: its event, its lines and its entry in the ledger."""
    settlement_id = new_id()
    amounts = {
        "captured_minor": sums.captured_minor,
        "refunded_minor": sums.refunded_minor,
        "fees_minor": sums.fees_minor,
        "corrected_minor": sums.corrected_minor,
        "brought_forward_minor": sums.brought_forward_minor,
        "amount_minor": sums.amount_minor,
        "carried_forward_minor": sums.carried_forward_minor,
    }
    event = Event.objects.create(
        type=Event.Type.SETTLEMENT_CREATED,
        actor=actor,
        evidence={"settlement": public_id(SETTLEMENT_PREFIX, settlement_id), **amounts},
    )
    settlement = Settlement.objects.create(
        id=settlement_id, date=day, event=event, **payee.columns, **amounts
    )
    with connection.cursor() as cursor:
        cursor.execute(LINES, {"settlement": settlement_id})
    write_entry(event, postings_of_settlement(sums), **payee.columns)
    return settlement


def _settlements_of(payee: Payee) -> QuerySet[Settlement]:
    return Settlement.objects.filter(**payee.columns)


def _end_of(day: date) -> datetime:
    return begin_of(day + timedelta(days=1))


def _too_late(payee: Payee, day: date, latest: date) -> SettlementRefused:
    return SettlementRefused(
        f"{day} cannot be settled any more: {payee} is settled up to {latest}. What is left of {day} is part "
        "of the next settlement."
    )
