"""Amounts are integers in cents, from one cent to 999,999.99; no float ever touches them."""

from enum import StrEnum

MIN_AMOUNT_CENTS = 1
MAX_AMOUNT_CENTS = 99_999_999


class Currency(StrEnum):
    """The currencies the books can hold (ISO 4217). Which of them a merchant may use, its bank says."""

    USD = "USD"


def display(amount_cents: int, currency: str) -> str:
    """An amount as staff read it: `$50.00`, a difference `-$1.50`."""
    symbol = {"USD": "$"}.get(currency, f"{currency} ")
    whole, cents = divmod(abs(amount_cents), 100)
    return f"{'-' if amount_cents < 0 else ''}{symbol}{whole:,}.{cents:02d}"
