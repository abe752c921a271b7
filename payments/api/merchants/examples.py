"""The examples of the calls about the merchant, for the OpenAPI document. The tests produce each of them."""

from typing import Any

CREATE = {"name": "order service", "scopes": ["payments:read", "payments:write"]}
ROTATE = {"overlap_seconds": 86400}
_ALL = ["payments:read", "payments:write", "webhooks", "keys"]


def _key(number: int, **changes: Any) -> dict[str, Any]:
    key = {
        "id": f"key_{number:032x}",
        "livemode": False,
        "name": "order service",
        "scopes": CREATE["scopes"],
        "hint": "sk_test_...4f0A",
        "state": "active",
        "replaces": None,
        "created_at": "2026-11-21T09:30:00.123456Z",
        "expires_at": None,
        "disabled_at": None,
        "last_used_at": None,
    }
    return key | changes


_OF_THE_OPERATORS = _key(
    1, name="first key", scopes=_ALL, hint="sk_test_...9xQe", last_used_at="2026-11-21T09:29:30.000000Z"
)
_CREATED = _key(2)
KEYS = {"results": [_CREATED, _OF_THE_OPERATORS]}
MERCHANT = {
    "id": "ficmart",
    "name": "FicMart",
    "livemode": False,
    "currencies": [
        {
            "currency": code,
            "operations": ["authorize", "capture", "void", "refund"],
            "partial_captures": True,
            "partial_refunds": True,
        }
        for code in ("EUR", "GBP", "JPY", "USD")
    ],
    "limits": {
        "writes": {"requests": 100, "seconds": 60},
        "reads": {"requests": 1000, "seconds": 60},
        "replays": {"requests": 1000, "seconds": 60},
    },
    "api_key": _OF_THE_OPERATORS,
}
CREATED = {
    "api_key": _CREATED,
    "secret": "sk_test_EXAMPLE_mZ5kq0Y3nU7w1sVb9tRcD2fGhJ4f0A",
    "replaced": None,
    "notice": None,
}
REPLAYED = CREATED | {
    "secret": None,
    "notice": "The secret was in the first response only: FicPay does not store it. If you do not have it, "
    "disable this key and create another one with a new idempotency key.",
}
_ROTATED_AT = "2026-12-01T08:00:00.000000Z"
ROTATED = {
    "api_key": _key(3, hint="sk_test_...7bKw", replaces=_CREATED["id"], created_at=_ROTATED_AT),
    "secret": "sk_test_EXAMPLE_pX8dL6aQ1eM0vNz3yBtHsC5rTgK7bKw",
    "replaced": _CREATED | {"expires_at": "2026-12-02T08:00:00.000000Z"},
    "notice": None,
}
DISABLED = {
    "api_key": _CREATED | {"state": "disabled", "disabled_at": "2026-12-01T09:00:00.000000Z"},
    "notice": None,
}
