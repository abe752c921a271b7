"""How a settlement adds up: fees, what is paid to the merchant, and what is posted.

All amounts are in minor units of one currency.
"""

from dataclasses import dataclass

from payments.domain.ledger import Account, Posting

BASIS_POINTS = 10_000  # of the whole


def fee_of(amount_minor: int, basis_points: int, fixed_minor: int) -> int:
    """The fee of a capture: its share and the fixed part together, rounded half to even, once.

    `fee_of` in the database (`reconciliation/migrations/functions/fee_of.sql`) does the same for many rows.
    """
    whole, rest = divmod(amount_minor * basis_points + fixed_minor * BASIS_POINTS, BASIS_POINTS)
    is_up = 2 * rest > BASIS_POINTS or (2 * rest == BASIS_POINTS and whole % 2 == 1)
    return whole + is_up


@dataclass(frozen=True)
class Sums:
    """What a settlement consists of.

    A balance above nought is paid. One below nought is carried forward: nothing is paid, and the next
    settlement begins with it.
    """

    captured_minor: int = 0
    refunded_minor: int = 0
    fees_minor: int = 0
    corrected_minor: int = 0  # above nought: in favor of the merchant
    brought_forward_minor: int = 0  # never above nought

    @property
    def balance_minor(self) -> int:
        own = self.captured_minor - self.refunded_minor - self.fees_minor + self.corrected_minor
        return own + self.brought_forward_minor

    @property
    def amount_minor(self) -> int:
        """What is paid to the merchant."""
        return max(self.balance_minor, 0)

    @property
    def carried_forward_minor(self) -> int:
        return min(self.balance_minor, 0)


def postings_of_settlement(sums: Sums) -> list[Posting]:
    """The bank pays the merchant, and we keep the fees; none if nothing is paid and no fee is due.

    What is left of the payable account afterwards is what is carried forward, and what is not settled yet.
    """
    return _of(
        {
            Account.MERCHANT_PAYABLE: sums.amount_minor + sums.fees_minor,
            Account.BANK_RECEIVABLE: -sums.amount_minor,
            Account.FEES: -sums.fees_minor,
        }
    )


def postings_of_correction(amount_minor: int) -> list[Posting]:
    """`amount_minor` above nought is in favor of the merchant."""
    return _of({Account.MERCHANT_PAYABLE: -amount_minor, Account.CORRECTIONS: amount_minor})


def _of(amounts: dict[Account, int]) -> list[Posting]:
    return [Posting(account, amount) for account, amount in amounts.items() if amount]
