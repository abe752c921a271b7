"""What the acquirer has done, for tests to read; nobody on the wire can ask for it."""

from collections import deque
from dataclasses import dataclass
from uuid import uuid4

from bank.acquirer.payments import Payment
from bank.journal import KEPT


@dataclass(frozen=True)
class Decision:
    """What the issuer said to one payment: a new code, or an empty one where it is not authorized."""

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
        """Ask the issuer. There is no way to ask whether it has been asked before."""
        decision = Decision(payment, str(uuid4()) if payment.is_authorized else "", now)
        self.decisions.append(decision)
        return decision
