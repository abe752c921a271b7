"""Late holds: holds at the bank for a payment that has ended without them or has another hold.

The bank's reply came after its sender had lost the lease, or a late look found it. Nobody can capture such a
hold, so it is voided to free the cardholder's money. Its bank key is retired first: a request that starts
again must not get a hold that is about to be voided.
"""

import structlog
from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from payments.domain.replies import Said
from payments.domain.states import UNFINISHED_OPERATIONS, OperationKind
from payments.engine.abilities import banks_that_can
from payments.engine.passed_over import PASSED_OVER
from payments.models import Attempt, Discrepancy, Event, IdempotencyKey, Operation, Payment
from payments.models.discrepancies import LATE_HOLD
from payments.models.guards import database_is_away
from payments.usecases import holds
from payments.usecases.holds import SYSTEM_ACTOR

log = structlog.get_logger("payments.late_holds")


def unclaimed() -> QuerySet[Attempt]:
    """Attempts whose late reply names a hold that no payment has and no unfinished operation can claim."""
    same_bank = {"bank": OuterRef("operation__bank")}
    claimed = Payment.objects.filter(**same_bank, bank_authorization_id=OuterRef("bank_reference"))
    released = Operation.objects.filter(
        **same_bank, kind=OperationKind.RELEASE, target_reference=OuterRef("bank_reference")
    )
    may_claim = Operation.objects.filter(
        **same_bank,
        bank_idempotency_key=OuterRef("operation__bank_idempotency_key"),
        state__in=UNFINISHED_OPERATIONS,
    )
    return (
        Attempt.objects.filter(
            Q(is_probe=False) | Q(is_replay=True),
            is_late=True,
            said=Said.APPROVED,
            operation__kind=OperationKind.AUTHORIZE,
            operation__bank__in=banks_that_can(OperationKind.RELEASE),
        )
        .filter(~Exists(claimed), ~Exists(released), ~Exists(may_claim))
        .select_related("operation__payment")
    )


def release_late_holds() -> int:
    """Record a release for each unclaimed hold; return how many were recorded.

    Several processes may run it at the same time.
    """
    left = unclaimed().exclude(operation__in=PASSED_OVER.for_now())
    return sum(_release_or_leave(attempt) for attempt in left[:100])


def _release_or_leave(attempt: Attempt) -> bool:
    try:
        return _release(attempt)
    except Exception as error:
        if database_is_away(error):
            raise
        # The others must not wait for it.
        connection.close()
        log.exception("late_hold_not_released", operation=attempt.operation_id.hex)
        PASSED_OVER.add(attempt.operation_id, reason=f"late hold not released: {type(error).__name__}")
        return False


def _release(attempt: Attempt) -> bool:
    made_by = attempt.operation
    payment = made_by.claimed_payment
    with transaction.atomic(durable=True):
        # A request that starts again under the key needs this row's lock and then checks it again. First find
        # the rows, then lock them by id: a query joined with the operation would miss, and not lock, a row
        # that is being taken over right now.
        keys = IdempotencyKey.objects.filter(
            operation__bank=made_by.bank, operation__bank_idempotency_key=made_by.bank_idempotency_key
        )
        found = list(keys.values_list("pk", flat=True))
        locked = [
            key.pk for key in IdempotencyKey.objects.select_for_update().filter(pk__in=found).order_by("pk")
        ]
        # Only one of several processes continues.
        Operation.objects.select_for_update(no_key=True).get(pk=made_by.pk)
        if not unclaimed().filter(pk=attempt.pk).exists():
            return False
        IdempotencyKey.objects.filter(pk__in=locked).update(bank_key_retired=True)
        # This is one of the awaited holds.
        awaiting = Operation.objects.filter(pk=made_by.pk, strays_awaited__gt=0)
        awaiting.update(strays_awaited=F("strays_awaited") - 1)
        release = holds.request_release(
            payment,
            hold=attempt.bank_reference,
            because=made_by.public_id,
            request_id=made_by.request_id,
        )
        evidence = {"attempt": attempt.number, "reference": attempt.bank_reference, "of": made_by.public_id}
        Discrepancy.objects.create(kind=LATE_HOLD, operation=release, payment=payment, evidence=evidence)
        Event.objects.create(
            payment=payment,
            operation=made_by,
            type=Event.Type.LATE_HOLD_FOUND,
            actor=SYSTEM_ACTOR,
            request_id=made_by.request_id,
            evidence=evidence,
        )
    return True
