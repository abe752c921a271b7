"""Capture: take the money that was held, when the goods ship."""

from datetime import datetime
from uuid import UUID

from payments.domain.ids import new_id
from payments.domain.outcomes import Declined, Final, NotExecuted, Rejected, Succeeded
from payments.domain.states import OperationKind
from payments.engine import claim, conclude, intent, send, steps
from payments.engine.abilities import abilities_of
from payments.engine.claim import Start
from payments.engine.responses import ApiResponse
from payments.models import Event, Operation
from payments.models.clock import ClockTimestamp
from payments.usecases import holds

CAPTURE = steps.Step(
    kind=OperationKind.CAPTURE,
    requested=Event.Type.CAPTURE_REQUESTED,
    done="captured",
    transition=lambda payment: payment.become_captured,
    target=lambda payment: payment.bank_authorization_id,
    left=lambda payment: payment.amount_minor,
)


@intent.retrying
def capture_payment(
    start: Start, *, payment_id: UUID, amount_minor: int | None, reason: str
) -> ApiResponse | None:
    """Capture an authorized payment: 200, 409 expired, 503 not executed, or 202 in doubt.

    `amount_minor` None captures the whole hold. Less, at a bank that captures parts, frees the rest.
    `reason` is for the payment's history. Raises Refused: no such payment, another state, an amount that the
    bank does not take, an unfinished operation, a key used for something else, or too many calls in flight.
    """
    with steps.recorded_step(  # 1. committed, or refused
        start, CAPTURE, payment_id=payment_id, amount_minor=amount_minor, reason=reason
    ) as recorded:
        # 2. sent, with nothing held, and 3. its outcome committed, which may outlive the request.
        return send.run(*recorded) if recorded else None


def record_capture_made_instead(
    void: Operation, *, amount_minor: int, actor: str, request_id: str
) -> Operation:
    """Record a capture that FicPay never sent: the bank had captured the hold that the void was to free.

    Inside the caller's transaction, which has ended the void and ends the capture. Its lease has run out.
    """
    operation_id = new_id()
    made: Operation = Operation.objects.create(
        id=operation_id,
        payment_id=void.payment_id,
        kind=OperationKind.CAPTURE,
        bank=void.bank,
        amount_minor=amount_minor,
        currency=void.currency,
        target_reference=void.target_reference,
        bank_idempotency_key=claim.own_bank_key(operation_id),
        lease_expires_at=ClockTimestamp(),
        actor=actor,
        request_id=request_id,
    )
    return made


def record_outcome(operation: Operation, outcome: Final, at: datetime) -> Event.Type:
    """Apply a capture's outcome to its payment."""
    match outcome:
        case Succeeded(reference=reference):
            operation.claimed_payment.become_captured(
                amount_minor=operation.amount_minor, reference=reference, at=at
            )
            return Event.Type.PAYMENT_CAPTURED
        case NotExecuted(hold_voided=True):
            operation.claimed_payment.become_voided(reference="", at=at)
            return Event.Type.PAYMENT_VOIDED
        case NotExecuted():
            return Event.Type.CAPTURE_NOT_EXECUTED
        case Rejected():
            payment = operation.claimed_payment
            payment.become_expired(at=at)
            if abilities_of(payment.bank).voids_expired_holds:
                holds.request_release(
                    payment,
                    hold=payment.bank_authorization_id,
                    because=operation.public_id,
                    request_id=operation.request_id,
                )
            return Event.Type.PAYMENT_EXPIRED
        case Declined():
            raise conclude.ImpossibleOutcome(f"{operation}: {outcome}")
