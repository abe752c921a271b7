"""The ledger's rules: accounts, and the postings of each change of a payment.

Double entry: an entry's postings add up to nought. A posting's amount is in minor units of its entry's
currency, a debit positive and a credit negative. Every account exists for each merchant, mode, bank and
currency.
"""

from dataclasses import dataclass
from enum import StrEnum

from payments.domain.states import PaymentState


class Account(StrEnum):
    """What a posting is posted to."""

    HOLDS = "holds"  # memorandum: customers' money held at the bank for the merchant
    HOLDS_CONTRA = "holds_contra"  # the other side of it: a hold is nobody's claim yet
    BANK_RECEIVABLE = "bank_receivable"  # captured and not refunded: the bank owes it
    MERCHANT_PAYABLE = "merchant_payable"  # captured and not refunded: it is owed to the merchant
    FEES = "fees"  # what the merchant pays us for captures
    CORRECTIONS = "corrections"  # the other side of what was settled wrongly and is put right


@dataclass(frozen=True)
class Posting:
    """One side of an entry, in minor units: a debit positive, a credit negative, never nought."""

    account: Account
    amount_minor: int


@dataclass(frozen=True)
class Position:
    """What a payment has brought into the ledger so far, in minor units of its currency."""

    held_minor: int = 0
    taken_minor: int = 0  # captured and not refunded

    def balances(self) -> dict[Account, int]:
        return {
            Account.HOLDS: self.held_minor,
            Account.HOLDS_CONTRA: -self.held_minor,
            Account.BANK_RECEIVABLE: self.taken_minor,
            Account.MERCHANT_PAYABLE: -self.taken_minor,
        }


def position_of(state: str, *, amount_minor: int, captured_minor: int, refunded_minor: int) -> Position:
    """The position of a payment in this state.

    A capture of a part frees the rest of the hold. A hold that has expired counts no longer, though its
    bank may block the customer's money until it is voided.
    """
    held = amount_minor if state == PaymentState.AUTHORIZED else 0
    return Position(held_minor=held, taken_minor=captured_minor - refunded_minor)


def postings_between(before: Position, after: Position) -> list[Posting]:
    """The postings that lead from one position to another; none where they are the same."""
    old, new = before.balances(), after.balances()
    return [Posting(account, new[account] - old[account]) for account in new if new[account] != old[account]]
