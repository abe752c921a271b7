"""Authorize: hold a customer's money for an order."""

from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction

from payments.domain.cards import Card
from payments.domain.outcomes import Declined, Final, NotExecuted, Rejected, Succeeded
from payments.domain.states import OperationKind
from payments.engine import claim, conclude, fast_path, intent, leases, send
from payments.engine.capacity import capacity_of
from payments.engine.claim import Again, Continue, New, Start
from payments.engine.leases import Lease
from payments.engine.responses import ApiResponse
from payments.models import Event, Operation, Payment


@dataclass(frozen=True)
class Order:
    """A validated order, and the bank of its route. `amount_minor` is in minor units of `currency`."""

    order_id: str
    customer_id: str
    amount_minor: int
    currency: str
    bank: str
    description: str = ""
    customer_email: str = ""
    metadata: dict[str, str] = field(default_factory=dict)


@intent.retrying
def authorize_payment(start: Start, *, order: Order, card: Card) -> ApiResponse | None:
    """Hold the order's amount on the card: 201, 402 declined, 503 not executed, or 202 in doubt.

    Raises Refused: the order has a live payment, the key is used, or too many calls are in flight.
    """
    bank = start.operation.bank if isinstance(start, Continue) else order.bank  # not the route's
    with capacity_of(bank).threads.reserve() as slot:  # before any intent
        lease = record_intent(start, order, card)  # 1. committed, or refused
        # 2. sent, with nothing held, and 3. its outcome committed, which may outlive the request.
        return send.run(slot, lease, card=card) if lease else None


def record_intent(start: Start, order: Order, card: Card) -> Lease | None:
    """Commit a PENDING payment with its authorize, or take over the one in doubt.

    None where another request was faster.
    """
    if isinstance(start, Continue):
        return leases.take_over(start.operation.pk)
    command = start.command
    payment = Payment(
        merchant=command.merchant,
        mode=command.mode,
        bank=order.bank,
        order_id=order.order_id,
        customer_id=order.customer_id,
        amount_minor=order.amount_minor,
        currency=order.currency,
        card_brand=card.brand,
        card_last4=card.last4,
        card_expiry_month=card.expiry_month,
        card_expiry_year=card.expiry_year,
        description=order.description,
        customer_email=order.customer_email,
        metadata=order.metadata,
    )
    conflicts = {"one_live_payment_per_order": lambda: intent.order_with_payment(command, order.order_id)}
    lease = None
    with intent.refusing_conflicts(conflicts):
        lease = fast_path.write_authorize(start, payment) or _record_carefully(start, payment)
    return lease  # noqa: RET504 - None where `refusing_conflicts` left the block early


def _record_carefully(start: New | Again, payment: Payment) -> Lease:
    """Any case, re-runs and used bank keys included."""
    with transaction.atomic(durable=True):
        operation_id = claim.claim(start)
        payment.save(force_insert=True)
        return intent.write_ahead(
            start,
            operation_id,
            payment=payment,
            kind=OperationKind.AUTHORIZE,
            amount_minor=payment.amount_minor,
            event=Event.Type.PAYMENT_CREATED,
        )


def record_outcome(operation: Operation, outcome: Final, at: datetime) -> Event.Type:
    """Apply an authorize's outcome to its payment."""
    payment = operation.claimed_payment
    match outcome:
        case Succeeded(reference=reference, expires_at=expires_at):
            payment.become_authorized(reference=reference, expires_at=expires_at, at=at)
            return Event.Type.PAYMENT_AUTHORIZED
        case Declined(code=code):
            payment.become_declined(code=code, at=at)
            return Event.Type.PAYMENT_DECLINED
        case NotExecuted():
            payment.become_failed(at=at)
            return Event.Type.PAYMENT_FAILED
        case Rejected():
            raise conclude.ImpossibleOutcome(f"{operation}: {outcome}")
