"""What the acquirer has done, for tests to read; nobody on the wire can ask for it."""

from collections import deque
from dataclasses import dataclass
from uuid import uuid4

from bank.acquirer.payments import Payment
from bank.journal import KEPT


@dataclass(frozen=True)
class Decision:
    """What the issuer said to one payment. `authorization_code` is empty unless it is authorized."""

    authorized: bool
    authorization_code: str
    amount: int
    currency: str
    card_last4: str
    decided_at_ns: int


class Books:
    """All decisions, oldest first. Kept in memory: a restart forgets them."""

    def __init__(self) -> None:
        self.decisions: deque[Decision] = deque(maxlen=KEPT)

    def decide(self, payment: Payment, *, now: int) -> Decision:
        """Ask the issuer. There is no way to ask whether it has been asked before."""
        authorized = payment.is_authorized
        decision = Decision(
            authorized=authorized,
            authorization_code=str(uuid4()) if authorized else "",
            amount=payment.amount,
            currency=payment.currency,
            card_last4=payment.card_last4,
            decided_at_ns=now,
        )
        self.decisions.append(decision)
        return decision
