"""The ledger's entries, and a card's balance."""

from dataclasses import dataclass
from enum import StrEnum

CURRENCY = "USD"


class Kind(StrEnum):
    """The kind of an entry, by its name in the statement."""

    HOLD = "AUTH_HOLD"
    CAPTURE = "CAPTURE"
    VOID = "VOID"
    REFUND = "REFUND"


@dataclass(frozen=True)
class Entry:
    """One line of the ledger; it never changes.

    `id` is a UUID without the prefix that the API adds. `reference_id` is the hold's id for captures and
    voids, and the capture's id for refunds. `idempotency_key` is the instruction's key.
    """

    kind: Kind
    id: str
    reference_id: str | None
    card_last4: str
    amount_cents: int
    idempotency_key: str
    created_at_ns: int
    expires_at_ns: int | None = None


@dataclass(frozen=True)
class Balance:
    """A card's money in cents: `total` belongs to the cardholder, and `held` is the part that is blocked."""

    total: int
    held: int

    @property
    def available(self) -> int:
        return self.total - self.held
