"""The four instructions: how their bodies are read and validated, and how they are executed.

The contract fixes the order of the checks: first whether the body is readable, then the format of the card,
the CVV and the amount, and only then the database. A malformed body gets its own 400 even while the database
is down.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bank.bodies import Unreadable, json_object
from bank.clock import HOUR
from bank.ficmart.answers import Refused
from bank.ficmart.cards import ISSUED, is_card_number, is_digits
from bank.ficmart.entries import Entry
from bank.ficmart.ledger import Ledger

Execute = Callable[[Ledger, str, int], Entry]
"""Executes an instruction whose body was validated: (ledger, idempotency key, now) -> entry."""


@dataclass(frozen=True)
class Instruction:
    """One kind of instruction. `judge` reads and validates a body. It raises Unreadable or Refused.

    `midway_code` is the misleading error code if the database fails in the middle of this instruction.
    """

    path: str
    judge: Callable[[bytes], Execute]
    midway_code: str


def judge_authorization(body: bytes, *, expiry_hours: int) -> Execute:
    """The request's expiry date is read but ignored: the bank uses its own record of the card."""
    fields = _fields(body)
    number, cvv = fields.text("card_number"), fields.text("cvv")
    fields.number("expiry_month"), fields.number("expiry_year")
    amount_cents = fields.number("amount")
    if not is_card_number(number):
        raise Refused("invalid_card")
    if not (3 <= len(cvv) <= 4 and is_digits(cvv)):
        raise Refused("invalid_cvv")
    _require_positive(amount_cents)

    def execute(ledger: Ledger, key: str, now: int) -> Entry:
        card = ISSUED.get(number)
        if card is None:
            raise Refused("invalid_card")
        if cvv != card.cvv:
            raise Refused("invalid_cvv")
        if card.has_expired(now):
            raise Refused("card_expired")
        return ledger.place_hold(card, amount_cents, key=key, now=now, expires_at=now + expiry_hours * HOUR)

    return execute


def judge_capture(body: bytes) -> Execute:
    fields = _fields(body)
    hold_id, amount_cents = _without_prefix("auth_", fields.text("authorization_id")), fields.number("amount")
    _require_positive(amount_cents)
    return lambda ledger, key, now: ledger.capture(hold_id, amount_cents, key=key, now=now)


def judge_void(body: bytes) -> Execute:
    hold_id = _without_prefix("auth_", _fields(body).text("authorization_id"))
    return lambda ledger, key, now: ledger.void(hold_id, key=key, now=now)


def judge_refund(body: bytes) -> Execute:
    fields = _fields(body)
    capture_id, amount_cents = _without_prefix("cap_", fields.text("capture_id")), fields.number("amount")
    _require_positive(amount_cents)
    return lambda ledger, key, now: ledger.refund(capture_id, amount_cents, key=key, now=now)


def instructions(*, expiry_hours: int) -> dict[str, Instruction]:
    """Every instruction by the last segment of its path."""

    def authorization(body: bytes) -> Execute:
        return judge_authorization(body, expiry_hours=expiry_hours)

    return {
        "authorizations": Instruction("/api/v1/authorizations", authorization, "invalid_card"),
        "captures": Instruction("/api/v1/captures", judge_capture, "authorization_not_found"),
        "voids": Instruction("/api/v1/voids", judge_void, "authorization_not_found"),
        "refunds": Instruction("/api/v1/refunds", judge_refund, "capture_not_found"),
    }


@dataclass(frozen=True)
class _Fields:
    """A JSON object whose fields are read strictly by type. A missing field counts as empty or zero."""

    given: dict[str, Any]

    def text(self, name: str) -> str:
        value = self.given.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise Unreadable
        return value

    def number(self, name: str) -> int:
        value = self.given.get(name)
        if value is None:
            return 0
        if type(value) is not int or abs(value) >= 2**63:  # no bool, and at most 64 bits
            raise Unreadable
        return value


def _fields(body: bytes) -> _Fields:
    return _Fields(json_object(body))


def _require_positive(amount_cents: int) -> None:
    if amount_cents < 1:
        raise Refused("invalid_amount")


def _without_prefix(prefix: str, reference: str) -> str:
    """The id within a reference. With another prefix it is empty, so that it is not found later."""
    return reference.removeprefix(prefix) if reference.startswith(prefix) else ""
