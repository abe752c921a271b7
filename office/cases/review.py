"""The review queue: what the machine could not settle, and what it has not settled for an hour."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.http import require_safe

from office.decisions.actions import resolutions_of
from office.decisions.denials import is_called_captured
from office.decisions.permissions import APPROVE, RESOLVE
from office.decisions.waiting import became_of, read_by, waiting
from office.pages.framed import framed
from office.pages.words import age, state_label
from payments.domain.money import display
from payments.domain.outcomes import ReviewReason
from payments.domain.states import OperationKind, OperationState
from payments.engine.abilities import banks_with_stray_holds
from payments.models import Discrepancy, Event, Operation, standing_proposals
from payments.models.clock import read_clock
from payments.models.discrepancies import LATE_ANSWER, LATE_HOLD, ORPHAN_ANSWER

_OLD = timedelta(hours=1)
_SHOWN = 200  # whoever has more before them needs more people, not more rows


@dataclass(frozen=True)
class Case:
    """One row: an operation, why it is here, and what is proposed to do about it."""

    operation: Operation
    amount: str
    age: str
    state: str
    why: str
    advice: str
    owner: User | None
    actions: list[tuple[str, str]]
    note: str = ""  # the newest one
    proposal: int | None = None  # the id of what waits for a second person


_WHY: dict[str, tuple[str, str]] = {
    ReviewReason.CAPTURE_ID_UNKNOWN: (
        "Captured at the bank, as far as it says; the capture's id is unknown.",
        "Ask the bank for the capture's id and record it.",
    ),
    ReviewReason.NOT_DEDUCIBLE: (
        "The bank says that it is done, but something else may have done it.",
        "Find out at the bank what was done, then record its reference.",
    ),
    LATE_ANSWER: (
        "The bank has executed what is recorded as not executed.",
        "Where the payment allows it, instruct it again: the bank says that it is done, which is recorded. "
        "Otherwise settle it with the bank, and record how.",
    ),
    ReviewReason.CONTRADICTION: (
        "The bank contradicts our books, repeatedly and in good health.",
        "Show the bank the timeline; ask again when it has mended its books.",
    ),
    ReviewReason.TOO_OLD_TO_ASK: (
        "An authorize in doubt for so long that the bank may have forgotten it.",
        "Wait for the statement of that day. If it shows no hold, record that it was not executed; "
        "if it shows one, void that hold, then record it on the bank's written word.",
    ),
    ReviewReason.CANNOT_ASK: (
        "The bank may have executed it, and cannot be asked: it knows no keys. Nothing is sent again.",
        "Look in the bank's own books or its settlement report for an authorization of this amount, card and "
        "time. If there is none, record that it was not executed, and quote what shows it. If there is one, "
        "have the bank release it and record that: a hold known only from a report is nobody's.",
    ),
}


_ONCE_KNOWN = {
    OperationKind.VOID: (
        "Find out at the bank what was done, then record that the hold was voided, that it was captured "
        "(with the capture's reference), or that the void was not executed."
    ),
    OperationKind.RELEASE: (
        "Find out at the bank what was done, then record that the hold was voided, or that it was not."
    ),
}


def queue() -> list[Case]:
    """Operations under review, and doubts older than an hour, the oldest first."""
    now = read_clock()
    doubtful = Q(state=OperationState.OPEN, created_at__lt=now - _OLD, lease_expires_at__lt=now)
    # Their ids first: an OR with a subquery reads all operations there are.
    late = list(
        Discrepancy.objects.filter(kind=LATE_ANSWER, closed_at=None).values_list("operation", flat=True)
    )
    operations = (
        Operation.objects.filter(Q(state=OperationState.NEEDS_REVIEW) | doubtful | Q(pk__in=late))
        .select_related("payment", "assignment__owner")
        .prefetch_related("attempts", "discrepancies")
        .order_by("created_at")[:_SHOWN]
    )
    listed = list(operations)
    kinds = dict(
        Discrepancy.objects.filter(operation__in=listed, closed_at=None)
        .exclude(kind=LATE_HOLD)
        .values_list("operation_id", "kind")
    )
    notes = _newest_notes(listed)
    proposed = standing_proposals().filter(operation__in=listed)
    proposals = dict(proposed.values_list("operation_id", "pk"))
    return [
        replace(
            _case(operation, kinds.get(operation.pk), now),
            actions=resolutions_of(operation, is_proposed=operation.pk in proposals),
            note=notes.get(operation.payment_id, ""),
            proposal=proposals.get(operation.pk),
        )
        for operation in listed
    ]


@dataclass(frozen=True)
class Orphan:
    """One row: an answer of the bank's of which our database has lost the record."""

    case: Discrepancy
    kind: str
    amount: str
    age: str
    sent_as: str  # the operation's id, as it was
    advice: str


_ORPHAN_ADVICE = {
    OperationKind.AUTHORIZE: (
        "The merchant's retry under the same idempotency key finds it. Later nobody claims it any "
        "more: void the hold."
    ),
    OperationKind.RELEASE: "Void the hold again: the bank says that it is done.",
}
_ORPHAN_STEP = (
    "Where the payment allows it, instruct it again; the bank says that it is done; then record this "
    "reference. Otherwise settle it with the bank."
)


def orphans() -> list[Orphan]:
    """Orphan answers that are not in our books yet, the oldest first. They are closed by being recorded."""
    now = read_clock()
    cases = Discrepancy.objects.filter(kind=ORPHAN_ANSWER, closed_at=None).select_related("payment")
    return [
        Orphan(
            case=case,
            kind=case.evidence["kind"],
            amount=display(case.evidence["amount"], case.evidence["currency"]),
            age=age(now - case.opened_at),
            sent_as=case.evidence["operation"],
            advice=_ORPHAN_ADVICE.get(OperationKind(case.evidence["kind"]), _ORPHAN_STEP),
        )
        for case in cases.order_by("opened_at")[:_SHOWN]
    ]


def _newest_notes(operations: list[Operation]) -> dict[UUID | None, str]:
    """By payment."""
    payments = [operation.payment_id for operation in operations if operation.payment_id]
    notes = Event.objects.filter(payment__in=payments, type=Event.Type.NOTE_ADDED).order_by("id")
    return dict(notes.values_list("payment_id", "evidence__note"))


def _case(operation: Operation, kind: str | None, now: datetime) -> Case:
    why, advice = "No clear answer from the bank yet; recovery goes on asking.", "Wait, or ask again now."
    if operation.state != OperationState.OPEN:
        why, advice = _WHY.get(kind or "", ("The machine cannot settle it.", "Look at its timeline."))
        if kind == ReviewReason.NOT_DEDUCIBLE or is_called_captured(operation):
            advice = _ONCE_KNOWN.get(OperationKind(operation.kind), advice)
    assignment = getattr(operation, "assignment", None)
    return Case(
        operation=operation,
        amount=display(operation.amount_minor, operation.currency),
        age=age(now - operation.created_at),
        state=state_label(operation.state),
        why=why,
        advice=advice,
        owner=assignment.owner if assignment else None,
        actions=[],
    )


def urls(site: admin.AdminSite) -> list[Any]:
    """The queue's page, for all who may look at payments."""

    @require_safe
    def page(request: HttpRequest) -> HttpResponse:
        if not request.user.has_perm("payments.view_payment"):
            raise PermissionDenied
        context = {
            "title": "Review queue",
            "cases": queue(),
            "orphans": orphans(),
            "proposals": [(one, read_by(request, one)) for one in waiting()],
            "became": became_of(request),
            "may_resolve": request.user.has_perm(RESOLVE),
            "may_void_stray_holds": request.user.has_perm(RESOLVE) and bool(banks_with_stray_holds()),
            "may_approve": request.user.has_perm(APPROVE),
        }
        return framed(request, "office/review.html", context)

    view: Callable[..., HttpResponse] = site.admin_view(page)
    return [path("review/", view, name="payments_review_queue")]
