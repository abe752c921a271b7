"""A bank of the test mode that keeps books and captures and refunds parts, and that can fall silent.

It stands in the sandbox's place, which keeps no books. What it has executed under a key it answers again.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.conf import settings

from payments.banks import registry
from payments.banks.base import Instruction
from payments.banks.sandbox import SandboxBank
from payments.domain.cards import Card
from payments.domain.replies import Approval, BankError, NotSent, Reply, Said, Silence
from payments.domain.states import OperationKind
from payments.engine.capacity import capacity_of


class PartsBank(SandboxBank):
    """So many `silent` answers are lost after the execution, and so many requests are `unsent`."""

    def __init__(self) -> None:
        super().__init__(settings.BANK_TIMING)
        self._lock = threading.Lock()
        self.refunds: dict[str, int] = {}  # minor units by reference
        self.captured: dict[str, int] = {}
        self.given_back: Counter[str] = Counter()  # by capture
        self.asked_too_much: list[Instruction] = []
        self._stored: dict[str, Approval] = {}
        self.silent = self.unsent = 0
        self.refused: list[Said] = []

    def send(self, instruction: Instruction, *, card: Card | None, may_send: Callable[[], bool]) -> Reply:
        if self.unsent:
            self.unsent -= 1
            return NotSent("connection refused")
        if self.refused:
            return BankError(self.refused.pop(), 400)
        with self._lock:
            return self._carry_out(instruction, card, may_send)

    def _carry_out(self, instruction: Instruction, card: Card | None, may_send: Callable[[], bool]) -> Reply:
        key = instruction.idempotency_key
        reply = self._stored.get(key) or super().send(instruction, card=card, may_send=may_send)
        if not isinstance(reply, Approval):
            return reply
        if key not in self._stored and not self._book(instruction, reply.reference):
            return BankError(Said.ALREADY_REFUNDED, 400)
        self._stored[key] = Approval(200, reply.reference, replayed=True, expires_at=reply.expires_at)
        if self.silent:
            self.silent -= 1
            return Silence("read timeout")
        return reply

    def _book(self, instruction: Instruction, reference: str) -> bool:
        """Whether there is as much left."""
        if instruction.kind is OperationKind.CAPTURE:
            self.captured[reference] = instruction.amount_minor
        if instruction.kind is OperationKind.REFUND:
            capture = instruction.target_reference
            if instruction.amount_minor > self.captured[capture] - self.given_back[capture]:
                self.asked_too_much.append(instruction)
                return False
            self.refunds[reference] = instruction.amount_minor
            self.given_back[capture] += instruction.amount_minor
        return True


@contextmanager
def parts_bank(monkeypatch: pytest.MonkeyPatch) -> Iterator[PartsBank]:
    """In the sandbox's place, for this process."""
    bank = PartsBank()
    monkeypatch.setitem(registry._MAKERS, "sandbox", lambda: bank)
    registry.bank_named.cache_clear()
    capacity_of.cache_clear()
    yield bank
    registry.bank_named.cache_clear()
    capacity_of.cache_clear()
