"""What a bank can do. Each bank states it; other code asks for the ability, never for the bank."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from payments.domain.money import DENOMINATIONS
from payments.domain.states import OperationKind
from payments.domain.timing import Timing

# For a bank that never forgets an instruction's key.
ALWAYS = timedelta.max

_LAST_REPLY_IS_KEPT = timedelta(hours=1)
_INSTRUCTIONS = {OperationKind.AUTHORIZE, OperationKind.CAPTURE, OperationKind.VOID, OperationKind.REFUND}
_HAVE_AN_ID = {OperationKind.AUTHORIZE, OperationKind.CAPTURE, OperationKind.REFUND}


class StatementFormat(StrEnum):
    """A form in which a bank delivers its ledger."""

    CSV = "csv"
    CAMT_053 = "camt.053"


@dataclass(frozen=True, kw_only=True)
class Abilities:
    """What one bank can do. Raises ValueError when the abilities contradict each other.

    An instruction that may have been executed is sent again only while `knows_key` is true.
    """

    operations: frozenset[OperationKind]  # of authorize, capture, void, refund; a release is a void
    currencies: frozenset[str]  # ISO 4217
    captures_parts: bool  # less than the hold, once; the rest is freed
    refunds_parts: bool  # several refunds, up to what was captured
    knows_keys_for: timedelta | None  # from a key's first attempt; None: not at all; ALWAYS: forever
    probes_without_card: bool  # the reply stored under an authorize's key can be read without the card
    looks_up: frozenset[OperationKind]  # by the bank's own id: of hold, capture, refund
    reports_health: bool  # reports its own health
    voids_expired_holds: bool  # a void frees the customer's money after the expiry, too
    statements: frozenset[StatementFormat]
    calls_in_flight: int  # at most; its own threads, so that a stalled bank starves no other
    timing: Timing  # its own bounds

    def __post_init__(self) -> None:
        if not (OperationKind.AUTHORIZE in self.operations and self.operations <= _INSTRUCTIONS):
            raise ValueError("A bank authorizes, and may capture, void and refund; a release is a void.")
        if not self.currencies or not self.currencies <= DENOMINATIONS.keys():
            raise ValueError("A bank takes at least one currency, each with a known exponent.")
        if OperationKind.REFUND in self.operations and OperationKind.CAPTURE not in self.operations:
            raise ValueError("A bank that refunds must also capture.")
        for kind, ability in (
            (OperationKind.CAPTURE, self.captures_parts),
            (OperationKind.REFUND, self.refunds_parts),
            (OperationKind.VOID, self.voids_expired_holds),
        ):
            if ability and kind not in self.operations:
                raise ValueError(f"An ability about its {kind} needs a bank that can {kind}.")
        if self.knows_keys_for is not None and self.knows_keys_for <= timedelta(0):
            raise ValueError("The time for which keys are known must be positive, or None.")
        if self.probes_without_card and self.knows_keys_for is None:
            raise ValueError("A probe reads what is stored under a key: the bank must know keys.")
        if not self.looks_up <= self.operations & _HAVE_AN_ID:
            raise ValueError("Only holds, captures and refunds that a bank makes can be looked up there.")
        if self.calls_in_flight < 1:
            raise ValueError("A bank must take at least one call at a time.")

    def can(self, kind: OperationKind) -> bool:
        """Whether the bank carries out instructions of this kind."""
        return (OperationKind.VOID if kind is OperationKind.RELEASE else kind) in self.operations

    def knows_key(self, age: timedelta) -> bool:
        """Whether the bank still knows a key whose first attempt is `age` old.

        Only then may an instruction that was perhaps executed be sent again.
        """
        return self.knows_keys_for is not None and age < self.knows_keys_for

    @property
    def knows_keys(self) -> bool:
        """Whether it knows instructions by their keys; if not, nothing is sent after a doubt."""
        return self.knows_keys_for is not None

    @property
    def replies_kept_for(self) -> timedelta | None:
        """How long the bank keeps a stored reply, so that its absence still proves something; None: forever.

        An hour longer than keys are used, so that the reply to the last attempt can still be read.
        """
        if self.knows_keys_for is None:
            return timedelta(0)
        return None if self.knows_keys_for == ALWAYS else self.knows_keys_for + _LAST_REPLY_IS_KEPT

    def may_have_forgotten(self, age: timedelta) -> bool:
        """Whether the key is so old that the absence of a stored reply proves nothing."""
        return self.replies_kept_for is not None and age >= self.replies_kept_for

    def takes(self, kind: OperationKind, amount_minor: int, *, of_minor: int) -> bool:
        """Whether a capture or a refund may be of this amount.

        `of_minor` is what is left to capture or to refund; the full amount is always allowed.
        """
        return 0 < amount_minor <= of_minor if self.takes_parts(kind) else 0 < amount_minor == of_minor

    def takes_parts(self, kind: OperationKind) -> bool:
        """Whether an instruction of this kind may be for less than what is left. A void never is."""
        return {OperationKind.CAPTURE: self.captures_parts, OperationKind.REFUND: self.refunds_parts}.get(
            kind, False
        )

    def does_once(self, kind: OperationKind) -> bool:
        """Whether the bank executes this kind once per payment, so that "already" names one instruction.

        Where refunds come in parts, "already refunded" may be about another refund.
        """
        return kind is not OperationKind.REFUND or not self.refunds_parts
