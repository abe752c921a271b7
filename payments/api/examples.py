"""The examples of the OpenAPI document: one $50.00 order through its life. The tests produce each of them."""

from typing import Any

from payments.domain.meanings import DECLINES

REQUEST_ID = "3f2b8a7c94e14d0bb1f0c7d1a5e6f708"
_TIMES = ("authorized", "captured", "refunded", "voided", "expired", "declined", "failed")
ID = "pay_6f1d2c3b4a594837a6b5c4d3e2f10a9b"
_AUTHORIZATION = "auth_0b7c6f1e-52a3-4c0e-9d57-2f6a1c3b9e41"
_CAPTURE = "cap_9d1e7a42-6c58-4b9f-8f0a-7b3c2d1e5f60"
_REFUND = "ref_2c4e6a80-1b3d-4f5a-9c7e-8d0f2a4b6c8e"

AUTHORIZE: dict[str, Any] = {
    "order_id": "order-1001",
    "customer_id": "customer-7",
    "amount": 5000,
    "currency": "USD",
    "card": {"number": "4111111111111111", "expiry_month": 12, "expiry_year": 2030, "cvv": "123"},
    "description": "Two mugs",
    "metadata": {"cart": "c-55"},
}


def _payment(state: str, **changes: Any) -> dict[str, Any]:
    payment: dict[str, Any] = {
        "id": ID,
        "livemode": True,
        "order_id": "order-1001",
        "customer_id": "customer-7",
        "amount": 5000,
        "currency": "USD",
        "state": state,
        "pending_operation": None,
        "last_operation": None,
        "money_moved": "no",
        "card": {"brand": "visa", "last4": "1111", "expiry_month": 12, "expiry_year": 2030},
        "bank": {"authorization_id": None, "capture_id": None, "void_id": None, "refund_id": None},
        "decline": None,
        "captured_amount": 0,
        "refunded_amount": 0,
        "refunds": [],
        "description": "Two mugs",
        "customer_email": None,
        "metadata": {"cart": "c-55"},
        "authorization_expires_at": None,
        "created_at": "2026-11-21T09:30:00.123456Z",
        "pending_at": "2026-11-21T09:30:00.123456Z",
        **{f"{name}_at": None for name in _TIMES},
    }
    bank = payment["bank"] | changes.pop("bank", {})
    return payment | {"bank": bank} | changes


def _ended(kind: str, at: str, outcome: str = "succeeded", code: str | None = None) -> dict[str, Any]:
    return {"last_operation": {"kind": kind, "outcome": outcome, "code": code, "at": at}}


_AUTHORIZED_AT = "2026-11-21T09:30:01.204518Z"
_CAPTURED_AT = "2026-11-22T14:05:10.551023Z"
_REFUNDED_AT = "2026-11-25T08:12:44.870001Z"
_VOIDED_AT = "2026-11-21T11:00:00.400212Z"
_EXPIRED_AT = "2026-11-28T09:31:00.000000Z"
_FAILED_AT = "2026-11-21T09:30:05.012345Z"
_HELD: dict[str, Any] = {
    **_ended("authorize", _AUTHORIZED_AT),
    "authorization_expires_at": "2026-11-28T09:30:01.000000Z",
    "authorized_at": _AUTHORIZED_AT,
}
_TAKEN: dict[str, Any] = _HELD | {
    **_ended("capture", _CAPTURED_AT),
    "captured_amount": 5000,
    "captured_at": _CAPTURED_AT,
    "money_moved": "yes",
    "bank": {"authorization_id": _AUTHORIZATION, "capture_id": _CAPTURE},
}
PENDING = _payment("PENDING", pending_operation="authorize", money_moved="unknown")
AUTHORIZED = _payment("AUTHORIZED", **_HELD, bank={"authorization_id": _AUTHORIZATION})
CAPTURED = _payment("CAPTURED", **_TAKEN)
REFUNDED = _payment(
    "REFUNDED",
    **_TAKEN
    | {
        **_ended("refund", _REFUNDED_AT),
        "refunded_amount": 5000,
        "refunds": [
            {
                "id": "op_8b1d3f5a7c9e4b2d8f6a0c2e4a6b8d0f",
                "amount": 5000,
                "reason": None,
                "bank_reference": _REFUND,
                "refunded_at": _REFUNDED_AT,
            }
        ],
        "refunded_at": _REFUNDED_AT,
        "bank": _TAKEN["bank"] | {"refund_id": _REFUND},
    },
)
VOIDED = _payment(
    "VOIDED",
    **_HELD | _ended("void", _VOIDED_AT),
    voided_at=_VOIDED_AT,
    bank={"authorization_id": _AUTHORIZATION, "void_id": "void_7a8b9c0d-1e2f-4a3b-8c4d-5e6f7a8b9c0d"},
)
FAILED = _payment(
    "FAILED", **_ended("authorize", _FAILED_AT, "not_executed", "bank_unavailable"), failed_at=_FAILED_AT
)
EXPIRED = _payment(
    "EXPIRED",
    **_HELD | _ended("capture", _EXPIRED_AT, "rejected", "authorization_expired"),
    expired_at=_EXPIRED_AT,
    bank={"authorization_id": _AUTHORIZATION},
)
EVENTS = {
    "results": [
        {
            "id": "evt_41",
            "type": "payment.created",
            "at": "2026-11-21T09:30:00.123456Z",
            "actor": "merchant",
            "operation_id": "op_5e6f7a8b9c0d4e1f8a2b3c4d5e6f7a8b",
            "amount": 5000,
            "request_id": REQUEST_ID,
            "reason": None,
        },
        {
            "id": "evt_42",
            "type": "payment.authorized",
            "at": "2026-11-21T09:30:01.204518Z",
            "actor": "merchant",
            "operation_id": "op_5e6f7a8b9c0d4e1f8a2b3c4d5e6f7a8b",
            "amount": 5000,
            "request_id": REQUEST_ID,
            "reason": None,
        },
    ]
}
ORDER = {
    "order_id": "order-1001",
    "ready_to_ship": True,
    "reason": "The payment is CAPTURED.",
    "payment": CAPTURED,
    "payments": [CAPTURED],
}


def declined(code: str, *, brand: str, last4: str, month: int) -> dict[str, Any]:
    """A payment whose card the issuer declined with this code."""
    return _payment(
        "DECLINED",
        **_ended("authorize", _AUTHORIZED_AT, "declined", code),
        declined_at=_AUTHORIZED_AT,
        decline={"code": code, "message": DECLINES[code]},
        card={"brand": brand, "last4": last4, "expiry_month": month, "expiry_year": 2030},
    )


def pending(verb: str) -> dict[str, Any]:
    """A receipt whose operation is unfinished."""
    if verb == "authorize":
        return PENDING
    before = CAPTURED if verb == "refund" else AUTHORIZED
    return before | {"pending_operation": verb, "money_moved": "unknown"}


def page(payment: dict[str, Any]) -> dict[str, Any]:
    """A page of one payment."""
    return {"next": None, "previous": None, "results": [payment]}
