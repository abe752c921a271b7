"""Requests for the gateway: orders nobody has paid yet, and what may follow them."""

import itertools
import uuid
from typing import Any

from payments.domain.cards import passes_luhn
from tests.benchmarks.gateway.stage.load import Request

_orders = itertools.count(1)
AMOUNT = 5000


def card_number(number: int) -> str:
    """A Visa number of its own for each number below a million million."""
    first = f"411{number % 10**12:012d}"
    return next(first + last for last in "0123456789" if passes_luhn(first + last))


def authorizes(count: int) -> list[Request]:
    """New orders, each with its own card and key."""
    return [_authorize(next(_orders)) for _ in range(count)]


def _authorize(number: int) -> Request:
    body = {
        "order_id": f"new-order-{number}-{uuid.uuid4().hex[:8]}",
        "customer_id": f"new-customer-{number % 977}",
        "amount": AMOUNT,
        "currency": "USD",
        "card": {
            "number": card_number(number * 7919),
            "cvv": "123",
            "expiry_month": 12,
            "expiry_year": 2030,
        },
    }
    return "POST", "/api/v1/payments", body, uuid.uuid4().hex


def steps(receipts: list[Any], verb: str) -> list[Request]:
    """A capture, a void or a refund of each payment."""
    return [("POST", f"/api/v1/payments/{one['id']}/{verb}", {}, uuid.uuid4().hex) for one in receipts]


def reads(paths: list[str], count: int) -> list[Request]:
    """As many, of these paths in turn."""
    return [("GET", f"/api/v1/{path}", None, "") for path in itertools.islice(itertools.cycle(paths), count)]
