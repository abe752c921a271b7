"""Proposals that wait for a second person: one at a time about one thing, until one of them is decided.

What a proposal is about may be settled otherwise meanwhile; then it is outdated
(`payments.models.proposals`). It ends, with its event, when somebody decides on it or proposes anew.
"""

from django.db import transaction
from django.db.models import Q

from office.decisions.evidence import Kind, Proposal
from office.decisions.kinds import KINDS
from office.log.staff import Staff, log_action
from payments.models import Event, Operation, Payment, Resolution, outdated_proposals, standing_proposals
from payments.models.clock import ClockTimestamp

OUTDATED = "This proposal is outdated: what it was about has been settled otherwise."


def waiting_for(operation: Operation | None, payment: Payment | None = None) -> Resolution | None:
    """What is proposed already about an operation, or to be instructed about a payment: one at a time."""
    about = Q(operation=operation) if operation else Q(payment=payment, operation=None)
    return standing_proposals().filter(about).select_related("proposed_by").first()


def of_the_same(proposal: Proposal) -> Q:
    """Proposals beside which the database takes no other."""
    if proposal.operation is not None:
        return Q(operation=proposal.operation)
    if proposal.payment is not None:
        return Q(payment=proposal.payment, operation=None)
    return Q(kind=Kind.VOID_HOLD, bank=proposal.bank, reference=proposal.reference)


def is_outdated(proposed: Resolution) -> bool:
    """Whether nobody can approve it any more."""
    return outdated_proposals().filter(pk=proposed.pk).exists()


def why_outdated(proposed: Resolution) -> str:
    """What has become of what an outdated proposal is about, in a sentence."""
    return KINDS[proposed.kind].why_outdated(proposed)


def end_outdated(staff: Staff, which: Q) -> bool:
    """End those that are outdated, each with its event; whether there was one.

    What is being decided at this moment is left to whoever decides it.
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
