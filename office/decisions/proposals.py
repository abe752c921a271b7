"""Proposals that wait for a second person end with what they are about: nobody can approve them any more."""

from uuid import UUID

from django.db import connection
from django.db.models import Q, QuerySet

from payments.models import Event, Operation, Payment, Resolution
from payments.models.clock import ClockTimestamp

_PROPOSED = Resolution.State.PROPOSED


def about(operation_id: UUID, payment_id: UUID | None) -> QuerySet[Resolution]:
    """Whatever waits for a second person about an operation and its payment."""
    which = Q(operation=operation_id)
    if payment_id is not None:
        which |= Q(payment=payment_id)
    return Resolution.objects.filter(which, state=_PROPOSED)


def waiting_for(operation: Operation | None, payment: Payment | None = None) -> Resolution | None:
    """What is proposed already about an operation, or to be instructed about a payment: one at a time."""
    which = about_operation(operation) if operation else of_instructions(payment) if payment else None
    if which is None:
        return None
    waiting = Resolution.objects.filter(which, state=_PROPOSED).select_related("proposed_by")
    return waiting.first()


def about_operation(operation: Operation) -> Q:
    """What is proposed to be recorded about an operation."""
    return Q(operation=operation)


def of_instructions(payment: Payment) -> Q:
    """What is proposed to be instructed for the merchant. Each state of a payment allows other steps."""
    return Q(payment=payment, operation=None)


def of_late_answers(payment: Payment, kind: str) -> Q:
    """How it is proposed to settle what the bank has done in spite of our books."""
    return Q(kind=Resolution.Kind.SETTLE_LATE_ANSWER, payment=payment, operation__kind=kind)


def about_stray_hold(bank: str, reference: str) -> Q:
    """That a hold is proposed to be voided which no payment has."""
    return Q(kind=Resolution.Kind.VOID_HOLD, bank=bank, reference=reference)


def lock_stray_hold(bank: str, reference: str) -> None:
    """One at a time: it has no row to lock. Until the caller's transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"{bank} {reference}"])


def end(which: Q, *, because: str, actor: str, request_id: str) -> None:
    """End what is still proposed, inside the transaction that settles it otherwise; each with its event.

    What they are about is locked before, as by whoever proposes or approves: in this order.
    """
    waiting = Resolution.objects.select_for_update(of=("self",)).filter(which, state=_PROPOSED)
    for proposal in waiting.select_related("proposed_by").order_by("pk"):
        proposal.state = Resolution.State.OUTDATED
        proposal.decided_at = ClockTimestamp()
        proposal.decided_because = because[:500]
        proposal.save(update_fields=["state", "decided_at", "decided_because"])
        Event.objects.create(
            payment_id=proposal.payment_id,
            operation_id=proposal.operation_id,
            type=Event.Type.RESOLUTION_OUTDATED,
            actor=actor,
            request_id=request_id,
            evidence={
                "resolution": proposal.pk,
                "kind": proposal.kind,
                "proposed_by": proposal.proposed_by.get_username(),
                "because": because,
            },
        )
