"""What an unmatched line of a statement is, from what our books and the other lines say about it.

A capture and a void name a hold, a refund names a capture. A release of ours is a void at the bank. A line
that shows an operation of ours in every part is matched before this is asked.
"""

from dataclasses import dataclass
from datetime import datetime

from payments.domain.statements import COVERED_BEFORE
from payments.domain.states import UNFINISHED_OPERATIONS, OperationKind, OperationState, PaymentState
from reconciliation.matching.classes import Class

_OUTSIDE = {
    OperationKind.CAPTURE: Class.CAPTURED_OUTSIDE,
    OperationKind.VOID: Class.VOIDED_OUTSIDE,
    OperationKind.REFUND: Class.REFUNDED_OUTSIDE,
}
_NOT_DONE = (OperationState.NOT_EXECUTED, OperationState.REJECTED, OperationState.DECLINED)


@dataclass(frozen=True)
class Ours:
    """An operation of ours that a line may be about. Amounts are in minor units."""

    id: str
    kind: OperationKind
    state: OperationState
    reference: str
    target: str
    amount_minor: int
    currency: str
    payment: str | None
    merchant: int | None
    created_at: datetime
    is_matched: bool

    @property
    def acts_as(self) -> OperationKind:
        """What it is at the bank."""
        return OperationKind.VOID if self.kind is OperationKind.RELEASE else self.kind

    @property
    def is_unfinished(self) -> bool:
        return self.state in UNFINISHED_OPERATIONS

    @property
    def is_unnamed(self) -> bool:
        """Whether it succeeded and the bank's id of it is not known."""
        return self.state is OperationState.SUCCEEDED and not self.reference


@dataclass(frozen=True)
class Other:
    """Another line of the same bank."""

    id: int
    kind: OperationKind
    amount_minor: int
    currency: str
    at: datetime
    is_matched: bool
    is_newer: bool  # of a file imported later
    is_beside: bool  # of the same file


@dataclass(frozen=True)
class Owner:
    """The payment whose hold a line is about."""

    payment: str
    merchant: int
    state: PaymentState


@dataclass(frozen=True)
class LineFacts:
    """A line, and all that decides what it is."""

    id: int
    kind: OperationKind
    reference: str
    target: str
    amount_minor: int
    currency: str
    at: datetime
    repeats: int = 0  # how many more times its file had it
    is_matched: bool = False
    is_late: bool = False  # so young that its operation may still turn up
    is_done_once: bool = True  # whether the bank does its kind once per hold or capture
    owner: Owner | None = None
    twin: Ours | None = None  # the operation with the same reference
    # Operations about what it names; for a hold, those about the hold.
    about: tuple[Ours, ...] = ()
    beside: tuple[Other, ...] = ()  # other lines of its kind that name the same
    contents: tuple[Other, ...] = ()  # other lines with its reference and kind
    naming: tuple[OperationKind, ...] = ()  # for a hold: the kinds of the lines that name it
    names_known_hold: bool = False  # whether the hold that it names is on a statement
    is_named_by_us: bool = False  # for a hold: a reply to an attempt of ours names it; recovery handles it
    may_be_claimed: bool = False  # for a hold: an authorize of its amount is open

    @property
    def same(self) -> list[Ours]:
        """The operations of its own kind about what it names, and that it may be of."""
        of_its_kind = [one for one in self.about if one.acts_as is self.kind]
        return [one for one in of_its_kind if self.is_done_once or may_be_of(self.at, one)]


def may_be_of(at: datetime, operation: Ours) -> bool:
    """Whether what the bank did at that time may be this operation: nothing is sent before it is recorded.

    Asked only where the bank does a kind several times. Where it does it once, it is done, whoever did it.
    """
    return at >= operation.created_at - COVERED_BEFORE


@dataclass(frozen=True)
class Verdict:
    """What a line is, and the operation of ours that it is about, where there is one."""

    what: Class
    ours: Ours | None = None


def classify_line(line: LineFacts) -> list[Verdict]:
    """What the line is. Two verdicts where its file had it several times, besides what else it is."""
    found = [] if line.is_matched else [_verdict(line)]
    if line.repeats and all(one.what is not Class.DUPLICATE_AT_BANK for one in found):
        found.append(Verdict(Class.DUPLICATE_AT_BANK, line.twin))
    return found


def _verdict(line: LineFacts) -> Verdict:
    twin = line.twin
    if any(one.is_newer for one in line.contents):
        return Verdict(Class.EXPLAINED, twin)  # the bank has corrected it since
    if any(one.is_beside and (one.is_matched or one.id < line.id) for one in line.contents):
        return Verdict(Class.DUPLICATE_AT_BANK, twin)
    if twin:
        return _beside_twin(line, twin)
    return _of_hold(line) if line.kind is OperationKind.AUTHORIZE else _of_use(line)


def _beside_twin(line: LineFacts, twin: Ours) -> Verdict:
    """The same reference, and something else differs."""
    mismatch = _mismatch(line, twin)
    if mismatch:
        return Verdict(mismatch, twin)
    # Of another hold or capture; or settled a moment ago, and matched next time.
    return Verdict(Class.MISSING_IN_BOOKS if twin.target != line.target else Class.LATE, twin)


def _mismatch(line: LineFacts, ours: Ours) -> Class | None:
    if ours.currency != line.currency:
        return Class.CURRENCY_MISMATCH
    return Class.AMOUNT_MISMATCH if ours.amount_minor != line.amount_minor else None


def _of_hold(line: LineFacts) -> Verdict:
    releases = [one for one in line.about if one.kind is OperationKind.RELEASE]
    is_released = any(one.state is not OperationState.NOT_EXECUTED for one in releases)
    # Recovery releases a hold that we know of, once. If that came to nothing, it blocks money still.
    is_recoverys = line.is_named_by_us and not releases
    if line.owner or is_released or is_recoverys or line.naming:
        # What a line that names it did is that line's matter.
        return Verdict(Class.EXPLAINED)
    if line.is_late or line.may_be_claimed:
        return Verdict(Class.LATE)
    return Verdict(Class.ORPHAN_HOLD)


def _of_use(line: LineFacts) -> Verdict:
    """Of a capture, a void or a refund without a twin."""
    if line.is_done_once and any(
        one.is_matched or (one.at, one.id) < (line.at, line.id) for one in line.beside
    ):
        return Verdict(Class.DUPLICATE_AT_BANK, next(iter(line.same), None))
    return (
        _of_unsettled(line)
        or (Verdict(Class.LATE) if line.is_late else None)
        or _of_not_done(line)
        or _of_nobody(line)
    )


def _of_unsettled(line: LineFacts) -> Verdict | None:
    """An operation of ours about the same that is not finished, or without a reference: perhaps this one."""
    alike = [one for one in line.same if one.is_unfinished or one.is_unnamed]
    exact = next((one for one in alike if _mismatch(line, one) is None), None)
    if exact:
        # A success without a reference stays so where several lines may be its own.
        is_one_of_several = any(
            (one.amount_minor, one.currency) == (line.amount_minor, line.currency) for one in line.beside
        )
        return Verdict(Class.EXPLAINED if exact.is_unnamed and is_one_of_several else Class.LATE, exact)
    if alike and line.is_done_once:
        mismatch = _mismatch(line, alike[0])
        return Verdict(Class.LATE if line.is_late or mismatch is None else mismatch, alike[0])
    # A void may turn out to have been a capture, and the other way around.
    other = next((one for one in line.about if one.is_unfinished and one.acts_as is not line.kind), None)
    return Verdict(Class.LATE, other) if other else None


def _of_not_done(line: LineFacts) -> Verdict | None:
    """An operation of ours that the bank executed, and that our books call not executed."""
    is_done = any(one.state is OperationState.SUCCEEDED for one in line.same)
    if line.kind is OperationKind.VOID and line.owner and line.owner.state is PaymentState.VOIDED:
        # Found voided on the statement, instead of captured.
        return None if is_done else Verdict(Class.EXPLAINED)
    if is_done and line.is_done_once:
        return None
    ended = [
        one
        for one in line.same
        if one.state in _NOT_DONE and (line.is_done_once or _mismatch(line, one) is None)
    ]
    # Each line of several alike has an operation of its own.
    rank = sum(
        not one.is_matched
        and (one.amount_minor, one.currency) == (line.amount_minor, line.currency)
        and (one.at, one.id) < (line.at, line.id)
        for one in line.beside
    )
    ended.sort(key=lambda one: one.created_at, reverse=True)
    return Verdict(Class.STATE_MISMATCH, ended[rank]) if rank < len(ended) else None


def _of_nobody(line: LineFacts) -> Verdict:
    """No operation of ours did this."""
    if line.owner:
        return Verdict(_OUTSIDE[line.kind], next(iter(line.same), None))
    if line.kind is OperationKind.VOID and line.names_known_hold:
        return Verdict(Class.EXPLAINED)  # of a hold that was never ours
    return Verdict(Class.MISSING_IN_BOOKS)
