"""The cards that this bank has issued."""

from dataclasses import dataclass
from datetime import UTC, datetime

from bank.clock import SECOND


@dataclass(frozen=True)
class Card:
    """One issued card. The ledger identifies it by its last four digits, which no two test cards share."""

    number: str
    cvv: str
    expiry_month: int
    expiry_year: int
    balance_cents: int

    @property
    def last4(self) -> str:
        return self.number[-4:]

    def has_expired(self, now_ns: int) -> bool:
        """A card is valid to the end of its expiry month in UTC."""
        today = datetime.fromtimestamp(now_ns // SECOND, UTC)
        return (today.year, today.month) > (self.expiry_year, self.expiry_month)


ISSUED = {
    card.number: card
    for card in (
        Card("4111111111111111", "123", 12, 2030, 1_000_000),
        Card("4242424242424242", "456", 6, 2030, 50_000),
        Card("5555555555554444", "789", 9, 2030, 0),
        Card("5105105105105100", "321", 3, 2020, 500_000),
    )
}


def is_card_number(text: str) -> bool:
    """Whether the text is 13 to 19 digits with a valid Luhn check digit."""
    if not (13 <= len(text) <= 19 and is_digits(text)):
        return False
    total = 0
    for position, character in enumerate(reversed(text)):
        digit = int(character) * (2 if position % 2 else 1)
        total += digit - 9 if digit > 9 else digit
    return total % 10 == 0


def is_digits(text: str) -> bool:
    """ASCII digits only: str.isdigit alone also accepts superscripts and other scripts."""
    return text.isascii() and text.isdigit()
