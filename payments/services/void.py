"""Void: release the hold, when an order is cancelled before shipping."""

from datetime import datetime
from uuid import UUID

from django_fsm import can_proceed

from payments.domain.outcomes import Declined, Final, NotExecuted, Rejected, Succeeded
from payments.domain.states import OperationKind
from payments.models import Event, Operation
from payments.services import intents, operations
from payments.services.answers import Answer
from payments.services.bank_threads import bank_threads
from payments.services.idempotency import MerchantRequest, answered_once
from payments.services.leases import Lease


@answered_once
def void_payment(
    request: MerchantRequest, *, payment_id: UUID, amount_cents: int | None, reason: str
) -> Answer:
    """Void an authorized payment: 200, 503 not executed, or 202 in doubt.

    `amount_cents`, where it is given, must be the payment's; `reason` is for its history. Raises
    Refused: no such payment, another state or amount, an unfinished operation, a used key, or too many
    calls in flight.
    """
    with bank_threads().reserve() as slot:
        lease = record_intent(payment_id, amount_cents, reason, request)
        return operations.run(slot, lease, settle=record_outcome)


def record_intent(payment_id: UUID, amount_cents: int | None, reason: str, request: MerchantRequest) -> Lease:
    """The void, committed, of a payment that allows it."""
    conflicts = {"one_open_operation_per_payment": lambda: intents.unfinished_operation(payment_id)}
    with intents.intent(request, conflicts) as operation_id:
        payment = intents.lock_payment(payment_id, request)
        if not can_proceed(payment.become_voided):
            raise intents.refuse_transition(payment, "voided")
        intents.check_amount(payment, amount_cents)
        return operations.record(
            operation_id,
            payment=payment,
            kind=OperationKind.VOID,
            event=Event.Type.VOID_REQUESTED,
            request=request,
            reason=reason,
            target=payment.bank_authorization_id,
        )


def record_outcome(operation: Operation, outcome: Final, at: datetime) -> Event.Type:
    """What a void's outcome does to its payment."""
    match outcome:
        case Succeeded(reference=reference):
            operation.claimed_payment.become_voided(reference=reference, at=at)
            return Event.Type.PAYMENT_VOIDED
        case NotExecuted():
            return Event.Type.VOID_NOT_EXECUTED
        case Rejected() | Declined():
            raise operations.ImpossibleOutcome(f"{operation}: {outcome}")
