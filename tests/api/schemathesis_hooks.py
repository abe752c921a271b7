"""What JSON Schema cannot say of a valid request, for schemathesis (which loads this file by itself)."""

import os
from typing import Any

import schemathesis
from hypothesis import strategies as st


def _with_check_digit(digits: str) -> str:
    """The digits and the one that makes them pass the Luhn check (ISO/IEC 7812-1, annex B)."""
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 - position % 2)
        total += value - 9 if value > 9 else value
    return f"{digits}{-total % 10}"


_NUMBERS = st.from_regex(r"[0-9]{12,18}", fullmatch=True).map(_with_check_digit)
# One in two is a card that the bank knows, so that payments come to be.
_KNOWN = st.sampled_from(["4111111111111111", "4242424242424242", "5555555555554444"])
schemathesis.openapi.format("card-number", _KNOWN | _NUMBERS)

_WITHOUT_ROUTE = ("EUR", "GBP", "JPY")


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """To JSON Schema 5000.0 is an integer; and a card of years ago is well-formed, but refused.

    So is a currency of which the merchant has no route, and an API key's expiry in the past.
    """
    body = _without_fractions_of_nothing(body)
    if isinstance(body, dict) and body.get("currency") in _WITHOUT_ROUTE:
        body = body | {"currency": "USD"}
    if isinstance(body, dict) and isinstance(body.get("expires_at"), str):
        body = body | {"expires_at": f"2096{body['expires_at'][4:]}"}  # a leap year: any day may follow
    card = body.get("card") if isinstance(body, dict) else None
    if isinstance(card, dict):
        year = card.get("expiry_year")
        if type(year) is int and 2000 <= year < 2050:
            body = body | {"card": card | {"expiry_year": year + 50}}
    return body


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: Any) -> Any:
    """The key in use is not disabled: all that follows would be a 401."""
    if path_parameters and path_parameters.get("key_id") == os.environ["FICPAY_KEY_IN_USE"]:
        return path_parameters | {"key_id": f"key_{'0' * 32}"}
    return path_parameters


def _without_fractions_of_nothing(value: Any) -> Any:
    match value:
        case dict():
            return {name: _without_fractions_of_nothing(inner) for name, inner in value.items()}
        case list():
            return [_without_fractions_of_nothing(inner) for inner in value]
        case float() if value.is_integer():
            return int(value)
        case _:
            return value
