"""Proposals that wait for a second person. Each is outdated once what it is about has changed.

Nobody is told of the change when it happens: it is read here, whenever proposals are read.
"""

from datetime import timedelta
from typing import Any

from django.db.models import Case, DateTimeField, F, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce, Greatest
from django.db.models.lookups import IsNull

from payments.domain.states import FINISHED_OPERATIONS, OperationKind, OperationState, PaymentState
from payments.models.clock import clock_in
from payments.models.discrepancies import LATE_ANSWER, Discrepancy
from payments.models.operations import Operation
from payments.models.resolutions import Resolution

_Kind = Resolution.Kind


def standing_proposals() -> QuerySet[Resolution]:
    """Those that a second person may still approve."""
    return _undecided().annotate(outdated_at=_outdated_at()).filter(outdated_at=None)


def outdated_proposals() -> QuerySet[Resolution]:
    """Those that nobody can approve any more, the latest first.

    They are PROPOSED until somebody decides on them, or proposes something else for the same.
    """
    outdated = _undecided().annotate(outdated_at=_outdated_at()).exclude(outdated_at=None)
    return outdated.order_by("-outdated_at", "-pk")


def outdated_of_late(within: timedelta) -> QuerySet[Resolution]:
    """Those that have become outdated in that time before now, the latest first."""
    since = clock_in(-within.total_seconds())
    return outdated_proposals().annotate(since=_outdated_at()).filter(since__gt=since)


def _undecided() -> QuerySet[Resolution]:
    return Resolution.objects.filter(state=Resolution.State.PROPOSED)


def _outdated_at() -> Case:
    """Since when a proposal is outdated; null while it stands. Never before it was proposed."""
    changed_at = _changed_at()  # perhaps earlier, where the bank says when
    known = When(IsNull(changed_at, False), then=Greatest(changed_at, "proposed_at"))
    return Case(known, output_field=DateTimeField())


def _changed_at() -> Case:
    """When what a proposal is about was settled otherwise, by the proposal's kind; null while it was not."""
    left_authorized = Coalesce("payment__captured_at", "payment__voided_at", "payment__expired_at")
    # Open ones first: as long as there is one, the proposal stands.
    late = Discrepancy.objects.filter(operation=OuterRef("operation"), kind=LATE_ANSWER)
    late = late.order_by(F("closed_at").desc(nulls_first=True))
    releases = Operation.objects.filter(
        ~Q(state=OperationState.NOT_EXECUTED),
        ~Q(target_reference=""),  # as its index has it
        kind=OperationKind.RELEASE,
        bank=OuterRef("bank"),
        target_reference=OuterRef("reference"),
    )
    needs_reference = Q(
        kind=_Kind.RECORD_REFERENCE,
        operation__state=OperationState.SUCCEEDED,
        operation__bank_reference="",
    )
    refunded = Operation.objects.filter(
        kind=OperationKind.REFUND,
        payment=OuterRef("payment"),
        state=OperationState.SUCCEEDED,
        finished_at__gt=OuterRef("proposed_at"),
    ).order_by("finished_at")
    never: Any = Value(None, output_field=DateTimeField())
    return Case(
        When(
            Q(kind__in=[_Kind.CAPTURE, _Kind.VOID]) & ~Q(payment__state=PaymentState.AUTHORIZED),
            then=left_authorized,
        ),
        When(Q(kind=_Kind.REFUND) & ~Q(payment__state=PaymentState.CAPTURED), then="payment__refunded_at"),
        # A part that was given back since: less is left than whoever proposed it saw.
        When(kind=_Kind.REFUND, then=Subquery(refunded.values("finished_at")[:1])),
        When(kind=_Kind.SETTLE_LATE_ANSWER, then=Subquery(late.values("closed_at")[:1])),
        When(
            kind=_Kind.VOID_HOLD,
            then=Subquery(releases.order_by("created_at").values("created_at")[:1]),
        ),
        When(needs_reference, then=never),
        When(operation__state__in=FINISHED_OPERATIONS, then="operation__finished_at"),
        output_field=DateTimeField(),
    )
