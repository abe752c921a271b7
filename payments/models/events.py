"""Events: the append-only history of payments and operations, and of what staff did."""

from typing import ClassVar, TypeAlias

from django.db import models

from payments.models.clock import ClockTimestamp
from payments.models.operations import Operation
from payments.models.payments import Payment


class EventType(models.TextChoices):
    """The types. `payment.*` change a payment's state; the others are about an operation or staff."""

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
    RELEASE_NOT_EXECUTED = "release.not_executed"  # staff found that there is no hold to free
    OPERATION_NEEDS_REVIEW = "operation.needs_review"  # FicPay cannot settle it by itself
    NOTE_ADDED = "note.added"
    OPERATION_ASSIGNED = "operation.assigned"
    OPERATION_GIVEN_BACK = "operation.given_back"
    OPERATION_ASKED_AGAIN = "operation.asked_again"
    RESOLUTION_PROPOSED = "resolution.proposed"
    RESOLUTION_APPLIED = "resolution.applied"
    RESOLUTION_REFUSED = "resolution.refused"
    RESOLUTION_OUTDATED = "resolution.outdated"  # its subject was settled in another way
    RESOLUTION_FAILED = "resolution.failed"  # confirmed, but refused when applied; nothing has changed
    MERCHANT_CREATED = "merchant.created"
    API_KEY_CREATED = "api_key.created"
    API_KEY_ROTATED = "api_key.rotated"  # a new key replaces it; it works until the overlap is over
    API_KEY_DISABLED = "api_key.disabled"
    LIMITS_CHANGED = "limits.changed"  # a merchant's rate limits
    ROUTE_CHANGED = "route.changed"  # another bank serves a merchant's currency, or none does
    PAYMENTS_EXPORTED = "payments.exported"
    USER_CREATED = "user.created"
    USER_CHANGED = "user.changed"
    USER_PASSWORD_CHANGED = "user.password_changed"  # noqa: S105 - their own, or another user's by a superuser
    USER_SECOND_FACTOR_SET_UP = "user.second_factor_set_up"
    USER_SECOND_FACTOR_RESET = "user.second_factor_reset"
    GROUP_CREATED = "group.created"
    GROUP_CHANGED = "group.changed"
    SCHEDULE_RUN_NOW = "schedule.run_now"
    LATE_REPLY_FOUND = "late_reply.found"  # the bank executed what is recorded as not executed
    REFERENCE_FOUND = "reference.found"  # a late reply gave the bank's id of a success without one
    LATE_HOLD_FOUND = "late_hold.found"  # a hold at the bank that no payment claims; it is released
    STRAY_RULED_OUT = "stray.ruled_out"  # a statement shows that an awaited hold was not made, or is freed
    SETTLEMENT_CREATED = "settlement.created"
    SETTLEMENT_CORRECTED = "settlement.corrected"  # money settled wrongly; its posting puts it right
    STATEMENT_IMPORTED = "statement.imported"  # by staff; the schedule's are files only
    DIFFERENCE_ASSIGNED = "difference.assigned"
    DIFFERENCE_GIVEN_BACK = "difference.given_back"
    DIFFERENCE_ACCEPTED = "difference.accepted"
    FEES_CHANGED = "fees.changed"
    ORPHAN_REPLY_FOUND = "orphan_reply.found"  # executed at the bank; our database has lost its record


# What staff did, or a merchant to its own API keys. No payment's history shows these: the effects have events
# of their own. The log's index covers these types only, so a new one needs a migration.
OF_STAFF = (
    *(EventType.NOTE_ADDED, EventType.OPERATION_ASSIGNED, EventType.OPERATION_ASKED_AGAIN),
    *(EventType.RESOLUTION_PROPOSED, EventType.RESOLUTION_APPLIED, EventType.RESOLUTION_REFUSED),
    *(EventType.RESOLUTION_OUTDATED, EventType.RESOLUTION_FAILED, EventType.OPERATION_GIVEN_BACK),
    *(EventType.API_KEY_DISABLED, EventType.PAYMENTS_EXPORTED, EventType.ROUTE_CHANGED),
    *(EventType.USER_CREATED, EventType.USER_CHANGED, EventType.USER_PASSWORD_CHANGED),
    *(EventType.USER_SECOND_FACTOR_SET_UP, EventType.USER_SECOND_FACTOR_RESET),
    *(EventType.GROUP_CREATED, EventType.GROUP_CHANGED, EventType.SCHEDULE_RUN_NOW),
    *(EventType.STATEMENT_IMPORTED, EventType.DIFFERENCE_ASSIGNED, EventType.DIFFERENCE_GIVEN_BACK),
    *(EventType.DIFFERENCE_ACCEPTED, EventType.FEES_CHANGED, EventType.SETTLEMENT_CORRECTED),
    *(EventType.MERCHANT_CREATED, EventType.API_KEY_CREATED, EventType.API_KEY_ROTATED),
    EventType.LIMITS_CHANGED,
)
_IN_THE_LOG = models.Q(type__in=[one.value for one in OF_STAFF])


class Event(models.Model):
    """Something that happened, its actor and its evidence."""

    Type: TypeAlias = EventType
    OF_STAFF = OF_STAFF

    # No single-column indexes: a payment's events are read in their order, an operation's with them.
    payment = models.ForeignKey(
        Payment, on_delete=models.PROTECT, related_name="events", null=True, db_index=False
    )
    operation = models.ForeignKey(
        Operation, on_delete=models.PROTECT, related_name="events", null=True, db_index=False
    )
    type = models.CharField(max_length=32, choices=EventType.choices)
    at = models.DateTimeField(db_default=ClockTimestamp(), editable=False)
    actor = models.CharField(max_length=100)
    request_id = models.CharField(max_length=64, blank=True)
    # The bank's reply with its attempt, or our reason. Never a card, never the bank's free text.
    evidence = models.JSONField(default=dict)
    # SHA-256 of this event and of its payment's event before it. The database makes it.
    digest = models.BinaryField(null=True, editable=False)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["payment", "id"], name="event_of_payment"),
            # The staff log, newest first: few rows among all events. Filters by person or action scan it.
            models.Index(fields=["-at", "-id"], condition=_IN_THE_LOG, name="event_of_staff_newest"),
        ]
        permissions: ClassVar = [("view_staff_log", "Can view the staff log")]

    def __str__(self) -> str:
        return self.type
