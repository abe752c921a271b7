"""Checks a proposal's evidence before anything changes, in our books and at the bank.

A bank reference is looked up at the bank. "Not executed" needs a reply that says so, a statement that covers
the time of the attempts, or the bank's written word.
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
BANK_TIMEOUT = 20.0  # seconds a member of staff waits for the bank


class CannotResolve(Exception):
    """A decision is refused. The message tells staff why."""


@dataclass(frozen=True)
class Proposal:
    """What a member of staff wants to do, and which state of the operation they saw.

    `seen_epoch` and `seen_attempt` are the operation's epoch and last attempt as the page showed them. Both
    are needed because one epoch may have several attempts.
    """

    kind: Resolution.Kind
    reason: str
    operation: Operation | None = None
    payment: Payment | None = None
    seen_epoch: int | None = None
    amount_minor: int | None = None  # to capture or to refund; None: all that is left
    seen_attempt: int | None = None  # the number of the last attempt on the page; None: not checked
    reference: str = ""
    bank: str = ""
    evidence: str = ""
    attempt: int | None = None  # the attempt whose reply is the evidence
    quote: str = ""  # what the bank wrote, or which statement
    covers_from: date | None = None  # the statement's days (UTC), both included
    covers_to: date | None = None
    proposed_at: datetime | None = None  # if it waits for approval

    @property
    def about(self) -> Operation:
        """The operation. Raises CannotResolve if there is none."""
        if self.operation is None:
            raise CannotResolve("There is no operation to decide about.")
        return self.operation


@dataclass(frozen=True)
class Basis(Hold):
    """The money that a decision is about, and when the bank executed it (UTC), if the bank says so.

    The reference is spelled as the bank spells it, not as staff typed it.
    """

    executed_at: datetime | None = None


def unfinished(proposal: Proposal) -> Operation:
    """Like `unchanged`; raises Outdated also if the operation has ended."""
    operation = unchanged(proposal)
    if operation.state not in UNFINISHED_OPERATIONS:
        raise has_ended(operation)
    return operation


def unchanged(proposal: Proposal) -> Operation:
    """The operation as it is now. Raises Outdated if the bank was asked after the page was shown."""
    operation: Operation = Operation.objects.select_related("payment").get(pk=proposal.about.pk)
    if operation.state in UNFINISHED_OPERATIONS:
        check_seen(proposal, operation)
    return operation


def check_seen(proposal: Proposal, operation: Operation) -> None:
    """Raises Outdated if the bank was asked about the operation after the page was shown."""
    seen = proposal.seen_attempt
    is_seen = operation.lease_epoch == proposal.seen_epoch and seen in (None, last_attempt(operation))
    if not is_seen:
        raise Outdated(f"The bank was asked about the {operation.kind} after this page was loaded.")


def last_attempt(operation: Operation) -> int:
    """The last attempt's number; 0 if there is none."""
    return max((one.number for one in operation.attempts.all()), default=0)


def basis_at_bank(operation: Operation, kind: OperationKind, typed: str) -> Basis:
    """Look the reference up at the bank, and check that it is of this operation's target and amount."""
    found = look_up(operation.bank, kind, typed)
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
        raise CannotResolve(f"The bank says that {reference} has a different amount.")
    return Basis(operation.bank, reference, operation.amount_minor, operation.currency, found.made_at)


def basis_in_books(operation: Operation) -> Basis:
    """The operation's own amount, if the bank has named no reference."""
    return Basis(operation.bank, "", operation.amount_minor, operation.currency)


def can_be_looked_up(operation: Operation) -> bool:
    """Whether the bank issues an id for this operation and can look it up."""
    return operation.kind in HAVE_AN_ID and operation.kind in abilities_of(operation.bank).looks_up


def may_be_asked_again(operation: Operation) -> bool:
    """Whether the bank has idempotency keys, so that asking cannot execute the operation a second time."""
    able = abilities_of(operation.bank)
    is_authorize = operation.kind == OperationKind.AUTHORIZE
    return able.probes_without_card if is_authorize else able.knows_keys


def look_up(bank: str, kind: OperationKind, reference: str) -> Found:
    """Ask the bank for what it has under this reference. Raises CannotResolve if it has none or does not
    reply.

    Runs on a bank thread, like every bank call: a slow bank must not block the back office's threads.
    """
    with capacity_of(bank).threads.reserve() as slot:
        asked = slot.submit(lambda: send.look_up(bank, kind, reference))
    try:
        found = asked.result(timeout=BANK_TIMEOUT)
    except TimeoutError:
        found = Unclear(f"no reply in {BANK_TIMEOUT:.0f} s")
    match found:
        case Found() as found:
            return found
        case NotThere():
            raise CannotResolve(f"The bank has no {kind} {reference}. Check the reference.")
        case Unclear(reason=reason):
            raise CannotResolve(f"The bank could not look it up: {reason}. Try again.")


def minute(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def proposal_of(
    resolution: Resolution, *, seen_epoch: int | None = None, seen_attempt: int | None = None
) -> Proposal:
    """The proposal to verify again, for the epoch that the approver saw or, without one, the proposer saw."""
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
    """The basis that was stored with the proposal."""
    return Basis(
        resolution.bank,
        resolution.reference,
        resolution.amount_minor,
        resolution.currency,
        resolution.executed_at,
    )
