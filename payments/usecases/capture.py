"""Capture: take the money that was held, when the goods ship."""

from datetime import datetime
from uuid import UUID

from payments.domain.outcomes import Declined, Final, NotExecuted, Rejected, Succeeded
from payments.domain.states import OperationKind
from payments.engine import conclude, intent, send
from payments.engine.answers import Answer
from payments.engine.bank_threads import bank_threads
from payments.engine.claim import MerchantRequest
from payments.engine.retries import answered_once
from payments.models import Event, Operation
from payments.usecases import holds

CAPTURE = intent.Step(
    kind=OperationKind.CAPTURE,
    requested=Event.Type.CAPTURE_REQUESTED,
    done="captured",
    transition=lambda payment: payment.become_captured,
    target=lambda payment: payment.bank_authorization_id,
)


@answered_once
def capture_payment(
    request: MerchantRequest, *, payment_id: UUID, amount_minor: int | None, reason: str
) -> Answer:
    """Capture an authorized payment in full: 200, 409 expired, 503 not executed, or 202 in doubt.

    `amount_minor`, where it is given, must be the payment's; `reason` is for its history. Raises
    Refused: no such payment, another state or amount, an unfinished operation, a key used for something
    else, or too many calls in flight.
    """
    with bank_threads().reserve() as slot:
        lease = intent.record_step(
            request, CAPTURE, payment_id=payment_id, amount_minor=amount_minor, reason=reason
        )
        return send.run(slot, lease, settle=record_outcome)


def record_outcome(operation: Operation, outcome: Final, at: datetime) -> Event.Type:
    """What a capture's outcome does to its payment."""
    match outcome:
        case Succeeded(reference=reference):
            operation.claimed_payment.become_captured(reference=reference, at=at)
            return Event.Type.PAYMENT_CAPTURED
        case NotExecuted():
            return Event.Type.CAPTURE_NOT_EXECUTED
        case Rejected():
            payment = operation.claimed_payment
            payment.become_expired(at=at)
            holds.request_release(
                payment,
                hold=payment.bank_authorization_id,
                because=operation.public_id,
                request_id=operation.request_id,
            )
            return Event.Type.PAYMENT_EXPIRED
        case Declined():
            raise conclude.ImpossibleOutcome(f"{operation}: {outcome}")
