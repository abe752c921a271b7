"""What a resolution rests on, checked before anything changes: our books, and the bank's own word.

Whatever names a bank's reference is looked up at the bank. That something was not executed needs an answer
that says so, a statement whose days cover it, or the bank's written word.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.conf import settings
from django_fsm import can_proceed

from office.decisions.denials import (
    LOOKED_UP,
    covered,
    denials,
    done_already,
    is_called_captured,
    may_have_executed,
    sent_since,
)
from payments.domain.days import begin_of
from payments.domain.replies import Found, NotThere, Unclear
from payments.domain.states import UNFINISHED_OPERATIONS, OperationKind, OperationState, PaymentState
from payments.engine import send
from payments.engine.bank_threads import bank_threads
from payments.engine.conclude import Outdated, has_ended
from payments.models import Attempt, Discrepancy, Operation, Payment, Resolution
from payments.models.clock import read_clock
from payments.models.discrepancies import LATE_ANSWER
from payments.usecases.capture import CAPTURE
from payments.usecases.holds import Hold
from payments.usecases.refund import REFUND
from payments.usecases.void import VOID

Kind, Evidence = Resolution.Kind, Resolution.Evidence

# A hold known only from a statement is nobody's once the bank has forgotten every key it can belong to.
STRAY_AFTER = timedelta(hours=25)
# What is about a hold, which somebody may have voided.
_VOIDABLE = (OperationKind.CAPTURE, OperationKind.VOID, OperationKind.RELEASE)
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
    seen_attempt: int | None = None  # the number of the last one, as the page showed it; None: not asked
    reference: str = ""
    bank: str = ""
    evidence: str = ""
    attempt: int | None = None  # whose answer is the evidence
    quote: str = ""  # the bank's words, or which statement
    covers_from: date | None = None  # the statement's days (UTC), both included
    covers_to: date | None = None
    proposed_at: datetime | None = None  # where it waits for approval


@dataclass(frozen=True)
class Basis(Hold):
    """What money a decision is about, and when the bank did it, where the bank says so (UTC).

    The reference is the bank's own writing of what was typed.
    """

    executed_at: datetime | None = None


def verify(proposal: Proposal) -> Basis:
    """That it holds now, by our books and the bank's; and what money it is about.

    Raises CannotResolve, or Outdated where things have changed since they were seen.
    """
    match proposal.kind:
        case Kind.RECORD_REFERENCE:
            return _verify_reference(proposal)
        case Kind.RECORD_NOT_EXECUTED:
            return _verify_not_executed(proposal)
        case Kind.RECORD_VOIDED:
            return _verify_voided(proposal)
        case Kind.RECORD_CAPTURED:
            return _verify_captured(proposal)
        case Kind.SETTLE_LATE_ANSWER:
            return _verify_late_answer(proposal)
        case Kind.VOID_HOLD:
            return _verify_stray(proposal.bank, proposal.reference)
        case _:
            return _verify_instruction(proposal)


def needs_second(proposal: Proposal, hold: Hold) -> bool:
    """Whether somebody else has to approve it: for its amount, or for how little proves it."""
    always = (Kind.RECORD_VOIDED, Kind.SETTLE_LATE_ANSWER)
    if hold.amount_minor > settings.FOUR_EYES_ABOVE_CENTS or proposal.kind in always:
        return True
    if proposal.kind != Kind.RECORD_NOT_EXECUTED or proposal.operation is None:
        return False
    operation = proposal.operation
    if operation.kind == OperationKind.RELEASE or proposal.evidence == Evidence.BANK_WORD:
        return True
    if proposal.evidence == Evidence.STATEMENT:
        return bool(done_already(operation))
    # The bank's answer, given when an earlier attempt may have been executed.
    return any(may_have_executed(one) for one in operation.attempts.all())


def why_not(payment: Payment, kind: Resolution.Kind) -> str:
    """Why staff cannot instruct it now, in a sentence; empty where they can."""
    if not can_proceed(_STEPS[kind].transition(payment)):
        return f"A payment that is {payment.state} cannot be {_STEPS[kind].done}."
    late = Discrepancy.objects.filter(payment=payment, kind=LATE_ANSWER, closed_at=None)
    done = list(late.values_list("operation__kind", flat=True))
    if done and kind not in done:
        return f"The bank has executed a {done[0]} that our books do not have: settle that first."
    expires = payment.authorization_expires_at
    if kind == Kind.CAPTURE and expires is not None and expires <= read_clock():
        return f"The hold ran out at {_minute(expires)}: it cannot be captured any more."
    return ""


def can_be_voided(operation: Operation) -> bool:
    """Whether it is about a hold that somebody may have voided: not one that the bank calls captured."""
    return operation.kind in _VOIDABLE and not is_called_captured(operation)


_STEPS = {Kind.CAPTURE: CAPTURE, Kind.VOID: VOID, Kind.REFUND: REFUND}


def lacks_reference(operation: Operation) -> bool:
    """Whether its reference can be looked up at the bank, and is not known although it has succeeded."""
    return (
        operation.kind in LOOKED_UP
        and operation.state == OperationState.SUCCEEDED
        and not operation.bank_reference
    )


def _unfinished(proposal: Proposal) -> Operation:
    operation = _unchanged(proposal)
    if operation.state not in UNFINISHED_OPERATIONS:
        raise has_ended(operation)
    return operation


def _unchanged(proposal: Proposal) -> Operation:
    """As the books have it now. Raises Outdated where the bank has been asked since it was seen."""
    if proposal.operation is None:
        raise CannotResolve("There is nothing to resolve.")
    operation: Operation = Operation.objects.select_related("payment").get(pk=proposal.operation.pk)
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


def _verify_reference(proposal: Proposal) -> Basis:
    operation = _unchanged(proposal)
    if not lacks_reference(operation):
        operation = _unfinished(proposal)
    if operation.kind not in LOOKED_UP:
        raise CannotResolve(
            "Only a capture's or a refund's reference can be recorded. A hold has no owner on the wire, "
            "and a void cannot be looked up."
        )
    return _verify_made(operation, OperationKind(operation.kind), proposal.reference)


def _verify_captured(proposal: Proposal) -> Basis:
    operation = _unfinished(proposal)
    if operation.kind != OperationKind.VOID:
        raise CannotResolve("Only a void can prove to have been a capture.")
    return _verify_made(operation, OperationKind.CAPTURE, proposal.reference)


def _verify_made(operation: Operation, kind: OperationKind, typed: str) -> Basis:
    """That the bank knows it by this id, as made of what the operation is about, in full."""
    found = _looked_up(operation.bank, kind, typed)
    reference = found.reference
    column = "bank_capture_id" if kind == OperationKind.CAPTURE else "bank_refund_id"
    if Payment.objects.filter(bank=operation.bank, **{column: reference}).exists():
        raise CannotResolve(f"{reference} belongs to another payment.")
    if found.target_reference != operation.target_reference:
        raise CannotResolve(
            f"The bank says that {reference} belongs to {found.target_reference}, not to "
            f"{operation.target_reference}."
        )
    if (found.amount_minor, found.currency) != (operation.amount_minor, operation.currency):
        raise CannotResolve(f"The bank says that {reference} is of another amount.")
    return Basis(operation.bank, reference, operation.amount_minor, operation.currency, found.made_at)


def _verify_instruction(proposal: Proposal) -> Basis:
    if proposal.payment is None:
        raise CannotResolve("There is no such payment.")
    payment = Payment.objects.get(pk=proposal.payment.pk)
    if no := why_not(payment, proposal.kind):
        raise CannotResolve(no)
    return Basis(payment.bank, "", payment.amount_minor, payment.currency)


def _verify_voided(proposal: Proposal) -> Basis:
    operation = _unfinished(proposal)
    if operation.kind not in _VOIDABLE:
        raise CannotResolve(f"The {operation.kind} is about no hold that could have been voided.")
    if proposal.evidence not in (Evidence.STATEMENT, Evidence.BANK_WORD) or not proposal.quote:
        raise CannotResolve("Name the statement that shows the void, or quote what the bank wrote.")
    if is_called_captured(operation):
        raise CannotResolve("The bank has answered that it is captured: a captured hold is not voided.")
    if (
        operation.kind == OperationKind.CAPTURE
        and done_already(operation)
        and proposal.evidence != Evidence.STATEMENT
    ):
        raise CannotResolve(
            "The bank has answered that the authorization is used, most likely by our capture. Only a "
            "statement that shows the void can tell otherwise."
        )
    return Basis(operation.bank, "", operation.amount_minor, operation.currency)


def has_late_answer(operation: Operation) -> bool:
    """Whether the bank has done it although it is recorded as not executed, and nobody has settled that."""
    return operation.state in (OperationState.NOT_EXECUTED, OperationState.REJECTED) and any(
        one.kind == LATE_ANSWER and one.closed_at is None for one in operation.discrepancies.all()
    )


def _verify_late_answer(proposal: Proposal) -> Basis:
    operation = _unchanged(proposal)
    if not has_late_answer(operation):
        raise Outdated("There is no late answer to settle any more.")
    if not proposal.quote or proposal.evidence != Evidence.BANK_WORD:
        raise CannotResolve("Quote what was agreed with the bank.")
    return Basis(operation.bank, "", operation.amount_minor, operation.currency)


def _verify_not_executed(proposal: Proposal) -> Basis:
    operation = _unfinished(proposal)
    done = done_already(operation)
    if done and operation.kind in LOOKED_UP:
        raise CannotResolve(
            f"The bank has answered {done[-1].reply}: record the reference of the {operation.kind}"
            + (", or that the hold was voided." if operation.kind == OperationKind.CAPTURE else ".")
        )
    if any(one.reply.endswith("already_voided") for one in done):
        raise CannotResolve("The bank has answered that the hold is voided: record that.")
    match proposal.evidence:
        case Evidence.BANK_ANSWER:
            if proposal.attempt not in {one.number for one in denials(operation)}:
                raise CannotResolve(
                    "No such answer on the timeline: it has to say that nothing was executed, from a bank in "
                    "good health, and nothing may have been sent since without a clear answer."
                )
        case Evidence.STATEMENT:
            _check_statement(operation, proposal)
        case Evidence.BANK_WORD:
            if not proposal.quote:
                raise CannotResolve("Quote what the bank wrote.")
            if proposal.proposed_at is not None and sent_since(operation, proposal.proposed_at):
                raise Outdated(
                    f"The {operation.kind} has been sent again since this was proposed, and the bank's word "
                    "tells nothing of that: ask the bank, and propose it anew."
                )
        case _:
            raise CannotResolve("Say which evidence shows that it was not executed.")
    return Basis(operation.bank, "", operation.amount_minor, operation.currency)


def _check_statement(operation: Operation, proposal: Proposal) -> None:
    if not proposal.quote or proposal.covers_from is None or proposal.covers_to is None:
        raise CannotResolve("Name the statement, and the first and the last day that it covers (UTC).")
    if proposal.covers_to >= read_clock().astimezone(UTC).date():
        raise CannotResolve("The last day is not over (UTC): no statement covers it yet.")
    begin, end = covered(operation)
    if begin_of(proposal.covers_from) > begin or begin_of(proposal.covers_to + timedelta(days=1)) < end:
        raise CannotResolve(
            f"The statement has to cover the time from {_minute(begin)} to {_minute(end)}: from five minutes "
            "before the first attempt to an hour after the last."
        )


def _verify_stray(bank: str, typed: str) -> Basis:
    found = _looked_up(bank, OperationKind.AUTHORIZE, typed)
    reference = found.reference
    named = Attempt.objects.filter(
        bank_reference=reference, operation__bank=bank, operation__state__in=UNFINISHED_OPERATIONS
    )
    if named.exists():
        raise CannotResolve(f"The bank has named {reference} to an operation of ours: ask about that again.")
    payments = Payment.objects.filter(bank=bank, bank_authorization_id=reference)
    if payments.exclude(state=PaymentState.EXPIRED).exists():
        raise CannotResolve(f"{reference} is a payment's hold: void that payment.")
    check_not_released(bank, reference)
    if read_clock() - found.made_at < STRAY_AFTER:
        raise CannotResolve("The hold is not 25 hours old yet: a payment may still come to claim it.")
    open_ones = Operation.objects.filter(
        bank=bank,
        kind=OperationKind.AUTHORIZE,
        state=OperationState.OPEN,
        amount_minor=found.amount_minor,
    )
    if open_ones.exists():
        raise CannotResolve("An authorize of this amount is open: the hold may be its own.")
    return Basis(bank, found.reference, found.amount_minor, found.currency)


def check_not_released(bank: str, reference: str) -> None:
    """Raises CannotResolve where the hold is freed, or about to be."""
    releases = Operation.objects.filter(bank=bank, kind=OperationKind.RELEASE, target_reference=reference)
    if releases.exclude(state=OperationState.NOT_EXECUTED).exists():
        raise CannotResolve(f"{reference} is being released already.")


def _looked_up(bank: str, kind: OperationKind, reference: str) -> Found:
    """On a bank thread, as every call: a bank that stalls must not hold the back office's threads."""
    with bank_threads().reserve() as slot:
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


def _minute(at: datetime) -> str:
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
