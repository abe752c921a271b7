"""What the engine asks of a bank. Every bank is asked the same way, the sandbox included.

A bank states what it can do; the engine asks for the ability, never for the bank's name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from payments.domain.abilities import Abilities
from payments.domain.cards import Card
from payments.domain.replies import LookUp, Reply, Said
from payments.domain.states import Mode, OperationKind


@dataclass(frozen=True)
class Instruction:
    """One operation as a bank needs it: the same every time it is sent."""

    kind: OperationKind
    amount_minor: int
    currency: str
    target_reference: str  # an authorization's id, for a refund a capture's, empty for an authorize
    idempotency_key: str  # ours for the bank


class Bank(Protocol):
    """A bank that can be told to move money."""

    name: str
    mode: Mode  # live money, or test payments that move none
    abilities: Abilities
    reads: Mapping[Said, str]  # how it says each word, for docs/outcomes.md; what it never says is left out
    reference_prefixes: tuple[str, ...]  # how its references begin; its statements may leave them out

    def send(self, instruction: Instruction, *, card: Card | None, may_send: Callable[[], bool]) -> Reply:
        """Send one attempt and wait for its end, within `Timing.attempt` seconds.

        `may_send` is asked after connecting and before the first byte; where it says no, nothing is sent.
        `card` is given with an authorize only. Raises nothing: whatever goes wrong is a reply.
        """
        ...

    def probe(self, instruction: Instruction, *, may_send: Callable[[], bool]) -> Reply:
        """Ask what is stored under an authorize's key, in a way that cannot hold money. As `send`.

        A stored answer comes back as an approval that is replayed; INVALID_CARD is said where there is none.
        """
        ...

    def look_up(self, kind: OperationKind, reference: str) -> LookUp:
        """What the bank knows of a hold, a capture or a refund by its own id. Raises nothing."""
        ...

    def is_healthy(self) -> bool:
        """Whether the bank says of itself that it works."""
        ...
