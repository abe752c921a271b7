"""Proposals that wait for a second person. Each subject has at most one.

A proposal is outdated when its subject is settled in another way (`payments.models.proposals`). It ends, with
an event, when somebody next tries to decide it or makes a new proposal.
"""

from django.db import transaction
from django.db.models import Q

from office.decisions.evidence import Kind, Proposal
from office.decisions.kinds import KINDS
from office.log.staff import Staff, log_action
from payments.models import Event, Operation, Payment, Resolution, outdated_proposals, standing_proposals
from payments.models.clock import ClockTimestamp

OUTDATED = "This proposal is outdated: its subject has been settled in another way."


def pending_about(operation: Operation | None, payment: Payment | None = None) -> Resolution | None:
    """The pending proposal about an operation or, without one, to instruct about a payment."""
    about = Q(operation=operation) if operation else Q(payment=payment, operation=None)
    return standing_proposals().filter(about).select_related("proposed_by").first()


def with_same_subject(proposal: Proposal) -> Q:
    """Proposals with the same subject; the database accepts one pending proposal among them."""
    if proposal.operation is not None:
        return Q(operation=proposal.operation)
    if proposal.payment is not None:
        return Q(payment=proposal.payment, operation=None)
    return Q(kind=Kind.VOID_HOLD, bank=proposal.bank, reference=proposal.reference)


def is_outdated(proposed: Resolution) -> bool:
    """Whether it can no longer be approved."""
    return outdated_proposals().filter(pk=proposed.pk).exists()


def why_outdated(proposed: Resolution) -> str:
    """What has happened to an outdated proposal's subject, as a sentence."""
    return KINDS[proposed.kind].why_outdated(proposed)


def end_outdated(staff: Staff, which: Q) -> bool:
    """End the outdated proposals among these, each with its event. Returns whether there were any.

    Skips proposals that another transaction is deciding.
    """
    with transaction.atomic():
        found = outdated_proposals().filter(which).select_related("payment", "operation", "proposed_by")
        outdated = list(found.select_for_update(of=("self",), skip_locked=True))
        for proposal in outdated:
            because = why_outdated(proposal)
            proposal.state = Resolution.State.OUTDATED
            proposal.decided_at = ClockTimestamp()
            proposal.decided_because = because
            proposal.save(update_fields=["state", "decided_at", "decided_because"])
            log_action(
                staff,
                Event.Type.RESOLUTION_OUTDATED,
                payment=proposal.payment,
                operation=proposal.operation,
                resolution=proposal.pk,
                kind=proposal.kind,
                proposed_by=proposal.proposed_by.get_username(),
                because=because,
            )
    return bool(outdated)
