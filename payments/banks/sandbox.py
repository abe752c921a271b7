"""The bank of the test mode, inside this process: four test cards, no network, no waiting.

It stores nothing, so every web process replies alike and a restart loses nothing. It derives its references
from the bank key, so a repeated instruction gets the same reply. A test exercises the payment's own state
machine.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from uuid import UUID, uuid5

from payments.banks.base import Instruction
from payments.domain.abilities import ALWAYS, Abilities, StatementFormat
from payments.domain.cards import Card
from payments.domain.money import Currency
from payments.domain.replies import Approval, Decline, LookUp, NotSent, Reply, Said, Unclear
from payments.domain.statements import StatementWords
from payments.domain.states import Mode, OperationKind
from payments.domain.timing import Timing

_NAMESPACE = UUID("5ca1ab1e-0000-4000-8000-000000000000")
_HOLD_LASTS = timedelta(days=7)  # as the real bank's do


@dataclass(frozen=True)
class _TestCard:
    cvv: str
    expires: tuple[int, int]  # year, month: the bank judges by its own record of the card
    limit_minor: int  # for each payment


_TEST_CARDS = {
    "4111111111111111": _TestCard("123", (2030, 12), 1_000_000),
    "4242424242424242": _TestCard("456", (2030, 6), 50_000),
    "5555555555554444": _TestCard("789", (2030, 9), 0),
    "5105105105105100": _TestCard("321", (2020, 3), 500_000),
}
_TIMING = Timing()
_PREFIXES = {
    OperationKind.AUTHORIZE: "auth_",
    OperationKind.CAPTURE: "cap_",
    OperationKind.VOID: "void_",
    OperationKind.RELEASE: "void_",
    OperationKind.REFUND: "ref_",
}


class SandboxBank:
    """A bank without money."""

    name = "sandbox"
    mode = Mode.TEST
    reads: Mapping[Said, str] = MappingProxyType(
        {
            Said.APPROVED: "a test card that is good for the amount; every capture, void and refund",
            Said.INSUFFICIENT_FUNDS: "a test card with less than the amount",
            Said.CARD_EXPIRED: "a test card that has expired",
            Said.INVALID_CVV: "a test card with another CVV",
            Said.INVALID_CARD: "any other card; a probe",
            Said.NOT_SENT: "nothing sent: the lease had no room for an attempt",
        }
    )
    reference_prefixes = tuple(sorted(set(_PREFIXES.values())))
    statement_words: StatementWords | None = StatementWords(
        kinds={
            "AUTH_HOLD": OperationKind.AUTHORIZE,
            "CAPTURE": OperationKind.CAPTURE,
            "VOID": OperationKind.VOID,
            "REFUND": OperationKind.REFUND,
        },
        prefixes=_PREFIXES,
    )

    def __init__(self, timing: Timing = _TIMING, *, calls_in_flight: int = 48) -> None:
        self.abilities = Abilities(
            operations=frozenset(_PREFIXES) - {OperationKind.RELEASE},
            currencies=frozenset(Currency),
            captures_parts=True,
            refunds_parts=True,
            knows_keys_for=ALWAYS,
            probes_without_card=True,
            looks_up=frozenset(),  # it keeps no books
            reports_health=True,
            voids_expired_holds=True,
            statements=frozenset({StatementFormat.CSV}),
            calls_in_flight=calls_in_flight,
            timing=timing,
        )

    def send(self, instruction: Instruction, *, card: Card | None, may_send: Callable[[], bool]) -> Reply:
        if not may_send():
            return NotSent("the lease had no room for an attempt")
        reference = _PREFIXES[instruction.kind] + str(uuid5(_NAMESPACE, instruction.idempotency_key))
        if instruction.kind is not OperationKind.AUTHORIZE:
            return Approval(200, reference, replayed=False)
        now = datetime.now(UTC)
        decline = _decline(card, instruction.amount_minor, now)
        if decline:
            return Decline(decline, 402 if decline is Said.INSUFFICIENT_FUNDS else 400)
        return Approval(200, reference, replayed=False, expires_at=now + _HOLD_LASTS)

    def probe(self, instruction: Instruction, *, may_send: Callable[[], bool]) -> Reply:
        """The sandbox stores nothing: an interrupted authorize has held nothing."""
        return (
            Decline(Said.INVALID_CARD, 400) if may_send() else NotSent("the lease had no room for an attempt")
        )

    def look_up(self, kind: OperationKind, reference: str) -> LookUp:
        return Unclear("the sandbox keeps no books")

    def is_healthy(self) -> bool:
        return True


def _decline(card: Card | None, amount_minor: int, now: datetime) -> Said | None:
    known = _TEST_CARDS.get(card.number) if card else None
    if card is None or known is None:
        return Said.INVALID_CARD
    if card.cvv != known.cvv:
        return Said.INVALID_CVV
    if (now.year, now.month) > known.expires:
        return Said.CARD_EXPIRED
    return Said.INSUFFICIENT_FUNDS if amount_minor > known.limit_minor else None
