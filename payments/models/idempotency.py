"""The merchants' idempotency keys, claimed in the transaction that records what they stand for."""

from typing import ClassVar

from django.db import models

from payments.domain.states import Mode
from payments.models.clock import ClockTimestamp
from payments.models.guards import choices, one_of
from payments.models.merchants import Merchant
from payments.models.operations import Operation


class IdempotencyKey(models.Model):
    """A key, the request it was first used for (as a keyed fingerprint), and the operation it made."""

    merchant = models.ForeignKey(Merchant, on_delete=models.PROTECT, related_name="+")
    mode = models.CharField(max_length=4, choices=choices(Mode))
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    fingerprint_key_id = models.CharField(max_length=32)
    operation = models.ForeignKey(Operation, on_delete=models.PROTECT, related_name="idempotency_keys")
    created_at = models.DateTimeField(db_default=ClockTimestamp(), editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["merchant", "mode", "key"], name="idempotency_key_claimed_once"),
            models.CheckConstraint(condition=one_of("mode", Mode), name="idempotency_key_mode_known"),
        ]

    def __str__(self) -> str:
        return f"idempotency key of {self.operation_id}"
