"""FicMart's bank without its wire: it takes the same scripts, and its replies are read by the real adapter.

For loops over many cases. That a bank on a wire leaves the same, some of the cases show beside them.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings

from payments.banks import registry
from payments.banks.base import Instruction
from payments.banks.ficmart import FicmartBank, read_reply
from payments.banks.guarded_http import HttpReply
from payments.domain.cards import Card
from payments.domain.replies import Approval, NotSent, Reply, Silence
from payments.domain.states import OperationKind
from payments.engine.capacity import capacity_of
from tests.support.factories import bank_reference
from tests.support.simulated_bank import Endpoint

ENDPOINTS: dict[OperationKind, Endpoint] = {
    OperationKind.AUTHORIZE: "authorizations",
    OperationKind.CAPTURE: "captures",
    OperationKind.VOID: "voids",
    OperationKind.REFUND: "refunds",
    OperationKind.RELEASE: "voids",
}
_NOT_A_CARD = 19  # digits: the card of a probe


@dataclass(frozen=True)
class Made:
    """An entry of the ledger."""

    id: str


@dataclass
class _Step:
    name: str
    times: int
    options: dict[str, Any]


class BankInProcess(FicmartBank):
    """What it has executed under a key it replays, as the simulated bank does."""

    def __init__(self) -> None:
        super().__init__("", settings.BANK_TIMING, closes_when_finished=True)
        self._made: list[Made] = []
        self._stored: dict[str, Approval] = {}
        self._script: dict[str, list[_Step]] = {}
        self._is_away = False

    def script(self, endpoint: Endpoint, step: str, *, times: int = 1, **options: Any) -> None:
        self._script.setdefault(endpoint, []).append(_Step(step, times, options))

    def clear_script(self) -> None:
        self._script.clear()

    def stop(self) -> None:
        self._is_away = True

    def restart(self) -> None:
        self._is_away = False

    def move_clock(self, *, seconds: float) -> None:
        """Its holds have no end that it would keep to."""

    def ledger(self) -> list[Made]:
        return self._made

    def is_healthy(self) -> bool:
        return not self._is_away

    def send(self, instruction: Instruction, *, card: Card | None, may_send: Callable[[], bool]) -> Reply:
        if self._is_away or not may_send():
            return NotSent("connection failed")
        steps = self._script.get(ENDPOINTS[instruction.kind], [])
        if not steps:
            return self._executed(instruction, card)
        step = steps[0]
        step.times -= 1
        if not step.times:
            steps.pop(0)
        match step.name:
            case "drop_before":
                return Silence("connection lost")
            case "drop_after":
                self._executed(instruction, card, **step.options)
                return Silence("connection lost")
            case "fail_before":
                error = {"error": step.options["code"]}
                return read_reply(instruction, _answered(step.options["status"], json.dumps(error)))
            case "garbage":
                return read_reply(instruction, _answered(200, step.options["body"]))
        raise ValueError(f"This bank knows no {step.name}.")

    def _executed(self, instruction: Instruction, card: Card | None, *, stored: bool = True) -> Reply:
        if known := self._stored.get(instruction.idempotency_key):
            return known
        if card is not None and len(card.number) == _NOT_A_CARD:
            return read_reply(instruction, _answered(400, '{"error": "invalid_card"}'))
        reference = bank_reference(instruction.kind)
        until = datetime.now(UTC) + timedelta(days=7)
        ends = until if instruction.kind is OperationKind.AUTHORIZE else None
        self._made.append(Made(reference))
        if stored:
            replay = Approval(200, reference, replayed=True, expires_at=ends)
            self._stored[instruction.idempotency_key] = replay
        return Approval(200, reference, replayed=False, expires_at=ends)


def _answered(status: int, body: str) -> HttpReply:
    return HttpReply(status, {}, body.encode())


@contextmanager
def bank_in_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[BankInProcess]:
    """In the place of FicMart's bank, for this process."""
    bank = BankInProcess()
    with monkeypatch.context() as patch:
        patch.setitem(registry._MAKERS, "ficmart", lambda: bank)
        registry.bank_named.cache_clear()
        capacity_of.cache_clear()
        yield bank
    registry.bank_named.cache_clear()
    capacity_of.cache_clear()
