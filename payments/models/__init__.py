"""What the database holds, and what it refuses."""

from payments.models.events import Event
from payments.models.heartbeats import Heartbeat
from payments.models.idempotency import IdempotencyKey
from payments.models.merchants import ApiKey, Merchant
from payments.models.operations import Attempt, Operation
from payments.models.payments import Payment
from payments.models.queries import payments_with_pending, unfinished_operations

__all__ = [
    "ApiKey",
    "Attempt",
    "Event",
    "Heartbeat",
    "IdempotencyKey",
    "Merchant",
    "Operation",
    "Payment",
    "payments_with_pending",
    "unfinished_operations",
]
