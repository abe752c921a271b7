"""Void: free the hold, when an order is cancelled before shipping."""

from datetime import datetime
from uuid import UUID

from payments.domain.outcomes import Declined, Final, NotExecuted, Rejected, Succeeded
from payments.domain.states import OperationKind
from payments.engine import conclude, intent, send, steps
from payments.engine.claim import Start
from payments.engine.responses import ApiResponse
from payments.models import Event, Operation

VOID = steps.Step(
    kind=OperationKind.VOID,
    requested=Event.Type.VOID_REQUESTED,
    done="voided",
    transition=lambda payment: payment.become_voided,
    target=lambda payment: payment.bank_authorization_id,
    left=lambda payment: payment.amount_minor,
)


@intent.retrying
def void_payment(
    start: Start, *, payment_id: UUID, amount_minor: int | None, reason: str
) -> ApiResponse | None:
    """Void an authorized payment: 200, 503 not executed, or 202 in doubt.

    `amount_minor`, if given, must be the payment's; `reason` is for its history. Raises
    Refused: no such payment, another state or amount, an unfinished operation, a key used for something
    else, or too many calls in flight.
    """
    with steps.recorded_step(  # 1. committed, or refused
        start, VOID, payment_id=payment_id, amount_minor=amount_minor, reason=reason
    ) as recorded:
        # 2. sent, with nothing held, and 3. its outcome committed, which may outlive the request.
        return send.run(*recorded) if recorded else None


def record_outcome(operation: Operation, outcome: Final, at: datetime) -> Event.Type:
    """Apply a void's outcome to its payment."""
    match outcome:
        case Succeeded(reference=reference):
            operation.claimed_payment.become_voided(reference=reference, at=at)
            return Event.Type.PAYMENT_VOIDED
        case NotExecuted():
            return Event.Type.VOID_NOT_EXECUTED
        case Rejected() | Declined():
            raise conclude.ImpossibleOutcome(f"{operation}: {outcome}")
