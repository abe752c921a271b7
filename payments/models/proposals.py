"""Proposals that wait for a second person. A proposal is outdated once its subject has changed.

That is not recorded when it happens; it is derived here whenever proposals are read.
"""

from datetime import timedelta
from typing import Any

from django.db.models import Case, DateTimeField, F, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce, Greatest
from django.db.models.lookups import IsNull

from payments.domain.states import FINISHED_OPERATIONS, OperationKind, OperationState, PaymentState
from payments.models.clock import clock_in
from payments.models.discrepancies import LATE_REPLY, Discrepancy
from payments.models.operations import Operation
from payments.models.resolutions import Resolution

_Kind = Resolution.Kind


def standing_proposals() -> QuerySet[Resolution]:
    """Proposals that a second person may still approve."""
    return _undecided().annotate(outdated_at=_outdated_at()).filter(outdated_at=None)


def outdated_proposals() -> QuerySet[Resolution]:
    """Proposals that can no longer be approved, the latest first.

    Their state is PROPOSED until somebody decides on them or makes another proposal for the same subject.
    """
    outdated = _undecided().annotate(outdated_at=_outdated_at()).exclude(outdated_at=None)
    return outdated.order_by("-outdated_at", "-pk")


def outdated_of_late(within: timedelta) -> QuerySet[Resolution]:
    """Proposals that became outdated within that time before now, the latest first."""
    since = clock_in(-within.total_seconds())
    return outdated_proposals().annotate(since=_outdated_at()).filter(since__gt=since)


def _undecided() -> QuerySet[Resolution]:
    return Resolution.objects.filter(state=Resolution.State.PROPOSED)


def _outdated_at() -> Case:
    """When a proposal became outdated; null while it stands. Never before it was proposed."""
    changed_at = _changed_at()  # perhaps earlier, where the bank says when
    known = When(IsNull(changed_at, False), then=Greatest(changed_at, "proposed_at"))
    return Case(known, output_field=DateTimeField())


def _changed_at() -> Case:
    """When a proposal's subject was settled in another way, by the proposal's kind; null if it was not."""
    left_authorized = Coalesce("payment__captured_at", "payment__voided_at", "payment__expired_at")
    # Open ones first: while there is one, the proposal stands.
    late = Discrepancy.objects.filter(operation=OuterRef("operation"), kind=LATE_REPLY)
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
        # A partial refund since then: less is left than when it was proposed.
        When(kind=_Kind.REFUND, then=Subquery(refunded.values("finished_at")[:1])),
        When(kind=_Kind.SETTLE_LATE_REPLY, then=Subquery(late.values("closed_at")[:1])),
        When(
            kind=_Kind.VOID_HOLD,
            then=Subquery(releases.order_by("created_at").values("created_at")[:1]),
        ),
        When(needs_reference, then=never),
        When(operation__state__in=FINISHED_OPERATIONS, then="operation__finished_at"),
        output_field=DateTimeField(),
    )
