"""An acquirer with a single call, authorize: no idempotency key, no look-up, no capture, void or refund.

A second call would be a second authorization. So a reply outside its contract counts as silence, and an
instruction that may have been executed is never sent again.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import structlog

from payments.banks.base import Instruction
from payments.banks.guarded_http import HttpReply, Line, holds_number, json_object
from payments.domain.abilities import Abilities
from payments.domain.cards import Card
from payments.domain.replies import (
    Approval,
    BankError,
    Decline,
    LookUp,
    NotDone,
    NotSent,
    Reply,
    Said,
    Silence,
    Unclear,
)
from payments.domain.statements import StatementWords
from payments.domain.states import Mode, OperationKind
from payments.domain.timing import Timing

log = structlog.get_logger("payments.banks.acquirer")

_PATH = "/payments"
_CODE = re.compile(r"[A-Za-z0-9_\-]{1,64}")


class AcquirerBank:
    """The bank for live currencies that FicMart's own bank does not take. Thread-safe.

    No exception, reply or log line of it contains the card.
    """

    name = "acquirer"
    mode = Mode.LIVE
    reads: Mapping[Said, str] = MappingProxyType(
        {
            Said.APPROVED: "200 `authorized: true` with a code",
            Said.DECLINED: "200 `authorized: false` with an empty code",
            Said.BANK_ERROR: "400 with an `error_message`",
            Said.NOT_DONE: "503 with an empty body",
            Said.SILENCE: "timeout, reset, any other status, an unreadable reply",
            Said.NOT_SENT: "nothing sent: refused, DNS, connect timeout, breaker open",
        }
    )
    reference_prefixes: tuple[str, ...] = ()
    statement_words: StatementWords | None = None

    def __init__(self, url: str, timing: Timing, *, calls_in_flight: int = 48) -> None:
        self.abilities = Abilities(
            operations=frozenset({OperationKind.AUTHORIZE}),
            currencies=frozenset({"USD", "GBP", "EUR"}),
            captures_parts=False,
            refunds_parts=False,
            knows_keys_for=None,
            probes_without_card=False,
            looks_up=frozenset(),
            reports_health=False,
            voids_expired_holds=False,
            statements=frozenset(),
            calls_in_flight=calls_in_flight,
            timing=timing,
        )
        self._line = Line(url, timing)

    def send(self, instruction: Instruction, *, card: Card | None, may_send: Callable[[], bool]) -> Reply:
        if instruction.kind is not OperationKind.AUTHORIZE or card is None:
            return NotSent("the acquirer has no such call")
        body = json.dumps(_request_body(instruction, card)).encode()
        reply = self._line.post(
            _PATH, body, may_send=may_send, read=lambda received: read_reply(received, card)
        )
        # However the call ended, a silence does not prove that the acquirer has stopped working on it.
        return replace(reply, is_over=False) if isinstance(reply, Silence) else reply

    def probe(self, instruction: Instruction, *, may_send: Callable[[], bool]) -> Reply:
        return NotSent("the acquirer knows no keys")

    def look_up(self, kind: OperationKind, reference: str) -> LookUp:
        return Unclear("the acquirer has no look-up")

    def is_healthy(self) -> bool:
        """Always: the acquirer has no health endpoint."""
        return True


def _request_body(instruction: Instruction, card: Card) -> dict[str, Any]:
    return {
        "card_number": card.number,
        "expiry_date": f"{card.expiry_month:02d}/{card.expiry_year}",
        "currency": instruction.currency,
        "amount": instruction.amount_minor,
        "cvv": card.cvv,
    }


def read_reply(received: HttpReply, card: Card) -> Reply:
    """The acquirer's reply in our words. Anything outside its contract is silence, whatever the status."""
    status, body = received.status, json_object(received.content)
    if status == 503 and received.content == b"":
        return NotDone(status, "issuer_not_asked")
    if status == 400 and body is not None and isinstance(body.get("error_message"), str):
        # We sent a malformed field. Its message is not logged: it may quote the field.
        log.error("acquirer_rejected_our_request")
        return BankError(Said.BANK_ERROR, status)
    if status != 200:
        return Silence("unexpected status", status)
    if body is None:
        return Silence("unreadable reply", status)
    return _read_decision(status, body, card)


def _read_decision(status: int, body: dict[str, Any], card: Card) -> Reply:
    authorized, code = body.get("authorized"), body.get("authorization_code")
    if authorized is False and code == "":
        return Decline(Said.DECLINED, status)
    if authorized is not True or not isinstance(code, str):
        return Silence("incomplete reply", status)
    if not _CODE.fullmatch(code) or holds_number(code, card):
        return Silence("reply without a reference", status)
    return Approval(status, code, replayed=False)
