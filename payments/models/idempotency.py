"""The merchants' idempotency keys, each claimed in the transaction that records its operation."""

from typing import ClassVar

from django.db import models

from payments.domain.states import Mode
from payments.models.clock import ClockTimestamp
from payments.models.guards import choices
from payments.models.merchants import Merchant
from payments.models.operations import Operation


class IdempotencyKey(models.Model):
    """A key with its request's keyed fingerprint, its operation and the stored response.

    The operation is replaced only after it was proven not executed.
    """

    # No index of its own: the constraint's begins with it.
    merchant = models.ForeignKey(Merchant, on_delete=models.PROTECT, related_name="+", db_index=False)
    mode = models.CharField(max_length=4, choices=choices(Mode))
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    fingerprint_key_id = models.CharField(max_length=32)
    operation = models.ForeignKey(Operation, on_delete=models.PROTECT, related_name="idempotency_keys")
    # A hold made under the bank key is being voided: the same request must start again under another one.
    bank_key_retired = models.BooleanField(default=False)
    # The stored response; empty while the operation is unfinished or if it was not executed.
    response_status = models.SmallIntegerField(null=True)
    response_headers = models.JSONField(null=True)
    response_body = models.BinaryField(null=True)
    created_at = models.DateTimeField(db_default=ClockTimestamp(), editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["merchant", "mode", "key"], name="idempotency_key_claimed_once"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["created_at"], name="idempotency_key_age"),
        ]

    def __str__(self) -> str:
        return f"idempotency key of {self.operation_id}"
