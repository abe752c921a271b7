"""The database's tables, their constraints and shared queries."""

from payments.models.discrepancies import Discrepancy
from payments.models.events import Event
from payments.models.heartbeats import Heartbeat
from payments.models.idempotency import IdempotencyKey
from payments.models.ledger import LedgerEntry, LedgerPosting, position_in_ledger, post, write_entry
from payments.models.merchants import ApiKey, Merchant, RateCount, RateLimit, Route
from payments.models.operations import Attempt, Operation
from payments.models.payments import Payment
from payments.models.proposals import outdated_of_late, outdated_proposals, standing_proposals
from payments.models.queries import (
    PaymentForReceipt,
    PaymentWithPending,
    bank_key_age,
    earlier_ones_answered,
    ended_operations,
    is_contradicted,
    operations_in_doubt,
    payments_for_receipts,
    payments_with_pending,
    refunds_made,
    sharing_bank_key,
    unfinished_operations,
)
from payments.models.requests import ApiRequest
from payments.models.resolutions import Assignment, Resolution

__all__ = [
    "ApiKey",
    "ApiRequest",
    "Assignment",
    "Attempt",
    "Discrepancy",
    "Event",
    "Heartbeat",
    "IdempotencyKey",
    "LedgerEntry",
    "LedgerPosting",
    "Merchant",
    "Operation",
    "Payment",
    "PaymentForReceipt",
    "PaymentWithPending",
    "RateCount",
    "RateLimit",
    "Resolution",
    "Route",
    "bank_key_age",
    "earlier_ones_answered",
    "ended_operations",
    "is_contradicted",
    "operations_in_doubt",
    "outdated_of_late",
    "outdated_proposals",
    "payments_for_receipts",
    "payments_with_pending",
    "position_in_ledger",
    "post",
    "refunds_made",
    "sharing_bank_key",
    "standing_proposals",
    "unfinished_operations",
    "write_entry",
]
