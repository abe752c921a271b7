"""Refund: give captured money back, after a return."""

from datetime import datetime
from uuid import UUID

from payments.domain.outcomes import Declined, Final, NotExecuted, Rejected, Succeeded
from payments.domain.states import OperationKind
from payments.engine import conclude, intent, send, steps
from payments.engine.claim import Start
from payments.engine.responses import ApiResponse
from payments.models import Event, Operation

REFUND = steps.Step(
    kind=OperationKind.REFUND,
    requested=Event.Type.REFUND_REQUESTED,
    done="refunded",
    transition=lambda payment: payment.become_refunded,
    target=lambda payment: payment.bank_capture_id,
    left=lambda payment: payment.refundable_minor,
)


@intent.retrying
def refund_payment(
    start: Start, *, payment_id: UUID, amount_minor: int | None, reason: str
) -> ApiResponse | None:
    """Refund a captured payment, or a part of it where the bank can: 200, 503 not executed, 202 in doubt.

    `amount_minor` None refunds all that is left. `reason` is for the payment's history. Raises Refused: no
    such payment, another state, an amount above what is left or that the bank does not take, an unfinished
    operation, a key used for something else, or too many calls in flight.
    """
    with steps.recorded_step(  # 1. committed, or refused
        start, REFUND, payment_id=payment_id, amount_minor=amount_minor, reason=reason
    ) as recorded:
        # 2. sent, with nothing held, and 3. its outcome committed, which may outlive the request.
        return send.run(*recorded) if recorded else None


def record_outcome(operation: Operation, outcome: Final, at: datetime) -> Event.Type:
    """Apply a refund's outcome to its payment."""
    match outcome:
        case Succeeded(reference=reference):
            payment = operation.claimed_payment
            if operation.amount_minor == payment.refundable_minor:
                payment.become_refunded(reference=reference, at=at)
            else:
                payment.refund_part(amount_minor=operation.amount_minor, reference=reference)
            return Event.Type.PAYMENT_REFUNDED
        case NotExecuted():
            return Event.Type.REFUND_NOT_EXECUTED
        case Rejected() | Declined():
            raise conclude.ImpossibleOutcome(f"{operation}: {outcome}")
