"""The parameters of an authorize's three statements, for floor and bare: what FicPay would give them."""

import hashlib
import hmac
import json
import uuid
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.numeric import Int4, Int8

_SECRET = b"of-the-benchmark-only"
MARK = "9000-01-01T00:00:00.000000Z"  # stands for the outcome's time in the answer
_SHOWN = ("order_id", "customer_id", "currency", "description", "customer_email", "card_last4", "card_brand")
_NOT_YET = ("captured_at", "voided_at", "refunded_at", "expired_at", "declined_at", "failed_at")
_REFERENCES = ("old_authorization_id", "old_capture_id", "capture_id", "void_id", "refund_id")
_AMOUNTS = ("old_captured_minor", "old_refunded_minor", "captured_minor", "refunded_minor")


def caller(authorization: bytes, key: str) -> dict[str, Any]:
    """Of `read_caller`, from the header and the idempotency key."""
    digest = hashlib.sha256(authorization[len(b"Bearer ") :]).hexdigest()
    return {"digest": digest, "idempotency_key": key, "payment_id": None}


def intent(caller: tuple[Any, ...], key: str, order: dict[str, Any]) -> dict[str, Any]:
    """Of `authorize`; `caller` is the row of `read_caller`, `order` the body of the request."""
    card = order["card"]
    return {
        "merchant_id": Int8(caller[2]),
        "mode": caller[1],
        "idempotency_key": key,
        "fingerprint": _signed("fingerprint", key, order["order_id"]),
        "fingerprint_key_id": "new",
        "operation_id": uuid.uuid4(),
        "payment_id": uuid.uuid4(),
        "bank": json.loads(caller[6])[order["currency"]],
        "bank_key": _signed("bank", caller[3], key),
        "lease": timedelta(seconds=45),
        "actor": f"api_key:{caller[0]}",
        "request_id": uuid.uuid4().hex,
        "event": "payment.created",
        "amount_minor": Int4(order["amount"]),
        "currency": order["currency"],
        "order_id": order["order_id"],
        "customer_id": order["customer_id"],
        "card_brand": "visa",
        "card_last4": card["number"][-4:],
        "card_expiry_month": Int4(card["expiry_month"]),
        "card_expiry_year": Int4(card["expiry_year"]),
        "description": "",
        "customer_email": "",
        "metadata": "{}",
    }


def receipt(asked: dict[str, Any], hold: dict[str, Any]) -> str:
    """The answer's body: as long as FicPay's, and much the same."""
    references = {"authorization_id": hold["authorization_id"], "capture_id": None, "void_id": None}
    return json.dumps(
        {
            "id": f"pay_{asked['payment_id'].hex}",
            "amount": int(asked["amount_minor"]),
            "state": "AUTHORIZED",
            "pending_operation": None,
            "money_moved": "yes",
            "bank": {**references, "refund_id": None},
            "decline": None,
            "refunds": [],
            "metadata": {},
            "authorization_expires_at": hold["expires_at"],
            "authorized_at": MARK,
            **{name: asked[name] for name in _SHOWN},
            **dict.fromkeys(_NOT_YET),
        }
    )


def outcome(asked: dict[str, Any], hold: dict[str, Any], receipt: str) -> dict[str, Any]:
    """Of `outcome`."""
    reference, expires_at = hold["authorization_id"], datetime.fromisoformat(hold["expires_at"])
    return {
        **dict.fromkeys((*_REFERENCES, "decline_code", "outcome_code"), ""),
        **dict.fromkeys((*_AMOUNTS, "strays_awaited"), Int4(0)),
        "payment_id": asked["payment_id"],
        "operation_id": asked["operation_id"],
        "kind": "authorize",
        "old_state": "PENDING",
        "state": "AUTHORIZED",
        "operation_state": "SUCCEEDED",
        "authorization_id": reference,
        "reference": reference,
        "authorization_expires_at": expires_at,
        "hold_expires_at": expires_at,
        "result": "answered",
        "said": "approved",
        "http_status": Int4(200),
        "reply": "200",
        "is_replay": False,
        "duration_ms": Int4(1),
        "event": "payment.authorized",
        "evidence": json.dumps({"attempt": 1, "status": 200, "reference": reference, "replayed": False}),
        "status": Int4(201),
        "headers": json.dumps({"Location": f"/api/v1/payments/pay_{asked['payment_id'].hex}"}),
        "body": receipt,
        "mark": MARK,
        "accounts": ["holds", "holds_contra"],
        "postings": [int(asked["amount_minor"]), -int(asked["amount_minor"])],
    }


def _signed(*parts: str) -> str:
    return hmac.new(_SECRET, "\0".join(parts).encode(), "sha256").hexdigest()
