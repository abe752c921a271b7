"""Amounts as files write them: read exactly, or not at all. No float touches them."""

import re

from payments.domain.money import DENOMINATIONS, MAX_AMOUNT_MINOR

_MINOR = re.compile(r"\+?([0-9]{1,12})")
_DECIMAL = re.compile(r"\+?([0-9]{1,12})(?:[.,]([0-9]{1,5}))?")


def minor_units(text: str) -> int:
    """A whole number of minor units. Raises ValueError."""
    found = _MINOR.fullmatch(text)
    if found is None:
        raise ValueError(f"the amount {text[:40]!r} is not a whole number of minor units")
    return _possible(int(found[1]), text)


def decimal_amount(text: str, currency: str) -> int:
    """`50.00` or `50,00` in minor units of the currency. Raises ValueError.

    All digits of the minor unit are needed: `1,234` dollars may be a thousand, and `1234` may be cents.
    """
    exponent = DENOMINATIONS[currency].exponent
    found = _DECIMAL.fullmatch(text)
    if found is None or len(found[2] or "") != exponent:
        raise ValueError(f"the amount {text[:40]!r} is not one in {currency}")
    return _possible(int(found[1] + (found[2] or "")), text)


def _possible(amount_minor: int, text: str) -> int:
    if not 0 < amount_minor <= MAX_AMOUNT_MINOR:
        raise ValueError(f"the amount {text[:40]!r} is not one that a payment can have")
    return amount_minor


def known_currency(text: str) -> str:
    """Raises ValueError for a currency that our books cannot hold."""
    if text not in DENOMINATIONS:
        raise ValueError(f"the currency {text[:10]!r} is not one of {', '.join(DENOMINATIONS)}")
    return text
