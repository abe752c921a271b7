"""The kinds of decisions, one file each."""

from office.decisions.evidence import Basis, Proposal
from office.decisions.kinds.base import AboutOperation, DecisionKind
from office.decisions.kinds.instruct import INSTRUCTIONS
from office.decisions.kinds.record_captured import RecordCaptured
from office.decisions.kinds.record_not_executed import RecordNotExecuted
from office.decisions.kinds.record_reference import RecordReference
from office.decisions.kinds.record_voided import RecordVoided
from office.decisions.kinds.settle_late_reply import SettleLateReply
from office.decisions.kinds.void_hold import VoidHold
from payments.models import Operation

# In the order of their buttons on the page.
ABOUT_OPERATIONS: tuple[AboutOperation, ...] = (
    *(RecordReference(), RecordVoided(), RecordCaptured(), RecordNotExecuted(), SettleLateReply()),
)
VOID_HOLD = VoidHold()
_ALL: tuple[DecisionKind, ...] = (*ABOUT_OPERATIONS, VOID_HOLD, *INSTRUCTIONS.values())
KINDS: dict[str, DecisionKind] = {one.kind: one for one in _ALL}


def verify(proposal: Proposal) -> Basis:
    """Check the proposal against our books and the bank's. Returns the money that it is about.

    Raises CannotResolve, or Outdated if something has changed since the page was shown.
    """
    return KINDS[proposal.kind].verify(proposal)


def needs_second(proposal: Proposal, basis: Basis) -> bool:
    """Whether another person must approve it, because of its amount or its weak evidence."""
    return KINDS[proposal.kind].needs_second(proposal, basis)


def due(operation: Operation) -> AboutOperation | None:
    """The decision that an operation still needs although it has ended, if there is one."""
    return next((one for one in ABOUT_OPERATIONS if one.is_due(operation)), None)
