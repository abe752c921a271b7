"""What a resolution rests on, checked before anything changes: our books, and the bank's own word.

Whatever names a bank's reference is looked up at the bank. That something was not executed needs an answer
that says so, a statement whose days cover it, or the bank's written word.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime

from office.decisions.denials import HAVE_AN_ID
from payments.domain.replies import Found, NotThere, Unclear
from payments.domain.states import UNFINISHED_OPERATIONS, OperationKind
from payments.engine import send
from payments.engine.abilities import abilities_of
from payments.engine.capacity import capacity_of
from payments.engine.conclude import Outdated, has_ended
from payments.models import Operation, Payment, Resolution
from payments.usecases.holds import Hold

Kind, Evidence = Resolution.Kind, Resolution.Evidence

INSTRUCTED = (Kind.CAPTURE, Kind.VOID, Kind.REFUND)
ASKING_TAKES = 20.0  # seconds a member of staff waits for the bank


class CannotResolve(Exception):
    """Why a resolution is not taken. The message is for staff."""


@dataclass(frozen=True)
class Proposal:
    """What somebody wants to do. `seen_epoch` is the operation's as its page showed it.

    One epoch may have several attempts: what was sent after the page was made, nobody has seen.
    """

    kind: Resolution.Kind
    reason: str
    operation: Operation | None = None
    payment: Payment | None = None
    seen_epoch: int | None = None
    amount_minor: int | None = None  # to capture or to refund; None: all that is left
    seen_attempt: int | None = None  # the number of the last one, as the page showed it; None: not asked
    reference: str = ""
    bank: str = ""
    evidence: str = ""
    attempt: int | None = None  # whose answer is the evidence
    quote: str = ""  # the bank's words, or which statement
    covers_from: date | None = None  # the statement's days (UTC), both included
    covers_to: date | None = None
    proposed_at: datetime | None = None  # where it waits for approval

    @property
    def about(self) -> Operation:
        """Raises CannotResolve where it is about none."""
        if self.operation is None:
            raise CannotResolve("There is nothing to resolve.")
        return self.operation


@dataclass(frozen=True)
class Basis(Hold):
    """What money a decision is about, and when the bank did it, where the bank says so (UTC).

    The reference is the bank's own writing of what was typed.
    """

    executed_at: datetime | None = None


def unfinished(proposal: Proposal) -> Operation:
    """Likewise; raises Outdated also where it has ended."""
    operation = unchanged(proposal)
    if operation.state not in UNFINISHED_OPERATIONS:
        raise has_ended(operation)
    return operation


def unchanged(proposal: Proposal) -> Operation:
    """As the books have it now. Raises Outdated where the bank has been asked since it was seen."""
    operation: Operation = Operation.objects.select_related("payment").get(pk=proposal.about.pk)
    if operation.state in UNFINISHED_OPERATIONS:
        check_seen(proposal, operation)
    return operation


def check_seen(proposal: Proposal, operation: Operation) -> None:
    """Raises Outdated where the bank has been asked about it since it was seen."""
    seen = proposal.seen_attempt
    is_seen = operation.lease_epoch == proposal.seen_epoch and seen in (None, last_attempt(operation))
    if not is_seen:
        raise Outdated(f"The bank has been asked about the {operation.kind} since this page was made.")


def last_attempt(operation: Operation) -> int:
    """Its number; 0 where there is none."""
    return max((one.number for one in operation.attempts.all()), default=0)


def made_of(operation: Operation, kind: OperationKind, typed: str) -> Basis:
    """That the bank knows it by this id, as made of what the operation is about, to its amount."""
    found = looked_up(operation.bank, kind, typed)
    reference = found.reference
    others = Operation.objects.filter(bank=operation.bank, kind=kind, bank_reference=reference)
    if others.exclude(pk=operation.pk).exists():
        raise CannotResolve(f"{reference} belongs to another {kind}.")
    if found.target_reference != operation.target_reference:
        raise CannotResolve(
            f"The bank says that {reference} belongs to {found.target_reference}, not to "
            f"{operation.target_reference}."
        )
    if (found.amount_minor, found.currency) != (operation.amount_minor, operation.currency):
        raise CannotResolve(f"The bank says that {reference} is of another amount.")
    return Basis(operation.bank, reference, operation.amount_minor, operation.currency, found.made_at)


def basis_in_books(operation: Operation) -> Basis:
    """The money that the operation is about, where the bank has named no reference."""
    return Basis(operation.bank, "", operation.amount_minor, operation.currency)


def is_looked_up(operation: Operation) -> bool:
    """Whether its bank can be asked for what it made of it, by the bank's own id."""
    return operation.kind in HAVE_AN_ID and operation.kind in abilities_of(operation.bank).looks_up


def may_be_asked_again(operation: Operation) -> bool:
    """Whether its bank knows it by its key, so that asking about it cannot execute it a second time."""
    able = abilities_of(operation.bank)
    is_authorize = operation.kind == OperationKind.AUTHORIZE
    return able.probes_without_card if is_authorize else able.knows_keys


def looked_up(bank: str, kind: OperationKind, reference: str) -> Found:
    """On a bank thread, as every call: a bank that stalls must not hold the back office's threads."""
    with capacity_of(bank).threads.reserve() as slot:
        asked = slot.submit(lambda: send.look_up(bank, kind, reference))
    try:
        found = asked.result(timeout=ASKING_TAKES)
    except TimeoutError:
        found = Unclear(f"no answer in {ASKING_TAKES:.0f} s")
    match found:
        case Found() as found:
            return found
        case NotThere():
            raise CannotResolve(f"The bank knows no {kind} {reference}.")
        case Unclear(reason=reason):
            raise CannotResolve(f"The bank could not be asked ({reason}). Nothing has changed; try again.")


def minute(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def proposal_of(
    resolution: Resolution, *, seen_epoch: int | None = None, seen_attempt: int | None = None
) -> Proposal:
    """What was proposed, to be verified again: of the state that somebody has seen, or the proposer had."""
    return Proposal(
        kind=Kind(resolution.kind),
        reason=resolution.reason,
        operation=resolution.operation,
        payment=resolution.payment,
        amount_minor=resolution.amount_minor if resolution.kind in INSTRUCTED else None,
        seen_epoch=resolution.seen_epoch if seen_epoch is None else seen_epoch,
        seen_attempt=seen_attempt,
        reference=resolution.reference,
        bank=resolution.bank,
        evidence=resolution.evidence,
        attempt=resolution.attempt,
        quote=resolution.quote,
        covers_from=resolution.covers_from,
        covers_to=resolution.covers_to,
        proposed_at=resolution.proposed_at,
    )


def basis_of(resolution: Resolution) -> Basis:
    """What it was proposed on."""
    return Basis(
        resolution.bank,
        resolution.reference,
        resolution.amount_minor,
        resolution.currency,
        resolution.executed_at,
    )
