"""The examples of settlements: the order of `payments.api.examples` is settled, and a cent put right."""

from typing import Any

from payments.api import examples

SETTLEMENT: dict[str, Any] = {
    "id": "stl_3c5e7a9b1d2f4a6c8e0b2d4f6a8c0e2b",
    "livemode": True,
    "date": "2026-11-22",
    "bank": "ficmart",
    "currency": "USD",
    "amount": 4826,
    "captured_amount": 5000,
    "refunded_amount": 0,
    "fees_amount": 175,
    "corrected_amount": 1,
    "brought_forward": 0,
    "carried_forward": 0,
    "created_at": "2026-11-23T02:00:04.118205Z",
}
PAGE = {"next": None, "previous": None, "results": [SETTLEMENT]}
LINES = {
    "next": None,
    "previous": None,
    "results": [
        {
            "kind": "correction",
            "payment_id": None,
            "order_id": None,
            "operation_id": None,
            "amount": 1,
            "fee": 0,
            "bank_reference": None,
            "reason": "A fee of November 14 was a cent too high.",
            "at": "2026-11-22T16:30:00.000000Z",
        },
        {
            "kind": "capture",
            "payment_id": examples.ID,
            "order_id": "order-1001",
            "operation_id": "op_7d9f1b3c5e6a4b8d9c0e1f2a3b4c5d6e",
            "amount": 5000,
            "fee": 175,
            "bank_reference": examples.CAPTURED["bank"]["capture_id"],
            "reason": None,
            "at": examples.CAPTURED["captured_at"],
        },
    ],
}
