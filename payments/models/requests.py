"""The API's responses that leave no event: replays, retries of unfinished operations, refusals.

For staff who must say what a merchant was told and when. Kept as long as idempotency keys.
"""

from typing import ClassVar

from django.db import models

from payments.domain.states import OperationKind
from payments.models.clock import ClockTimestamp
from payments.models.guards import choices
from payments.models.operations import Operation
from payments.models.payments import Payment


class ApiRequest(models.Model):
    """A request for an operation on a payment, and the response it got."""

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="+", db_index=False)
    # The operation that it instructed, retried or found unfinished; none where the state forbade it.
    operation = models.ForeignKey(
        Operation, on_delete=models.PROTECT, related_name="+", null=True, db_index=False
    )
    kind = models.CharField(max_length=16, choices=choices(OperationKind))  # of the requested operation
    actor = models.CharField(max_length=100)
    request_id = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()  # HTTP
    code = models.CharField(max_length=64, blank=True)  # of a problem
    is_replay = models.BooleanField(default=False)  # of the stored response
    responded_at = models.DateTimeField(db_default=ClockTimestamp(), editable=False)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["payment", "id"], name="api_request_of_payment"),
            models.Index(fields=["request_id"], name="api_request_search"),
            models.Index(fields=["responded_at"], name="api_request_age"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} request {self.request_id}: {self.status}"
