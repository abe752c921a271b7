"""Settlements: captured money on its way to the merchant, less refunds and fees.

One settlement per merchant, mode, bank, currency and UTC day. Each operation and each correction is in
exactly one. Rows are never changed: what turns out wrong is corrected by a posting of its own.
"""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from django.db import models
from django.db.models import F, Q

from payments.domain.ids import new_id, public_id
from payments.domain.money import Currency
from payments.domain.states import Mode
from payments.models import Event, Merchant, Operation
from payments.models.clock import ClockTimestamp
from payments.models.guards import choices

SETTLEMENT_PREFIX = "stl_"


class FeeTerms(models.Model):
    """What a merchant pays for each capture in one mode and currency, from a moment on.

    The fee of a capture is its amount times `basis_points` / 10,000 plus `fixed_minor`, rounded half to even
    to a minor unit, once. The terms are those in force when it was captured. A refund returns no fee.
    """

    merchant = models.ForeignKey(Merchant, on_delete=models.PROTECT, related_name="fee_terms")
    mode = models.CharField(max_length=4, choices=choices(Mode))
    currency = models.CharField(max_length=3, choices=choices(Currency))
    basis_points = models.IntegerField(default=0)  # hundredths of a percent
    fixed_minor = models.IntegerField(default=0)
    valid_from = models.DateTimeField(db_default=ClockTimestamp())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["merchant", "mode", "currency", "valid_from"], name="one_fee_at_a_time"
            ),
            models.CheckConstraint(
                condition=Q(basis_points__range=(0, 10_000), fixed_minor__gte=0), name="fee_within_reason"
            ),
        ]
        permissions: ClassVar = [("manage_fees", "Can change a merchant's fees")]

    def __str__(self) -> str:
        return f"{self.basis_points} basis points and {self.fixed_minor} {self.currency}"


class Settlement(models.Model):
    """What a merchant gets for one day at one bank in one currency, in minor units.

    captured - refunded - fees + corrected + brought_forward = amount + carried_forward, where `amount` is
    paid out and never below nought, and a balance below nought is carried into the next settlement.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    merchant = models.ForeignKey(Merchant, on_delete=models.PROTECT, related_name="settlements")
    mode = models.CharField(max_length=4, choices=choices(Mode))
    bank = models.CharField(max_length=32)
    currency = models.CharField(max_length=3, choices=choices(Currency))
    date = models.DateField()  # the UTC day that it ends with
    captured_minor = models.BigIntegerField()
    refunded_minor = models.BigIntegerField()
    fees_minor = models.BigIntegerField()
    corrected_minor = models.BigIntegerField()  # signed: in favor of the merchant is above nought
    brought_forward_minor = models.BigIntegerField()  # from the settlement before; never above nought
    amount_minor = models.BigIntegerField()
    carried_forward_minor = models.BigIntegerField()  # never above nought
    event = models.OneToOneField(Event, on_delete=models.PROTECT, related_name="settlement")
    created_at = models.DateTimeField(db_default=ClockTimestamp(), editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["merchant", "mode", "bank", "currency", "date"], name="one_settlement_per_day"
            ),
            models.CheckConstraint(
                condition=Q(amount_minor__gte=0, brought_forward_minor__lte=0, carried_forward_minor__lte=0)
                & (Q(amount_minor=0) | Q(carried_forward_minor=0)),
                name="settlement_pays_or_carries",
            ),
            models.CheckConstraint(
                condition=Q(
                    captured_minor=F("amount_minor")
                    + F("carried_forward_minor")
                    + F("refunded_minor")
                    + F("fees_minor")
                    - F("corrected_minor")
                    - F("brought_forward_minor")
                ),
                name="settlement_adds_up",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["merchant", "mode", "-date", "-id"], name="settlement_newest"),
        ]
        permissions: ClassVar = [("correct_settlement", "Can correct settled money")]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        """`stl_` and 32 hexadecimal digits."""
        settlement_id: UUID = self.id
        return public_id(SETTLEMENT_PREFIX, settlement_id)


class Correction(models.Model):
    """Money that a merchant gets or gives back because something settled was wrong.

    Its posting is its event's. It joins the next settlement. `amount_minor` is in favor of the merchant where
    it is above nought.
    """

    merchant = models.ForeignKey(Merchant, on_delete=models.PROTECT, related_name="+")
    mode = models.CharField(max_length=4, choices=choices(Mode))
    bank = models.CharField(max_length=32)
    currency = models.CharField(max_length=3, choices=choices(Currency))
    amount_minor = models.IntegerField()
    of_settlement = models.ForeignKey(Settlement, on_delete=models.PROTECT, related_name="corrections")
    operation = models.ForeignKey(Operation, on_delete=models.PROTECT, null=True, related_name="+")
    reason = models.CharField(max_length=500)
    actor = models.CharField(max_length=100)
    event = models.OneToOneField(Event, on_delete=models.PROTECT, related_name="correction")
    created_at = models.DateTimeField(db_default=ClockTimestamp(), editable=False)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=~Q(reason="") & ~Q(amount_minor=0), name="correction_with_reason"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount_minor:+} {self.currency}"


class SettlementLine(models.Model):
    """One capture, refund or correction in a settlement, signed as the merchant's balance changes by it."""

    settlement = models.ForeignKey(Settlement, on_delete=models.PROTECT, related_name="lines")
    operation = models.OneToOneField(
        Operation, on_delete=models.PROTECT, null=True, related_name="settlement_line"
    )
    correction = models.OneToOneField(
        Correction, on_delete=models.PROTECT, null=True, related_name="settlement_line"
    )
    amount_minor = models.IntegerField()  # above nought for a capture, below for a refund
    fee_minor = models.IntegerField(default=0)  # of a capture; taken from the balance besides

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(operation__isnull=False, correction=None)
                | Q(operation=None, correction__isnull=False),
                name="settlement_line_of_one_thing",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount_minor:+}"

    @property
    def kind(self) -> str:
        """`capture`, `refund` or `correction`."""
        return self.operation.kind if self.operation else "correction"

    @property
    def about(self) -> Operation | None:
        """Its operation, or that of its correction; None for a correction of none."""
        return self.correction.operation if self.correction else self.operation

    @property
    def at(self) -> datetime | None:
        """When it was captured, refunded or corrected (UTC)."""
        if self.correction:
            return self.correction.created_at
        return self.operation.finished_at if self.operation else None
