"""Amounts as files write them: read exactly, or not at all. No float touches them."""

import re

from payments.domain.money import DENOMINATIONS, MAX_AMOUNT_MINOR

_MINOR = re.compile(r"\+?([0-9]{1,12})")
_DECIMAL = re.compile(r"\+?([0-9]{1,12})(?:[.,]([0-9]{1,5}))?")
_DIGITS = {0: "no decimal digits", 2: "two decimal digits", 3: "three decimal digits"}


def minor_units(text: str) -> int:
    """A whole number of minor units. Raises ValueError."""
    _refuse_minus(text)
    found = _MINOR.fullmatch(text)
    if found is None:
        raise ValueError(f"the amount {text[:40]!r} is not a whole number of minor units")
    return _possible(int(found[1]), text)


def decimal_amount(text: str, currency: str) -> int:
    """`50.00` or `50,00` in minor units of the currency. Raises ValueError.

    All digits of the minor unit are needed: `1,234` dollars may be a thousand, and `1234` may be cents.
    """
    _refuse_minus(text)
    exponent = DENOMINATIONS[currency].exponent
    found = _DECIMAL.fullmatch(text)
    if found is None or len(found[2] or "") != exponent:
        raise ValueError(
            f"the amount {text[:40]!r} is not one in {currency}: {_DIGITS[exponent]} and no thousands"
            f" separator are wanted, as {_example(exponent)}"
        )
    return _possible(int(found[1] + (found[2] or "")), text)


def _example(exponent: int) -> str:
    return f"10.{'0' * exponent}" if exponent else "10"


def _refuse_minus(text: str) -> None:
    if text.startswith("-"):
        raise ValueError(
            f"the amount {text[:40]!r} has a minus sign: amounts are written without one, the kind says which"
            " way the money goes"
        )


def _possible(amount_minor: int, text: str) -> int:
    if not 0 < amount_minor <= MAX_AMOUNT_MINOR:
        raise ValueError(f"the amount {text[:40]!r} is not one that a payment can have")
    return amount_minor


def known_currency(text: str) -> str:
    """Raises ValueError for a currency that our books cannot hold."""
    if text not in DENOMINATIONS:
        raise ValueError(f"the currency {text[:10]!r} is not one of {', '.join(DENOMINATIONS)}")
    return text
