"""What the engine asks of a bank. Every bank is asked the same way, the sandbox included.

A bank states what it can do; the engine asks for the ability, never for the bank's name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from payments.domain.abilities import Abilities
from payments.domain.cards import Card
from payments.domain.replies import LookUp, Reply, Said
from payments.domain.statements import StatementWords
from payments.domain.states import Mode, OperationKind


@dataclass(frozen=True)
class Instruction:
    """One operation as it is sent to a bank. Every attempt sends the same."""

    kind: OperationKind
    amount_minor: int
    currency: str
    target_reference: str  # the authorization's id; for a refund the capture's; empty for an authorize
    idempotency_key: str  # the bank key: ours, not the merchant's


class Bank(Protocol):
    """A bank that can be told to move money."""

    name: str
    mode: Mode  # live money, or test payments that move none
    abilities: Abilities
    reads: Mapping[Said, str]  # what it sends for each word it ever says, for docs/outcomes.md
    reference_prefixes: tuple[str, ...]  # of its references; its statements may omit them
    statement_words: StatementWords | None  # of its statements; None if it gives none

    def send(self, instruction: Instruction, *, card: Card | None, may_send: Callable[[], bool]) -> Reply:
        """Send one attempt and wait for its end, at most `Timing.attempt` seconds.

        `may_send` is called after connecting and before the first byte; if it returns False, nothing is sent.
        `card` is given for an authorize only. Never raises: every failure is a reply.
        """
        ...

    def probe(self, instruction: Instruction, *, may_send: Callable[[], bool]) -> Reply:
        """Ask which reply is stored under an authorize's key, in a way that cannot hold money. Like `send`.

        A stored approval comes back with `replayed` set; INVALID_CARD means that nothing is stored.
        """
        ...

    def look_up(self, kind: OperationKind, reference: str) -> LookUp:
        """Look up a hold, a capture or a refund by the bank's id. Never raises."""
        ...

    def is_healthy(self) -> bool:
        """Whether the bank reports itself healthy."""
        ...
