"""What a bank can do: every bank states it, and others ask for the ability, never for the bank."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from payments.domain.money import DENOMINATIONS
from payments.domain.states import OperationKind
from payments.domain.timing import Timing

# For a bank that never forgets an instruction's key.
ALWAYS = timedelta.max

_LAST_ANSWER_IS_THERE = timedelta(hours=1)
_INSTRUCTIONS = {OperationKind.AUTHORIZE, OperationKind.CAPTURE, OperationKind.VOID, OperationKind.REFUND}
_HAVE_AN_ID = {OperationKind.AUTHORIZE, OperationKind.CAPTURE, OperationKind.REFUND}


class StatementFormat(StrEnum):
    """A form in which a bank delivers its ledger."""

    CSV = "csv"
    CAMT_053 = "camt.053"


@dataclass(frozen=True, kw_only=True)
class Abilities:
    """What one bank can do. Raises ValueError when the parts contradict each other.

    What may have been executed is sent again only while `knows_key` says so.
    """

    operations: frozenset[OperationKind]  # of authorize, capture, void, refund; a release is a void
    currencies: frozenset[str]  # ISO 4217
    captures_parts: bool  # less than the hold, once; the rest of it is released
    refunds_parts: bool  # several refunds, up to what was captured
    knows_keys_for: timedelta | None  # since a key's first attempt; None: never, ALWAYS: for good
    probes_without_card: bool  # what is stored under an authorize's key can be asked for without the card
    looks_up: frozenset[OperationKind]  # what can be read by the bank's own id: hold, capture, refund
    says_how_it_is: bool  # it can be asked for its health
    voids_expired_holds: bool  # which frees the customer's money
    statements: frozenset[StatementFormat]
    calls_in_flight: int  # its own threads: a bank that stalls starves nobody else
    timing: Timing  # and its own bounds

    def __post_init__(self) -> None:
        if not (OperationKind.AUTHORIZE in self.operations and self.operations <= _INSTRUCTIONS):
            raise ValueError("A bank authorizes, and may capture, void and refund; a release is a void.")
        if not self.currencies or not self.currencies <= DENOMINATIONS.keys():
            raise ValueError("A bank has a currency, and of each the exponent is known.")
        if OperationKind.REFUND in self.operations and OperationKind.CAPTURE not in self.operations:
            raise ValueError("What is refunded must have been captured.")
        for kind, ability in (
            (OperationKind.CAPTURE, self.captures_parts),
            (OperationKind.REFUND, self.refunds_parts),
            (OperationKind.VOID, self.voids_expired_holds),
        ):
            if ability and kind not in self.operations:
                raise ValueError(f"What is said of its {kind} needs a bank that can {kind}.")
        if self.knows_keys_for is not None and self.knows_keys_for <= timedelta(0):
            raise ValueError("A bank that knows no keys says None.")
        if self.probes_without_card and self.knows_keys_for is None:
            raise ValueError("A probe asks for what is stored under a key: the bank must know keys.")
        if not self.looks_up <= self.operations & _HAVE_AN_ID:
            raise ValueError("Only holds, captures and refunds that a bank makes can be looked up there.")
        if self.calls_in_flight < 1:
            raise ValueError("A bank that takes no call can do nothing.")

    def can(self, kind: OperationKind) -> bool:
        """Whether the bank carries out this instruction at all; else it is not supported."""
        return (OperationKind.VOID if kind is OperationKind.RELEASE else kind) in self.operations

    def knows_key(self, age: timedelta) -> bool:
        """Whether a key whose first attempt is so old still stands for its instruction.

        Only then may what was perhaps executed be sent again.
        """
        return self.knows_keys_for is not None and age < self.knows_keys_for

    @property
    def knows_keys(self) -> bool:
        """Whether it knows an instruction by its key at all; else nothing follows a doubt there."""
        return self.knows_keys_for is not None

    @property
    def answers_last(self) -> timedelta | None:
        """How old a key may be, at most, for finding nothing under it to prove anything; None: for good.

        An hour older than what is sent under it: the last answer is still there to be asked for.
        """
        if self.knows_keys_for is None:
            return timedelta(0)
        return None if self.knows_keys_for == ALWAYS else self.knows_keys_for + _LAST_ANSWER_IS_THERE

    def may_have_forgotten(self, age: timedelta) -> bool:
        """Whether a bank that finds nothing under a key so old proves nothing by it."""
        return self.answers_last is not None and age >= self.answers_last

    def takes(self, kind: OperationKind, amount_minor: int, *, of_minor: int) -> bool:
        """Whether a capture or a refund may be of this amount.

        `of_minor` is what is left to capture or to refund. All of it always may be.
        """
        return 0 < amount_minor <= of_minor if self.takes_parts(kind) else 0 < amount_minor == of_minor

    def takes_parts(self, kind: OperationKind) -> bool:
        """Whether an instruction of this kind may be of less than what is left. A hold is voided whole."""
        return {OperationKind.CAPTURE: self.captures_parts, OperationKind.REFUND: self.refunds_parts}.get(
            kind, False
        )

    def does_once(self, kind: OperationKind) -> bool:
        """Whether "done already" can be about one instruction only, however often that was tried.

        Where refunds come in parts, the bank may mean another one.
        """
        return kind is not OperationKind.REFUND or not self.refunds_parts
