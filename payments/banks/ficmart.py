"""FicMart's bank, over HTTP.

Translates an instruction into the bank's request, and its reply into our words. A 200 is an approval only
if its amount, currency and reference are those that were sent.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from payments.banks.base import Instruction
from payments.banks.guarded_http import HttpReply, Line, holds_number, json_object
from payments.domain.abilities import Abilities, StatementFormat
from payments.domain.cards import Card
from payments.domain.replies import (
    ISSUERS,
    Approval,
    BankError,
    Decline,
    Found,
    LookUp,
    Mismatch,
    NotDone,
    NotThere,
    Reply,
    Said,
    Silence,
    Unclear,
)
from payments.domain.statements import StatementWords
from payments.domain.states import Mode, OperationKind
from payments.domain.timing import Timing

_PATHS = {
    OperationKind.AUTHORIZE: "/api/v1/authorizations",
    OperationKind.CAPTURE: "/api/v1/captures",
    OperationKind.VOID: "/api/v1/voids",
    OperationKind.RELEASE: "/api/v1/voids",
    OperationKind.REFUND: "/api/v1/refunds",
}
# The reply's field with the new id, the status it must give, and the reference it must repeat.
_REPLIES = {
    OperationKind.AUTHORIZE: ("authorization_id", "approved", None),
    OperationKind.CAPTURE: ("capture_id", "captured", "authorization_id"),
    OperationKind.VOID: ("void_id", "voided", "authorization_id"),
    OperationKind.RELEASE: ("void_id", "voided", "authorization_id"),
    OperationKind.REFUND: ("refund_id", "refunded", "capture_id"),
}
# What can be looked up by the bank's id, and the field with its time. Voids cannot be looked up.
_LOOK_UPS = {
    OperationKind.AUTHORIZE: "/api/v1/authorizations",
    OperationKind.CAPTURE: "/api/v1/captures",
    OperationKind.REFUND: "/api/v1/refunds",
}
_MADE_AT = {
    OperationKind.AUTHORIZE: "created_at",
    OperationKind.CAPTURE: "captured_at",
    OperationKind.REFUND: "refunded_at",
}
_PREFIXES = {OperationKind.AUTHORIZE: "auth_", OperationKind.CAPTURE: "cap_", OperationKind.REFUND: "ref_"}
_STATEMENT_WORDS = StatementWords(
    kinds={
        "AUTH_HOLD": OperationKind.AUTHORIZE,
        "CAPTURE": OperationKind.CAPTURE,
        "VOID": OperationKind.VOID,
        "REFUND": OperationKind.REFUND,
    },
    prefixes={**_PREFIXES, OperationKind.VOID: "void_"},
)
# The statuses of the bank's own declines and errors. The same code under another status (401, 403, 404...)
# comes from something in between and settles nothing.
_JUDGING = (400, 402)
_TROUBLE = "internal_error"
_WORDS = {
    "insufficient_funds": Said.INSUFFICIENT_FUNDS,
    "card_expired": Said.CARD_EXPIRED,
    "invalid_card": Said.INVALID_CARD,
    "invalid_cvv": Said.INVALID_CVV,
    "authorization_expired": Said.AUTHORIZATION_EXPIRED,
    "authorization_already_used": Said.ALREADY_USED,
    "already_captured": Said.ALREADY_CAPTURED,
    "already_voided": Said.ALREADY_VOIDED,
    "already_refunded": Said.ALREADY_REFUNDED,
}
_READS: Mapping[Said, str] = {
    Said.APPROVED: "200, amount, currency and reference as sent",
    **{said: f"`{code}`" for code, said in _WORDS.items()},
    Said.BANK_ERROR: "every other error",
    Said.MISMATCH: "a 200 of something else",
    Said.NOT_DONE: "500 `internal_error`, 429",
    Said.SILENCE: "400 `internal_error`, timeout, reset, any other 5xx, 2xx or 3xx, an unreadable reply",
    Said.NOT_SENT: "nothing sent: refused, DNS, connect timeout, breaker open",
}
_ID = re.compile(r"(?:[a-z]+_)?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})", re.IGNORECASE)
_OPERATIONS = frozenset(
    {OperationKind.AUTHORIZE, OperationKind.CAPTURE, OperationKind.VOID, OperationKind.REFUND}
)
# The bank forgets a stored reply after 24 to 25 hours and would then execute the instruction again.
_KNOWS_KEYS_FOR = timedelta(hours=23)
_LOOK_UP_TRIES = 3  # about one reply in twenty is a random error of the bank
_WITHOUT_AMOUNT = (OperationKind.VOID, OperationKind.RELEASE)  # the bank's reply gives none
_REFERENCE = re.compile(r"[A-Za-z0-9_\-]{1,64}")
_CODE = re.compile(r"[a-z_]{1,64}")  # no digits, so that a stored code cannot hold a card number
# Passes the bank's validation but cannot exist: no network issues numbers that begin with 99.
_NO_CARD = Card("9999999999999999998", 12, 2099, "000")
_LONGEST_RETRY_AFTER = 60.0


class FicmartBank:
    """The bank of the live mode. Thread-safe.

    No exception, reply or log line of it contains the card.
    """

    name = "ficmart"
    mode = Mode.LIVE
    reads: Mapping[Said, str] = _READS
    reference_prefixes = (*_PREFIXES.values(), "void_")
    statement_words: StatementWords | None = _STATEMENT_WORDS

    def __init__(
        self, url: str, timing: Timing, *, closes_when_finished: bool = False, calls_in_flight: int = 48
    ) -> None:
        """`closes_when_finished`: whether an orderly close of the connection proves that the bank is done.

        FicMart's bank closes only then; a proxy in between may close earlier.
        """
        self.abilities = Abilities(
            operations=_OPERATIONS,
            currencies=frozenset({"USD"}),
            captures_parts=False,
            refunds_parts=False,
            knows_keys_for=_KNOWS_KEYS_FOR,
            probes_without_card=True,
            looks_up=frozenset(_LOOK_UPS),
            reports_health=True,
            voids_expired_holds=True,
            statements=frozenset(StatementFormat),
            calls_in_flight=calls_in_flight,
            timing=timing,
        )
        self._line = Line(url, timing)
        self._timing = timing
        self._closes_when_finished = closes_when_finished

    def send(self, instruction: Instruction, *, card: Card | None, may_send: Callable[[], bool]) -> Reply:
        body = json.dumps(_request_body(instruction, card)).encode()
        headers = {"Idempotency-Key": instruction.idempotency_key}
        reply = self._line.post(
            _PATHS[instruction.kind],
            body,
            headers=headers,
            may_send=may_send,
            read=lambda received: read_reply(instruction, received),
        )
        return self._with_proven_end(_without_card(reply, card))

    def _with_proven_end(self, reply: Reply) -> Reply:
        """A silence not from the bank itself may come from a proxy that gave up: the bank may still work."""
        is_its_own = isinstance(reply, Silence) and reply.reason == f"{reply.status} {_TROUBLE}"
        if isinstance(reply, Silence) and not is_its_own and not self._closes_when_finished:
            return replace(reply, is_over=False)
        return reply

    def probe(self, instruction: Instruction, *, may_send: Callable[[], bool]) -> Reply:
        """The bank looks up the key before it reads the body, so any card gets the stored reply."""
        return self.send(instruction, card=_NO_CARD, may_send=may_send)

    def look_up(self, kind: OperationKind, reference: str) -> LookUp:
        reference = _whole(kind, reference)
        if kind not in _LOOK_UPS or not _REFERENCE.fullmatch(reference):
            return NotThere() if kind in _LOOK_UPS else Unclear("the bank has no look-up for this")
        for _ in range(_LOOK_UP_TRIES):
            status, body = self._get(f"{_LOOK_UPS[kind]}/{reference}", self._timing.read)
            if status in (200, 404):
                break
        if status == 404:
            # While its own database is down, the bank replies 404 to everything.
            return NotThere() if self.is_healthy() else Unclear("it is not healthy")
        return (
            _read_look_up(kind, reference, body)
            if status == 200
            else Unclear(f"HTTP {status}" if status else "no reply")
        )

    def is_healthy(self) -> bool:
        status, body = self._get("/health", self._timing.health)
        return status == 200 and body is not None and body.get("status") == "healthy"

    def _get(self, path: str, seconds: float) -> tuple[int | None, dict[str, Any] | None]:
        """Status and JSON object of a GET; each is None where it did not come or could not be read."""
        received = self._line.get(path, seconds)
        return (received.status, json_object(received.content)) if received is not None else (None, None)


def _request_body(instruction: Instruction, card: Card | None) -> dict[str, Any]:
    match instruction.kind:
        case OperationKind.AUTHORIZE:
            if card is None:
                raise ValueError("An authorize needs the card.")
            return {
                "card_number": card.number,
                "cvv": card.cvv,
                "expiry_month": card.expiry_month,
                "expiry_year": card.expiry_year,
                "amount": instruction.amount_minor,
            }
        case OperationKind.CAPTURE:
            return {"authorization_id": instruction.target_reference, "amount": instruction.amount_minor}
        case OperationKind.VOID | OperationKind.RELEASE:
            return {"authorization_id": instruction.target_reference}
        case OperationKind.REFUND:
            return {"capture_id": instruction.target_reference, "amount": instruction.amount_minor}


def read_reply(instruction: Instruction, received: HttpReply) -> Reply:
    """The bank's reply in our words. An unreadable one is silence, whatever its status."""
    status, headers, body = received.status, received.headers, json_object(received.content)
    if status == 200:
        if body is None:
            return Silence("unreadable reply", status)
        return _read_approval(instruction, body, replayed=_is_replay(headers))
    if status < 400:
        return Silence("unexpected status", status)
    patience = _retry_after(headers)
    code = body.get("error") if body else None
    # Only a 500 of the bank's own proves that nothing was done. Another 5xx may come from a proxy that gave
    # up on a call the bank is still working on.
    if not isinstance(code, str) or not _CODE.fullmatch(code):
        return Silence("unreadable error", status, patience, is_over=status < 500)
    if status >= 500 and (status, code) != (500, _TROUBLE):
        return Silence("unexpected status", status, patience, is_over=False)
    return _read_error(status, code, patience)


def _read_error(status: int, code: str, patience: float | None) -> Reply:
    """A decline or an error in our words. A 500 means that nothing was executed, or all was rolled back.

    A 400 `internal_error` proves nothing: the bank sends it for a failed commit too.
    """
    if code == _TROUBLE and status < 500:
        return Silence(f"{status} {code}", status, patience)
    if status >= 500 or status == 429:
        return NotDone(status, code, patience)
    said = _WORDS.get(code, Said.BANK_ERROR) if status in _JUDGING else Said.BANK_ERROR
    return Decline(said, status, code) if said in ISSUERS else BankError(said, status, code)


def _without_card(reply: Reply, card: Card | None) -> Reply:
    """The reply; a silence where the bank's reference is the card's number, which must not be stored."""
    if card is not None and isinstance(reply, Approval) and holds_number(reply.reference, card):
        return Silence("reply without a reference", reply.status)
    return reply


def _read_approval(instruction: Instruction, body: dict[str, Any], *, replayed: bool) -> Reply:
    id_field, done, target_field = _REPLIES[instruction.kind]
    reference = body.get(id_field)
    if not isinstance(reference, str) or not _REFERENCE.fullmatch(reference):
        return Silence("reply without a reference", 200)
    expected: dict[str, Any] = {"status": done}
    if target_field:
        expected[target_field] = instruction.target_reference
    if instruction.kind not in _WITHOUT_AMOUNT:
        expected |= {"amount": instruction.amount_minor, "currency": instruction.currency}
    # Compare types too: 5000.0 is not a valid amount, though Python calls it equal to 5000.
    if any(type(body.get(name)) is not type(value) for name, value in expected.items()):
        return Silence("incomplete reply", 200)
    wrong = [name for name, value in expected.items() if body[name] != value]
    if wrong:
        return Mismatch(200, f"another {', '.join(wrong)} than sent")
    expires_at = None
    if instruction.kind is OperationKind.AUTHORIZE:
        expires_at = _timestamp(body.get("expires_at"))
        if expires_at is None:
            return Silence("reply without an expiry", 200)
    return Approval(200, reference, replayed, expires_at)


def _whole(kind: OperationKind, reference: str) -> str:
    """The id as the bank's API spells it. Statements omit the prefix; people may type capitals."""
    found = _ID.fullmatch(reference)
    if found is None or kind not in _PREFIXES:
        return reference
    return reference.lower() if "_" in reference else _PREFIXES[kind] + reference.lower()


def _read_look_up(kind: OperationKind, reference: str, body: dict[str, Any] | None) -> LookUp:
    id_field, _, target_field = _REPLIES[kind]
    body = body or {}
    amount, currency = body.get("amount"), body.get("currency")
    target = body.get(target_field) if target_field else ""
    made_at = _timestamp(body.get(_MADE_AT[kind]))
    if (
        body.get(id_field) == reference
        and type(amount) is int
        and isinstance(currency, str)
        and isinstance(target, str)
        and made_at is not None
    ):
        return Found(reference, amount, currency, target, made_at)
    return Unclear("its reply could not be read")


def _is_replay(headers: Any) -> bool:
    return str(headers.get("X-Idempotent-Replayed", "")).strip().lower() == "true"


def _retry_after(headers: Any) -> float | None:
    text = str(headers.get("Retry-After", "")).strip()
    return min(float(text), _LONGEST_RETRY_AFTER) if text.isascii() and text.isdigit() else None


def _timestamp(text: Any) -> datetime | None:
    """Parse RFC 3339 with up to nine fractional digits; Python keeps six."""
    if not isinstance(text, str):
        return None
    try:
        parsed = datetime.fromisoformat(text)
        return parsed.astimezone(UTC) if parsed.tzinfo else None
    except (ValueError, OverflowError):
        return None
