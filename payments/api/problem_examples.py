"""An example of every error. tests/api/test_error_examples.py produces each of them."""

import json
from collections.abc import Mapping
from typing import Any

from payments.api import examples
from payments.domain.meanings import DECLINES
from payments.domain.problems import NEXT_IN_STATE, NEXT_OF_ORDER, NEXT_WITHOUT
from payments.domain.states import OperationKind, PaymentState
from payments.engine import responses

# What the examples add to `payments.domain.problems`.
_CASES: dict[str, dict[str, Any]] = {
    "validation_error": {
        "detail": "Invalid: amount, card.number, card.expiry_month, card.expiry_year.",
        "errors": [
            {
                "field": "amount",
                "code": "invalid",
                "detail": "Must be an integer in the currency's minor unit from 1 to 99999999, without "
                "quotes or a decimal point: 5000 is $50.00 or ¥5,000.",
            },
            {
                "field": "card.number",
                "code": "digits",
                "detail": "Must be 13 to 19 digits, without spaces or dashes.",
            },
            {
                "field": "card.expiry_month",
                "code": "max_value",
                "detail": "Must be an integer from 1 to 12, without quotes.",
            },
            {
                "field": "card.expiry_year",
                "code": "min_value",
                "detail": "Must be a four-digit year, without quotes: 2030, not 30.",
            },
        ],
    },
    "idempotency_key_missing": {"detail": "Every POST needs an Idempotency-Key header."},
    "idempotency_key_invalid": {
        "detail": "The Idempotency-Key must be 1 to 255 visible ASCII characters without commas."
    },
    "authentication_failed": {"detail": "This API key is unknown, has expired or has been disabled."},
    "insufficient_funds": {
        "detail": DECLINES["insufficient_funds"],
        "payment": examples.declined("insufficient_funds", brand="mastercard", last4="4444", month=9),
    },
    "card_expired": {
        "detail": DECLINES["card_expired"],
        "payment": examples.declined("card_expired", brand="mastercard", last4="5100", month=3),
    },
    "invalid_card": {
        "detail": DECLINES["invalid_card"],
        "payment": examples.declined("invalid_card", brand="visa", last4="1881", month=12),
    },
    "invalid_cvv": {
        "detail": DECLINES["invalid_cvv"],
        "payment": examples.declined("invalid_cvv", brand="visa", last4="1111", month=12),
    },
    "declined": {
        "detail": DECLINES["declined"],
        "payment": examples.declined("declined", brand="visa", last4="4242", month=6) | {"currency": "EUR"},
    },
    "permission_denied": {"detail": "This API key lacks the scope `payments:write`."},
    "not_found": {"detail": "There is no such payment."},
    "method_not_allowed": {
        "detail": "This URL supports only the methods in the `Allow` header.",
        "writes": False,
    },
    "request_timeout": {"detail": "The body did not arrive within 10 s."},
    "invalid_transition": {
        "detail": "A payment that is CAPTURED cannot be captured.",
        "payment": examples.CAPTURED,
        "next_step": NEXT_IN_STATE[OperationKind.CAPTURE, PaymentState.CAPTURED],
    },
    "operation_in_progress": {"detail": "The capture is unfinished.", "payment": examples.pending("capture")},
    "needs_review": {"detail": "The capture is under review.", "payment": examples.pending("capture")},
    "not_supported": {
        "detail": "This payment's bank does not support capture.",
        "payment": examples.AUTHORIZED,
        "next_step": NEXT_WITHOUT[OperationKind.CAPTURE],
    },
    "authorization_expired": {
        "detail": "The hold expired before the capture. No money was taken; the hold is released.",
        "payment": examples.EXPIRED,
    },
    "order_already_has_payment": {
        "detail": f"The order has the AUTHORIZED payment {examples.ID}.",
        "payment": examples.AUTHORIZED,
        "next_step": NEXT_OF_ORDER[PaymentState.AUTHORIZED],
    },
    "idempotency_key_in_use": {
        "detail": "The first request with this key is unfinished: its authorize has no known outcome yet. "
        "Retry with the same key.",
        "payment": examples.PENDING,
    },
    "too_many_api_keys": {"detail": "This merchant has 100 API keys in force in live mode."},
    "payload_too_large": {"detail": "The body is larger than 65536 bytes."},
    "unsupported_media_type": {
        "detail": "Send an uncompressed JSON body with `Content-Type: application/json`."
    },
    "idempotency_key_reused": {
        "detail": "This Idempotency-Key was first used for another request, or too long ago to be compared."
    },
    "amount_mismatch": {
        "detail": "This payment can only be captured in full: $50.00; $49.99 was requested.",
        "payment": examples.AUTHORIZED,
    },
    "rate_limited": {"detail": "More than 100 writes in 60 seconds."},
    "internal_error": {
        "detail": "FicPay failed to process the request. The error is logged with this request id."
    },
    "bank_unavailable": {
        "detail": "The bank could not be reached, so the authorize was not executed.",
        "payment": examples.FAILED,
    },
    "service_unavailable": {"detail": "FicPay cannot reach its database."},
    "overloaded": {"detail": "FicPay is already waiting for as many replies from this bank as it can."},
}


def problem(code: str) -> dict[str, Any]:
    """An example of the error with this code."""
    case: Mapping[str, Any] = _CASES[code]
    example: dict[str, Any] = json.loads(responses.problem(code, request_id=examples.REQUEST_ID, **case).body)
    return example
