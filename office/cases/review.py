"""The review queue: operations that FicPay cannot settle, or has not settled within an hour."""

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
from office.decisions.permissions import APPROVE, RESOLVE
from office.decisions.waiting import as_seen_by, decided_proposals, pending_proposals
from office.pages.rendering import render_page
from office.pages.words import age, state_label
from payments.domain.money import display
from payments.domain.outcomes import ReviewReason
from payments.domain.states import OperationKind, OperationState
from payments.engine.abilities import banks_with_stray_holds
from payments.engine.proofs import is_called_captured
from payments.models import Discrepancy, Event, Operation, standing_proposals
from payments.models.clock import read_clock
from payments.models.discrepancies import LATE_HOLD, LATE_REPLY, ORPHAN_REPLY

_OLD = timedelta(hours=1)
_SHOWN = 200  # a longer queue needs more staff, not more rows


@dataclass(frozen=True)
class Case:
    """One row: an operation, why it is in the queue, what to do about it, and who owns it."""

    operation: Operation
    amount: str
    age: str
    state: str
    why: str
    advice: str
    owner: User | None
    actions: list[tuple[str, str]]
    note: str = ""  # the newest
    proposal: int | None = None  # id of the proposal that waits for a second person


_WHY: dict[str, tuple[str, str]] = {
    ReviewReason.CAPTURE_ID_UNKNOWN: (
        "The bank says that the money is captured, but not under which id.",
        "Ask the bank for the capture's id, then record it.",
    ),
    ReviewReason.NOT_DEDUCIBLE: (
        "The bank says that it is already done, but another operation may have done it.",
        "Ask the bank what was done, then record its reference.",
    ),
    LATE_REPLY: (
        "The bank executed it, but our books say not executed.",
        "If the payment allows it, send it again: the bank replies that it is already done, and FicPay "
        "records that. Otherwise settle it with the bank, then record what was agreed.",
    ),
    ReviewReason.CONTRADICTION: (
        "The bank contradicts our books. It was healthy and said so more than once.",
        "Show the bank the timeline. When it has corrected its books, ask again.",
    ),
    ReviewReason.TOO_OLD_TO_ASK: (
        "The authorize has been in doubt for so long that the bank may have forgotten it.",
        "Wait for the bank's statement of that day. If it shows no hold, record that the authorize was not "
        "executed. If it shows a hold, void that hold first. Then record the authorize as not executed, and "
        "quote what the bank wrote.",
    ),
    ReviewReason.CANNOT_ASK: (
        "The bank may have executed it. It has no idempotency keys, so FicPay can neither ask nor resend.",
        "Look in the bank's portal or its settlement report for an authorization of this amount, card and "
        "time. If there is none, record that it was not executed, and quote the report. If there is one, ask "
        "the bank to free it, then record that. A hold found only in a report cannot be assigned to a "
        "payment.",
    ),
}


_ONCE_KNOWN = {
    OperationKind.VOID: (
        "Ask the bank what was done. Then record that the hold was voided, that it was captured (with the "
        "capture's reference), or that the void was not executed."
    ),
    OperationKind.RELEASE: (
        "Ask the bank what was done. Then record that the hold was voided, or that it was not."
    ),
}


def queue() -> list[Case]:
    """Operations that need review, or have been in doubt for more than an hour; oldest first."""
    now = read_clock()
    doubtful = Q(state=OperationState.OPEN, created_at__lt=now - _OLD, lease_expires_at__lt=now)
    # Read the ids first: an OR with a subquery would scan all operations.
    late = list(
        Discrepancy.objects.filter(kind=LATE_REPLY, closed_at=None).values_list("operation", flat=True)
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
    """One row: an operation that the bank executed and our database has lost."""

    case: Discrepancy
    kind: str
    amount: str
    age: str
    sent_as: str  # the id of the lost operation
    advice: str


_ORPHAN_ADVICE = {
    OperationKind.AUTHORIZE: (
        "If the merchant retries with the same idempotency key, FicPay finds it. If no retry comes while the "
        "bank remembers the key, void the hold."
    ),
    OperationKind.RELEASE: "Void the hold again. The bank replies that it is already done.",
}
_ORPHAN_STEP = (
    "If the payment allows it, send it again. The bank replies that it is already done; then record this "
    "reference. Otherwise settle it with the bank."
)


def orphans() -> list[Orphan]:
    """Orphan replies, oldest first. Recording the operation closes the case."""
    now = read_clock()
    cases = Discrepancy.objects.filter(kind=ORPHAN_REPLY, closed_at=None).select_related("payment")
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
    """The newest note of each payment."""
    payments = [operation.payment_id for operation in operations if operation.payment_id]
    notes = Event.objects.filter(payment__in=payments, type=Event.Type.NOTE_ADDED).order_by("id")
    return dict(notes.values_list("payment_id", "evidence__note"))


def _case(operation: Operation, kind: str | None, now: datetime) -> Case:
    why, advice = "No clear reply from the bank yet. Recovery keeps asking.", "Wait, or ask again now."
    if operation.state != OperationState.OPEN:
        why, advice = _WHY.get(kind or "", ("FicPay cannot settle it.", "Look at its timeline."))
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
    """The queue's page, for everybody who may view payments."""

    @require_safe
    def page(request: HttpRequest) -> HttpResponse:
        if not request.user.has_perm("payments.view_payment"):
            raise PermissionDenied
        context = {
            "title": "Review queue",
            "cases": queue(),
            "orphans": orphans(),
            "proposals": [(one, as_seen_by(request, one)) for one in pending_proposals()],
            "decided": decided_proposals(request),
            "may_resolve": request.user.has_perm(RESOLVE),
            "may_void_stray_holds": request.user.has_perm(RESOLVE) and bool(banks_with_stray_holds()),
            "may_approve": request.user.has_perm(APPROVE),
        }
        return render_page(request, "office/review.html", context)

    view: Callable[..., HttpResponse] = site.admin_view(page)
    return [path("review/", view, name="payments_review_queue")]
