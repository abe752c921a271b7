"""Releases: voids of ours that free a hold nobody will capture.

An expired hold blocks the cardholder's funds until it is voided (the bank's contract). A release may coexist
with another unfinished operation and changes no payment's state; recovery sends it.
"""

from dataclasses import dataclass
from datetime import datetime

from payments.domain.ids import new_id
from payments.domain.outcomes import Declined, Final, NotExecuted, Rejected, Succeeded
from payments.domain.states import OperationKind
from payments.engine import claim, conclude
from payments.models import Event, Operation, Payment
from payments.models.clock import ClockTimestamp

SYSTEM_ACTOR = "system"


@dataclass(frozen=True)
class Hold:
    """A hold at a bank, by the bank's id. `amount_minor` is in minor units of the currency."""

    bank: str
    reference: str
    amount_minor: int
    currency: str


def request_release(payment: Payment, *, hold: str, because: str, request_id: str = "") -> Operation:
    """Record a release of a hold made for the payment, due at once, inside the caller's transaction.

    `hold` is the bank's id of the authorization, which may differ from the payment's own; `because` is for
    the history.
    """
    return _record(
        Hold(payment.bank, hold, payment.amount_minor, payment.currency),
        payment=payment,
        actor=SYSTEM_ACTOR,
        because=because,
        request_id=request_id,
    )


def request_release_of_stray(hold: Hold, *, actor: str, because: str, request_id: str) -> Operation:
    """Record a release of a hold without a payment, due at once, inside the caller's transaction."""
    return _record(hold, payment=None, actor=actor, because=because, request_id=request_id)


def _record(hold: Hold, *, payment: Payment | None, actor: str, because: str, request_id: str) -> Operation:
    operation_id = new_id()
    operation = Operation.objects.create(
        id=operation_id,
        payment=payment,
        kind=OperationKind.RELEASE,
        bank=hold.bank,
        amount_minor=hold.amount_minor,
        currency=hold.currency,
        target_reference=hold.reference,
        bank_idempotency_key=claim.own_bank_key(operation_id),
        lease_epoch=0,
        lease_expires_at=ClockTimestamp(),
        actor=actor,
        request_id=request_id,
    )
    Event.objects.create(
        payment=payment,
        operation=operation,
        type=Event.Type.RELEASE_REQUESTED,
        actor=actor,
        request_id=request_id,
        evidence={"because_of": because},
    )
    return operation


def record_outcome(operation: Operation, outcome: Final, at: datetime) -> Event.Type:
    """Changes no payment. FicPay leaves a release open until the hold is freed."""
    match outcome:
        case Succeeded():
            operation.discrepancies.filter(closed_at=None).update(closed_at=at)
            return Event.Type.RELEASE_SUCCEEDED
        case NotExecuted():  # staff found that the hold cannot be freed or no longer exists
            return Event.Type.RELEASE_NOT_EXECUTED
        case Rejected() | Declined():
            raise conclude.ImpossibleOutcome(f"{operation}: {outcome}")
