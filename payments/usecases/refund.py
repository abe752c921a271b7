"""Refund: give captured money back, after a return."""

from datetime import datetime
from uuid import UUID

from payments.domain.outcomes import Declined, Final, NotExecuted, Rejected, Succeeded
from payments.domain.states import OperationKind
from payments.engine import conclude, intent, send
from payments.engine.answers import Answer
from payments.engine.bank_threads import bank_threads
from payments.engine.claim import Start
from payments.models import Event, Operation

REFUND = intent.Step(
    kind=OperationKind.REFUND,
    requested=Event.Type.REFUND_REQUESTED,
    done="refunded",
    transition=lambda payment: payment.become_refunded,
    target=lambda payment: payment.bank_capture_id,
)


@intent.until_recorded
def refund_payment(start: Start, *, payment_id: UUID, amount_minor: int | None, reason: str) -> Answer | None:
    """Refund a captured payment in full: 200, 503 not executed, or 202 in doubt.

    `amount_minor`, where it is given, must be the payment's; `reason` is for its history. Raises
    Refused: no such payment, another state or amount, an unfinished operation, a key used for something
    else, or too many calls in flight.
    """
    with bank_threads().reserve() as slot:  # before any intent
        lease = intent.record_step(  # 1. committed, or refused
            start, REFUND, payment_id=payment_id, amount_minor=amount_minor, reason=reason
        )
        # 2. sent, with nothing held, and 3. its outcome committed, which may outlive the request.
        return send.run(slot, lease) if lease else None


def record_outcome(operation: Operation, outcome: Final, at: datetime) -> Event.Type:
    """What a refund's outcome does to its payment."""
    match outcome:
        case Succeeded(reference=reference):
            operation.claimed_payment.become_refunded(reference=reference, at=at)
            return Event.Type.PAYMENT_REFUNDED
        case NotExecuted():
            return Event.Type.REFUND_NOT_EXECUTED
        case Rejected() | Declined():
            raise conclude.ImpossibleOutcome(f"{operation}: {outcome}")
