"""Payments: one customer's money for one order.

The legal transitions are stated three times on purpose: in `payments.domain.states` (the edges), in the
transitions below (the FSM) and in the database's guards. The captured and refunded totals are the sums of the
payment's operations; the audit proves it.
"""

from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django_fsm import FSMField, transition

from payments.domain.ids import PAYMENT_PREFIX, new_id, public_id
from payments.domain.money import Currency
from payments.domain.states import LIVE_PAYMENTS, Mode, PaymentState
from payments.models.clock import ClockTimestamp
from payments.models.guards import choices, one_of
from payments.models.merchants import Merchant


class Payment(models.Model):
    """A payment and its state. Never use `refresh_from_db`: select it again, under lock to change it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    # No index of its own: those below begin with it.
    merchant = models.ForeignKey(Merchant, on_delete=models.PROTECT, related_name="payments", db_index=False)
    mode = models.CharField(max_length=4, choices=choices(Mode))
    bank = models.CharField(max_length=32)  # kept to the end, whatever the merchant's routes say later
    order_id = models.CharField(max_length=64)
    customer_id = models.CharField(max_length=64)
    amount_minor = models.IntegerField()
    captured_minor = models.IntegerField(default=0, db_default=0)
    refunded_minor = models.IntegerField(default=0, db_default=0)
    currency = models.CharField(max_length=3, choices=choices(Currency))
    state = FSMField(
        max_length=16, default=PaymentState.PENDING.value, choices=choices(PaymentState), protected=True
    )

    card_brand = models.CharField(max_length=16)
    card_last4 = models.CharField(max_length=4)
    card_expiry_month = models.SmallIntegerField()
    card_expiry_year = models.SmallIntegerField()
    description = models.CharField(max_length=500, blank=True)
    customer_email = models.CharField(max_length=254, blank=True)
    metadata = models.JSONField(default=dict, blank=True)

    bank_authorization_id = models.CharField(max_length=64, blank=True)
    bank_capture_id = models.CharField(max_length=64, blank=True)
    bank_void_id = models.CharField(max_length=64, blank=True)
    bank_refund_id = models.CharField(max_length=64, blank=True)
    decline_code = models.CharField(max_length=32, blank=True)

    created_at = models.DateTimeField(db_default=ClockTimestamp(), editable=False)
    authorization_expires_at = models.DateTimeField(null=True, blank=True)
    authorized_at = models.DateTimeField(null=True, blank=True)
    captured_at = models.DateTimeField(null=True, blank=True)
    refunded_at = models.DateTimeField(null=True, blank=True)
    voided_at = models.DateTimeField(null=True, blank=True)
    expired_at = models.DateTimeField(null=True, blank=True)
    declined_at = models.DateTimeField(null=True, blank=True)
    failed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["merchant", "mode", "order_id"],
                condition=one_of("state", LIVE_PAYMENTS),
                name="one_live_payment_per_order",
            ),
            # One hold, one payment. A bank that returns the same hold twice is wrong.
            models.UniqueConstraint(
                fields=["bank", "bank_authorization_id"],
                condition=~Q(bank_authorization_id=""),
                name="one_payment_per_hold",
            ),
        ]
        # Each index slows every payment down: `office.search` has those that only staff search by.
        indexes: ClassVar = [
            # The API's lists, newest first, within a merchant and mode.
            models.Index(fields=["merchant", "mode", "-created_at", "-id"], name="payment_newest"),
            models.Index(fields=["merchant", "mode", "order_id"], name="payment_by_order"),
            models.Index(
                fields=["merchant", "mode", "customer_id", "-created_at"], name="payment_by_customer"
            ),
            models.Index(fields=["merchant", "mode", "state", "-created_at"], name="payment_by_state"),
            # Holds that have run out.
            models.Index(
                fields=["authorization_expires_at"],
                condition=Q(state=PaymentState.AUTHORIZED),
                name="payment_hold_ends",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        """`pay_` and 32 hexadecimal digits."""
        return public_id(PAYMENT_PREFIX, self.id)

    @property
    def refundable_minor(self) -> int:
        """The captured amount not yet refunded, in minor units."""
        return self.captured_minor - self.refunded_minor

    @transition(field=state, source=PaymentState.PENDING, target=PaymentState.AUTHORIZED)
    def become_authorized(self, *, reference: str, expires_at: datetime | None, at: datetime) -> None:
        self.bank_authorization_id = reference
        self.authorization_expires_at = expires_at
        self.authorized_at = at

    @transition(field=state, source=PaymentState.PENDING, target=PaymentState.DECLINED)
    def become_declined(self, *, code: str, at: datetime) -> None:
        self.decline_code = code
        self.declined_at = at

    @transition(field=state, source=PaymentState.PENDING, target=PaymentState.FAILED)
    def become_failed(self, *, at: datetime) -> None:
        self.failed_at = at

    @transition(field=state, source=PaymentState.AUTHORIZED, target=PaymentState.CAPTURED)
    def become_captured(self, *, amount_minor: int, reference: str, at: datetime) -> None:
        self.captured_minor = amount_minor
        self.bank_capture_id = reference
        self.captured_at = at

    @transition(field=state, source=PaymentState.AUTHORIZED, target=PaymentState.VOIDED)
    def become_voided(self, *, reference: str, at: datetime) -> None:
        self.bank_void_id = reference
        self.voided_at = at

    @transition(field=state, source=PaymentState.AUTHORIZED, target=PaymentState.EXPIRED)
    def become_expired(self, *, at: datetime) -> None:
        self.expired_at = at

    @transition(field=state, source=PaymentState.CAPTURED, target=PaymentState.REFUNDED)
    def become_refunded(self, *, reference: str, at: datetime) -> None:
        """Apply the refund of all that is left."""
        self.refunded_minor = self.captured_minor
        self.bank_refund_id = reference
        self.refunded_at = at

    def refund_part(self, *, amount_minor: int, reference: str) -> None:
        """Apply a partial refund. The payment stays CAPTURED."""
        self.refunded_minor += amount_minor
        self.bank_refund_id = reference
