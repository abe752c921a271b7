"""The acquirer's decisions. Only the control plane can read them; the acquirer's own API cannot."""

from collections import deque
from dataclasses import dataclass
from uuid import uuid4

from bank.acquirer.payments import Payment
from bank.journal import KEPT


@dataclass(frozen=True)
class Decision:
    """The issuer's decision on one payment: a new code, or an empty one if it is not authorized."""

    payment: Payment
    authorization_code: str
    decided_at_ns: int

    @property
    def authorized(self) -> bool:
        return bool(self.authorization_code)


class Books:
    """All decisions, oldest first. Kept in memory: a restart forgets them."""

    def __init__(self) -> None:
        self.decisions: deque[Decision] = deque(maxlen=KEPT)

    def decide(self, payment: Payment, *, now: int) -> Decision:
        """Ask the issuer. There are no idempotency keys, so a repeated payment is a new one."""
        decision = Decision(payment, str(uuid4()) if payment.is_authorized else "", now)
        self.decisions.append(decision)
        return decision
