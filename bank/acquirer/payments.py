"""How a payment's body is validated, and how its issuer decides."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bank.bodies import json_object

CURRENCIES = ("USD", "GBP", "EUR")


class Malformed(Exception):
    """Fields are missing or malformed. The message names them, but never their values."""


@dataclass(frozen=True)
class Payment:
    """What the issuer is asked for. Only the last four digits of the card number are kept."""

    card_last4: str
    currency: str
    amount: int

    @property
    def issuer_is_away(self) -> bool:
        """The last digit is zero: the issuer cannot be reached."""
        return self.card_last4.endswith("0")

    @property
    def is_authorized(self) -> bool:
        """The last digit is odd."""
        return int(self.card_last4[-1]) % 2 == 1


def read(body: bytes) -> Payment:
    """The payment in a body. Raises Unreadable or Malformed."""
    fields = json_object(body)
    if wrong := [name for name, is_right in FORMS.items() if not is_right(fields.get(name))]:
        raise Malformed(f"Missing or malformed: {', '.join(wrong)}.")
    return Payment(fields["card_number"][-4:], fields["currency"], fields["amount"])


def _text(pattern: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value, re.ASCII) is not None


def _is_amount(value: Any) -> bool:
    return type(value) is int and value >= 1  # a bool is an int, too


FORMS: Mapping[str, Callable[[Any], bool]] = {
    "card_number": _text(r"\d{14,19}"),
    "expiry_date": _text(r"(0[1-9]|1[0-2])/\d{4}"),
    "currency": _text("|".join(CURRENCIES)),
    "amount": _is_amount,
    "cvv": _text(r"\d{3,4}"),
}
