"""Expirations: an expired hold ends its payment and is voided at the bank.

A bank may check the expiry only on a capture, and go on blocking the cardholder's funds until the hold is
voided. A payment with an unfinished operation is left alone: the bank decides about a capture sent in the
last minutes.
"""

from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from payments.domain.states import PaymentState
from payments.engine.abilities import abilities_of
from payments.engine.responses import timestamp
from payments.models import Discrepancy, Event, Payment, position_in_ledger, post, unfinished_operations
from payments.models.clock import ClockTimestamp
from payments.models.discrepancies import CONTRADICTING
from payments.models.guards import database_is_away
from payments.usecases import holds
from payments.usecases.holds import SYSTEM_ACTOR

log = structlog.get_logger("payments.expirations")


def expired_holds() -> QuerySet[Payment]:
    """AUTHORIZED payments without an unfinished operation whose hold has expired by the database's clock."""
    unfinished = unfinished_operations().filter(payment=OuterRef("pk"))
    # Not where the bank has executed something against our books: staff settle that first.
    contradicted = Discrepancy.objects.filter(payment=OuterRef("pk"), kind__in=CONTRADICTING, closed_at=None)
    return Payment.objects.filter(
        ~Exists(unfinished),
        ~Exists(contradicted),
        state=PaymentState.AUTHORIZED,
        authorization_expires_at__lte=ClockTimestamp(),
    )


def expire_due(*, limit: int) -> list[UUID]:
    """Expire up to `limit` payments, one per transaction, oldest hold first; return their ids.

    Several processes may run it at the same time.
    """
    due = expired_holds().order_by("authorization_expires_at").values_list("pk", flat=True)[:limit]
    return [payment_id for payment_id in due if _expire_or_leave(payment_id)]


def _expire_or_leave(payment_id: UUID) -> bool:
    try:
        return _expire(payment_id)
    except Exception as error:
        if database_is_away(error):
            raise
        log.exception("expiry_failed", payment=payment_id.hex)  # the others must not wait for it
        return False


def _expire(payment_id: UUID) -> bool:
    with transaction.atomic(durable=True):
        # An earlier intent has the lock; a later one finds the payment EXPIRED.
        locked = Payment.objects.select_for_update(no_key=True, skip_locked=True).filter(pk=payment_id)
        payment = locked.annotate(at=ClockTimestamp()).first()
        if payment is None or not expired_holds().filter(pk=payment_id).exists():
            return False
        at, before = payment.at, position_in_ledger(payment)
        payment.become_expired(at=at)
        payment.save(update_fields=["state", "expired_at"])
        event = Event.objects.create(
            payment=payment,
            type=Event.Type.PAYMENT_EXPIRED,
            at=at,
            actor=SYSTEM_ACTOR,
            evidence={"hold_ended_at": timestamp(payment.authorization_expires_at)},
        )
        post(event, payment, before)
        if abilities_of(payment.bank).voids_expired_holds:
            holds.request_release(payment, hold=payment.bank_authorization_id, because="the hold ran out")
    return True
