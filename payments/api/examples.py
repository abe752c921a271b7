"""The examples of the OpenAPI document: one order of $50.00 through its life."""

from typing import Any

_REQUEST_ID = "3f2b8a7c94e14d0bb1f0c7d1a5e6f708"
_TIMES = ("authorized", "captured", "refunded", "voided", "expired", "declined", "failed")
_ID = "pay_6f1d2c3b4a594837a6b5c4d3e2f10a9b"
_AUTHORIZATION = "auth_0b7c6f1e-52a3-4c0e-9d57-2f6a1c3b9e41"
_CAPTURE = "cap_9d1e7a42-6c58-4b9f-8f0a-7b3c2d1e5f60"

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
        "id": _ID,
        "order_id": "order-1001",
        "customer_id": "customer-7",
        "amount": 5000,
        "currency": "USD",
        "state": state,
        "pending_operation": None,
        "money_moved": "no",
        "card": {"brand": "visa", "last4": "1111", "expiry_month": 12, "expiry_year": 2030},
        "bank": {"authorization_id": None, "capture_id": None, "void_id": None, "refund_id": None},
        "decline": None,
        "captured_amount": 0,
        "refunded_amount": 0,
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


_HELD: dict[str, Any] = {
    "authorization_expires_at": "2026-11-28T09:30:01.000000Z",
    "authorized_at": "2026-11-21T09:30:01.204518Z",
}
_TAKEN = _HELD | {
    "captured_amount": 5000,
    "captured_at": "2026-11-22T14:05:10.551023Z",
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
        "refunded_amount": 5000,
        "refunded_at": "2026-11-25T08:12:44.870001Z",
        "bank": _TAKEN["bank"] | {"refund_id": "ref_2c4e6a80-1b3d-4f5a-9c7e-8d0f2a4b6c8e"},
    },
)
VOIDED = _payment(
    "VOIDED",
    **_HELD,
    voided_at="2026-11-21T11:00:00.400212Z",
    bank={"authorization_id": _AUTHORIZATION, "void_id": "void_7a8b9c0d-1e2f-4a3b-8c4d-5e6f7a8b9c0d"},
)
DECLINED = _payment(
    "DECLINED",
    declined_at="2026-11-21T09:30:01.204518Z",
    decline={"code": "insufficient_funds", "message": "The card has insufficient funds."},
)
FAILED = _payment("FAILED", failed_at="2026-11-21T09:30:05.012345Z")
EXPIRED = _payment(
    "EXPIRED",
    **_HELD,
    expired_at="2026-11-28T09:31:00.000000Z",
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
            "request_id": _REQUEST_ID,
            "reason": None,
        },
        {
            "id": "evt_42",
            "type": "payment.authorized",
            "at": "2026-11-21T09:30:01.204518Z",
            "actor": "merchant",
            "operation_id": "op_5e6f7a8b9c0d4e1f8a2b3c4d5e6f7a8b",
            "request_id": _REQUEST_ID,
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


def pending(verb: str) -> dict[str, Any]:
    """A receipt whose operation is unfinished."""
    if verb == "authorize":
        return PENDING
    before = CAPTURED if verb == "refund" else AUTHORIZED
    return before | {"pending_operation": verb, "money_moved": "unknown"}


def page(payment: dict[str, Any]) -> dict[str, Any]:
    """A page with one payment on it."""
    return {"next": None, "previous": None, "results": [payment]}


# What differs from code to code: title, detail, and the optional members.
_PROBLEMS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "validation_error": (
        "The request is invalid",
        "Invalid: card.number, amount.",
        {
            "errors": [
                {
                    "field": "card.number",
                    "code": "luhn",
                    "detail": "Is not a card number: its check digit is wrong.",
                },
                {"field": "amount", "code": "invalid", "detail": "Must be an integer."},
            ],
            "money_moved": "no",
        },
    ),
    "insufficient_funds": (
        "The card was declined",
        "The card has insufficient funds.",
        {
            "payment": DECLINED,
            "money_moved": "no",
            "next": "Ask the customer for another card and authorize with a new idempotency key.",
        },
    ),
    "authorization_expired": (
        "The authorization has expired",
        "The hold ran out before the capture. No money was taken; the hold is released.",
        {"payment": EXPIRED, "money_moved": "no", "next": "Authorize a new payment for the order."},
    ),
    "order_already_has_payment": (
        "The order already has a live payment",
        f"The order has the AUTHORIZED payment {_ID}.",
        {
            "payment": AUTHORIZED,
            "money_moved": "no",
            "next": "Use the payment shown here, or void it before authorizing another.",
        },
    ),
    "invalid_transition": (
        "The payment's state does not allow this",
        "A payment that is VOIDED cannot be captured.",
        {"payment": VOIDED, "money_moved": "no"},
    ),
    "operation_in_progress": (
        "Another operation of this payment is unfinished",
        "The capture is unfinished.",
        {"payment": pending("capture"), "money_moved": "no"},
    ),
    "bank_unavailable": (
        "The bank is unavailable",
        "The bank could not be reached, so the authorize was not executed.",
        {
            "payment": FAILED,
            "money_moved": "no",
            "next": "Send the same request again after `Retry-After`, with the same idempotency key.",
        },
    ),
    "service_unavailable": (
        "FicPay's database is unavailable",
        "FicPay cannot reach its database.",
        {"next": "Read the payment or the order before doing anything else."},
    ),
    "idempotency_key_in_use": (
        "The first request with this idempotency key is unfinished",
        "The first request with this key is unfinished: its authorize has no known outcome yet. "
        "Retry with the same key.",
        {
            "payment": PENDING,
            "money_moved": "unknown",
            "next": "Send the same request again after `Retry-After`, or read the payment.",
        },
    ),
    "not_found": ("Not found", "There is no such payment.", {}),
    "request_timeout": (
        "The body did not arrive",
        "The body did not arrive within 10 s.",
        {"money_moved": "no"},
    ),
    "internal_error": (
        "Internal error",
        "FicPay failed to answer. The error is recorded under this request id.",
        {},
    ),
}


def problem(status: int, code: str) -> dict[str, Any]:
    """An error of this code."""
    title, detail, optional = _PROBLEMS.get(
        code, (code.replace("_", " ").capitalize(), "What went wrong.", {})
    )
    return {
        "type": f"urn:ficpay:error:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": _REQUEST_ID,
        **optional,
    }
