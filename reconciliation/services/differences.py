"""Cases of differences: opened, changed and resolved by what is found, and looked after by staff.

A case is named by its bank, kind and subject, so finding a difference again never doubles it. Every step is
in its history. What staff do runs in the caller's transaction or in one of its own, and locks the case.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from payments.models.clock import ClockTimestamp, read_clock
from reconciliation.matching.classes import proposed_resolution
from reconciliation.models import Difference, DifferenceEvent, Run
from reconciliation.services.bank_lock import lock_bank

State, Step = Difference.State, DifferenceEvent.Type
OPEN_STATES = (State.OPEN, State.ASSIGNED)
_AT_ONCE = 1000


@dataclass(frozen=True)
class Found:
    """A difference, as a look at a bank finds it. The amount is in minor units; none for a day."""

    kind: str  # of Difference.Kind
    bank: str
    subject: str  # `line:<id>`, `op:<hex>` or `day:<YYYY-MM-DD>`
    happened_at: datetime  # UTC
    amount_minor: int | None = None
    currency: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)  # {"bank": {...} or None, "books": {...} or None}
    line: int | None = None
    operation: UUID | None = None
    payment: UUID | None = None
    merchant: int | None = None

    @property
    def name(self) -> tuple[str, str, str]:
        return self.bank, self.subject, self.kind


class CaseChanged(Exception):
    """The case is not as the caller saw it. The message is a sentence for staff."""


def open_differences(bank: str | None = None) -> QuerySet[Difference]:
    """Open cases, those that somebody has taken included; the oldest first."""
    found = Difference.objects.filter(state__in=OPEN_STATES).order_by("happened_at", "id")
    return found.filter(bank=bank) if bank else found


def resolution_proposed(difference: Difference) -> str:
    """What to do about it, as sentences."""
    return proposed_resolution(difference.kind)


def record(
    found: Iterable[Found], *, run: Run | None, looked_at: QuerySet[Difference], actor: str = ""
) -> list[int]:
    """Open, change, open again and resolve cases by what was found, inside the caller's transaction.

    `looked_at` are the cases that this look would have found again: those that it has not are resolved.
    `actor` defaults to the run's. Returns the ids of the found ones. Locks the bank.
    """
    by = actor or (run.actor if run else "system")
    ids: list[int] = []
    pending = iter(found)
    while chunk := list(islice(pending, _AT_ONCE)):
        ids += _record(chunk, run, by)
    known = set(ids)
    left = looked_at.exclude(state=State.RESOLVED).values_list("id", flat=True)
    gone = [one for one in left if one not in known]
    for start in range(0, len(gone), _AT_ONCE):
        _resolve(gone[start : start + _AT_ONCE], by)
    return ids


def _record(found: list[Found], run: Run | None, actor: str) -> list[int]:
    for bank in sorted({one.bank for one in found}):
        lock_bank(bank)
    by_name = {one.name: one for one in found}
    known = {
        (one.bank, one.subject, one.kind): one
        for one in Difference.objects.select_for_update()
        .filter(
            bank__in={one.bank for one in found},
            subject__in=[one.subject for one in found],
        )
        .order_by("id")
    }
    again = [(one, by_name[name]) for name, one in known.items() if name in by_name]
    steps = [step for difference, it in again for step in _found_again(difference, it, actor)]
    Difference.objects.bulk_update([step.difference for step in steps], _CHANGING)
    Difference.objects.filter(pk__in=[difference.pk for difference, _ in again]).update(found_by=run)
    opened = [_new(one, run) for name, one in by_name.items() if name not in known]
    Difference.objects.bulk_create(opened)
    steps += [_event(one, Step.OPENED, actor, evidence=one.evidence) for one in opened]
    DifferenceEvent.objects.bulk_create(steps)
    return [*(difference.pk for difference, _ in again), *(one.pk for one in opened)]


_CHANGING = [
    *("state", "owner", "reason", "closed_at"),
    *("amount_minor", "currency", "happened_at", "evidence"),
]


def _new(found: Found, run: Run | None) -> Difference:
    return Difference(
        kind=found.kind,
        bank=found.bank,
        subject=found.subject,
        line_id=found.line,
        operation_id=found.operation,
        payment_id=found.payment,
        merchant_id=found.merchant,
        amount_minor=found.amount_minor,
        currency=found.currency,
        happened_at=found.happened_at,
        evidence=found.evidence,
        found_by=run,
    )


def _found_again(difference: Difference, found: Found, actor: str) -> list[DifferenceEvent]:
    """The steps of a known case that was found again. An accepted one stays so unless its money changes."""
    had = (difference.amount_minor, difference.currency)
    is_other_money = had != (found.amount_minor, found.currency)
    is_other = is_other_money or difference.evidence != found.evidence
    was = difference.state
    difference.amount_minor, difference.currency = found.amount_minor, found.currency
    difference.happened_at, difference.evidence = found.happened_at, found.evidence
    if was == State.RESOLVED or (was == State.ACCEPTED and is_other_money):
        difference.state, difference.closed_at = State.OPEN, None
        difference.owner, difference.reason = None, ""
        return [_event(difference, Step.REOPENED, actor, evidence=found.evidence)]
    return [_event(difference, Step.CHANGED, actor, evidence=found.evidence)] if is_other else []


def _resolve(ids: list[int], actor: str) -> None:
    left = Difference.objects.select_for_update().filter(pk__in=ids).order_by("id")
    gone = list(left.exclude(state=State.RESOLVED))
    Difference.objects.filter(pk__in=[one.pk for one in gone]).update(
        state=State.RESOLVED, closed_at=read_clock()
    )
    DifferenceEvent.objects.bulk_create(_event(one, Step.RESOLVED, actor) for one in gone)


def _event(
    difference: Difference, kind: str, actor: str, *, reason: str = "", evidence: dict[str, Any] | None = None
) -> DifferenceEvent:
    return DifferenceEvent(
        difference=difference, type=kind, actor=actor, reason=reason, evidence=evidence or {}
    )


def found_by_statements(bank: str) -> QuerySet[Difference]:
    """The bank's cases that its statements have shown, not its API and not a missing day."""
    return Difference.objects.filter(bank=bank, found_by__kind=Run.Kind.STATEMENTS).exclude(
        kind=Difference.Kind.STATEMENT_MISSING
    )


def assign(difference_id: int, *, owner_id: int, instead_of: int | None, actor: str) -> None:
    """Give an open case to a user. `instead_of`: the owner that the caller saw; None: nobody.

    Raises CaseChanged if it has ended or belongs to somebody else.
    """
    with _open_case(difference_id) as case:
        if case.owner_id == owner_id:
            return
        if case.owner_id != instead_of:
            owner = case.owner.get_username() if case.owner else "nobody"
            raise CaseChanged(f"The case belongs to {owner} now.")
        case.state, case.owner_id = State.ASSIGNED, owner_id
        case.save(update_fields=["state", "owner"])
        DifferenceEvent.objects.create(difference=case, type=Step.ASSIGNED, actor=actor)


def give_back(difference_id: int, *, owner_id: int, actor: str) -> None:
    """Have an open case without an owner again. Raises CaseChanged if it has ended or is not this user's."""
    with _open_case(difference_id) as case:
        if case.owner_id != owner_id:
            raise CaseChanged("The case is not yours.")
        case.state, case.owner = State.OPEN, None
        case.save(update_fields=["state", "owner"])
        DifferenceEvent.objects.create(difference=case, type=Step.GIVEN_BACK, actor=actor)


def accept(difference_id: int, *, reason: str, actor: str) -> None:
    """Close an open case though the difference stays. Raises CaseChanged if it has ended."""
    with _open_case(difference_id) as case:
        case.state, case.reason, case.closed_at = State.ACCEPTED, reason, ClockTimestamp()
        case.save(update_fields=["state", "reason", "closed_at"])
        DifferenceEvent.objects.create(difference=case, type=Step.ACCEPTED, actor=actor, reason=reason)


@contextmanager
def _open_case(difference_id: int) -> Iterator[Difference]:
    """The open case, locked. Raises CaseChanged if it has ended."""
    with transaction.atomic():
        case = Difference.objects.select_for_update(no_key=True).get(pk=difference_id)
        if case.state not in OPEN_STATES:
            raise CaseChanged(f"The case is already {case.state}.")
        yield case
