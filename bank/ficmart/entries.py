"""What the ledger consists of."""

from dataclasses import dataclass
from enum import StrEnum

CURRENCY = "USD"


class Kind(StrEnum):
    """What an entry did, by the name the statement file gives it."""

    HOLD = "AUTH_HOLD"
    CAPTURE = "CAPTURE"
    VOID = "VOID"
    REFUND = "REFUND"


@dataclass(frozen=True)
class Entry:
    """One line of the ledger; it never changes.

    `id` is a UUID without the prefix it has on the wire. `reference_id` is the hold's for captures and
    voids, the capture's for refunds. `idempotency_key` is the one the instruction came with.
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
    """A card's money in cents: `total` is what is the cardholder's, `held` the part that is blocked."""

    total: int
    held: int

    @property
    def available(self) -> int:
        return self.total - self.held
