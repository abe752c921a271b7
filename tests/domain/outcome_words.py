"""Replies, histories and names of outcomes that several of these tests use."""

from datetime import UTC, datetime

from payments.domain.outcomes import (
    Checks,
    Declined,
    History,
    InDoubt,
    NeedsReview,
    NotExecuted,
    Outcome,
    Rejected,
    Succeeded,
)
from payments.domain.replies import ISSUERS, Approval, BankError, Decline, Reply, Said
from payments.domain.states import OperationKind

EXPIRES_AT = datetime(2026, 11, 28, tzinfo=UTC)
UNKNOWN = Checks()
FRESH = History()
AFTER_DOUBT = History(any_in_doubt=True)  # the bank's reply to an attempt was a 500
AFTER_SILENCE = History(any_in_doubt=True, silent=1)
AFTER_SILENCES = History(any_in_doubt=True, silent=2)
DONE_BY_OTHERS = History(any_in_doubt=True, silent=1, done_by_others=True)
BESIDE_A_CALL = History(any_in_doubt=True, silent=1, may_be_alive=True)
APPROVED = Approval(200, "ref", replayed=False, expires_at=EXPIRES_AT)
REPLAYED = Approval(200, "ref", replayed=True, expires_at=EXPIRES_AT)
KINDS = tuple(OperationKind)
INSTRUCTED = (OperationKind.AUTHORIZE, OperationKind.CAPTURE, OperationKind.VOID, OperationKind.REFUND)

DOUBT = "in doubt, replay"
CONTRADICTION = "contradiction"
NOT_EXECUTED = "not executed"
SUCCEEDED = "succeeded"
AWAITING = "succeeded, awaiting statement"
DECLINED = "declined"
DECLINED_AWAITING = "declined, awaiting statement"
REJECTED = "rejected"
REVIEW = "needs review"


def spelled(outcome: Outcome) -> str:
    """An outcome as the tests' table names it."""
    match outcome:
        case Succeeded():
            return AWAITING if outcome.strays_awaited else SUCCEEDED
        case Declined():
            return DECLINED_AWAITING if outcome.strays_awaited else DECLINED
        case Rejected():
            return REJECTED
        case NotExecuted():
            return NOT_EXECUTED
        case InDoubt():
            return DOUBT if outcome.retry else CONTRADICTION
        case NeedsReview():
            return REVIEW


def says(said: Said) -> Reply:
    """A bank's no, in our words; its own status and code decide nothing."""
    return Decline(said, 400) if said in ISSUERS else BankError(said, 400)
