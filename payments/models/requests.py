"""The API's answers that no event tells of: replays, retries of what is unfinished, refusals.

For people who have to say what a merchant was told and when. Kept as long as idempotency keys.
"""

from typing import ClassVar

from django.db import models

from payments.domain.states import OperationKind
from payments.models.clock import ClockTimestamp
from payments.models.guards import choices
from payments.models.operations import Operation
from payments.models.payments import Payment


class ApiRequest(models.Model):
    """A request for an operation that reached a payment, and what it was answered."""

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="+", db_index=False)
    # The one that it instructed, was a retry of, or met unfinished; none where the state forbade it.
    operation = models.ForeignKey(
        Operation, on_delete=models.PROTECT, related_name="+", null=True, db_index=False
    )
    kind = models.CharField(max_length=16, choices=choices(OperationKind))  # what was asked for
    actor = models.CharField(max_length=100)
    request_id = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()  # of HTTP, as answered
    code = models.CharField(max_length=64, blank=True)  # of an error
    is_replay = models.BooleanField(default=False)  # the stored answer, to the byte
    answered_at = models.DateTimeField(db_default=ClockTimestamp(), editable=False)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["payment", "id"], name="api_request_of_payment"),
            models.Index(fields=["request_id"], name="api_request_search"),
            models.Index(fields=["answered_at"], name="api_request_age"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} request {self.request_id}: {self.status}"
