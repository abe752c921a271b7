"""Events: the append-only history of payments and operations. One for every change of state."""

from typing import ClassVar

from django.db import models

from payments.models.clock import ClockTimestamp
from payments.models.guards import append_only
from payments.models.operations import Operation
from payments.models.payments import Payment


class Event(models.Model):
    """Something that happened, who caused it, and the evidence for it."""

    class Type(models.TextChoices):
        """What can happen. `payment.*` change a payment's state, the others tell of an operation."""

        PAYMENT_CREATED = "payment.created"  # an authorize was recorded and is being sent
        PAYMENT_AUTHORIZED = "payment.authorized"
        PAYMENT_CAPTURED = "payment.captured"
        PAYMENT_VOIDED = "payment.voided"
        PAYMENT_REFUNDED = "payment.refunded"
        PAYMENT_EXPIRED = "payment.expired"
        PAYMENT_DECLINED = "payment.declined"
        PAYMENT_FAILED = "payment.failed"
        CAPTURE_REQUESTED = "capture.requested"  # recorded, about to be sent
        CAPTURE_NOT_EXECUTED = "capture.not_executed"
        VOID_REQUESTED = "void.requested"
        VOID_NOT_EXECUTED = "void.not_executed"
        REFUND_REQUESTED = "refund.requested"
        REFUND_NOT_EXECUTED = "refund.not_executed"
        RELEASE_REQUESTED = "release.requested"
        RELEASE_SUCCEEDED = "release.succeeded"  # the hold is freed at the bank
        RELEASE_NOT_EXECUTED = "release.not_executed"  # people have found that there is nothing to free
        OPERATION_NEEDS_REVIEW = "operation.needs_review"  # the machine cannot settle it
        NOTE_ADDED = "note.added"
        OPERATION_ASSIGNED = "operation.assigned"
        OPERATION_ASKED_AGAIN = "operation.asked_again"
        RESOLUTION_PROPOSED = "resolution.proposed"
        RESOLUTION_APPLIED = "resolution.applied"
        RESOLUTION_REFUSED = "resolution.refused"
        API_KEY_DISABLED = "api_key.disabled"
        PAYMENTS_EXPORTED = "payments.exported"
        LATE_ANSWER_FOUND = "late_answer.found"  # of what is recorded as not executed: the bank has done it
        LATE_HOLD_FOUND = "late_hold.found"  # a hold at the bank that no payment claims; it is released

    # What staff did, which merchants are not shown: what came of it has an event of its own.
    OF_STAFF = (
        *(Type.NOTE_ADDED, Type.OPERATION_ASSIGNED, Type.OPERATION_ASKED_AGAIN, Type.RESOLUTION_PROPOSED),
        *(Type.RESOLUTION_APPLIED, Type.RESOLUTION_REFUSED, Type.API_KEY_DISABLED, Type.PAYMENTS_EXPORTED),
    )

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="events", null=True)
    operation = models.ForeignKey(Operation, on_delete=models.PROTECT, related_name="events", null=True)
    type = models.CharField(max_length=32, choices=Type.choices)
    at = models.DateTimeField(db_default=ClockTimestamp(), editable=False)
    actor = models.CharField(max_length=100)
    request_id = models.CharField(max_length=64, blank=True)
    # What proves it: the bank's answer with its attempt, or our reason. Never a card, never the bank's prose.
    evidence = models.JSONField(default=dict)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["payment", "id"], name="event_of_payment")]
        triggers: ClassVar = append_only()

    def __str__(self) -> str:
        return self.type
