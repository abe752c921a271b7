"""Resolutions: what people decide where the machine cannot, and what they instruct for the merchant.

One proposes, with a reason; above a limit, or on nothing but the bank's written word, another approves.
Whatever names a bank's reference is verified with the bank before anything changes. A hold is never given
to a payment by hand: holds have no owner on the wire.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from payments.domain.outcomes import NotExecuted, Succeeded
from payments.domain.replies import Found, NotThere, Unclear
from payments.domain.states import UNFINISHED_OPERATIONS, OperationKind, OperationState
from payments.models import Event, Operation, Payment, Resolution
from payments.models.clock import ClockTimestamp, read_clock
from payments.services import capture, operations, recording, recovery, refund, releases, void
from payments.services.answers import Answer
from payments.services.bank_threads import bank_threads
from payments.services.idempotency import MerchantRequest
from payments.services.recording import Outdated
from payments.services.refusals import Refused
from payments.services.releases import Hold
from payments.services.staff import Staff, log_action

Kind, Evidence = Resolution.Kind, Resolution.Evidence

# A hold known only from a statement is nobody's once the bank has forgotten every key it can belong to.
STRAY_AFTER = timedelta(hours=25)
_USE_CASES: dict[str, Callable[..., Answer]] = {
    Kind.CAPTURE: capture.capture_payment,
    Kind.VOID: void.void_payment,
    Kind.REFUND: refund.refund_payment,
}
_ASKING_TAKES = 20.0  # seconds a member of staff waits for the bank


class CannotResolve(Exception):
    """Why a resolution is not taken. The message is for staff."""


@dataclass(frozen=True)
class Proposal:
    """What somebody wants to do. `seen_epoch` is the operation's as its page showed it."""

    kind: Resolution.Kind
    reason: str
    operation: Operation | None = None
    payment: Payment | None = None
    seen_epoch: int | None = None
    reference: str = ""
    evidence: str = ""
    quote: str = ""
    bank: str = ""


def propose(staff: Staff, proposal: Proposal) -> Resolution:
    """Take a proposal, and carry it out at once where one person is enough.

    Raises CannotResolve where it does not hold, Outdated where things have changed since it was seen.
    """
    hold = _verify(proposal)
    needs_second = (
        hold.amount_cents > settings.FOUR_EYES_ABOVE_CENTS or proposal.evidence == Evidence.BANK_WORD
    )
    operation = proposal.operation
    payment = proposal.payment or (operation.payment if operation else None)
    try:
        with transaction.atomic(durable=True):
            resolution = Resolution.objects.create(
                kind=proposal.kind,
                payment=payment,
                operation=operation,
                bank=hold.bank,
                amount_cents=hold.amount_cents,
                currency=hold.currency,
                reference=proposal.reference,
                evidence=proposal.evidence,
                quote=proposal.quote,
                reason=proposal.reason,
                seen_epoch=proposal.seen_epoch,
                proposed_by_id=staff.user_id,
                needs_second=needs_second,
            )
            _log(staff, Event.Type.RESOLUTION_PROPOSED, resolution)
    except IntegrityError:
        raise CannotResolve("There is a proposal for this operation already: decide on that one.") from None
    return resolution if needs_second else _carry_out(staff, resolution)


def approve(staff: Staff, resolution_id: int, *, reason: str) -> Resolution:
    """Carry out what another has proposed. Raises CannotResolve, also for one's own."""
    resolution = _proposed(resolution_id)
    if resolution.proposed_by_id == staff.user_id:
        raise CannotResolve("Nobody approves their own proposal: somebody else has to.")
    _verify(_as_proposal(resolution))
    return _carry_out(staff, resolution, approved_because=reason)


def refuse(staff: Staff, resolution_id: int, *, reason: str) -> Resolution:
    """Decline what somebody has proposed; also how one takes back one's own."""
    with transaction.atomic(durable=True):
        resolution = _decide(staff, _proposed(resolution_id).pk, Resolution.State.REFUSED)
        _log(staff, Event.Type.RESOLUTION_REFUSED, resolution, because=reason)
    return resolution


def ask_again(staff: Staff, operation_id: UUID, *, reason: str) -> str:
    """Ask the bank about an operation now; what came of it, in a sentence.

    Raises CannotResolve where it has ended, Overloaded where the pool is full.
    """
    operation = Operation.objects.select_related("payment").get(pk=operation_id)
    if operation.state not in UNFINISHED_OPERATIONS:
        raise CannotResolve(f"The {operation.kind} has ended: it is {operation.state}.")
    with bank_threads().reserve() as slot:
        log_action(
            staff,
            Event.Type.OPERATION_ASKED_AGAIN,
            payment=operation.payment,
            operation=operation,
            reason=reason,
        )
        asking = slot.submit(lambda: recovery.recover(operation_id))
    try:
        asked = asking.result(timeout=_ASKING_TAKES)
    except TimeoutError:
        return "The bank has not answered yet; its answer is recorded as soon as it comes."
    if not asked:
        return "Somebody else is asking the bank at this moment."
    state = Operation.objects.values_list("state", flat=True).get(pk=operation_id)
    return f"The bank was asked; the {operation.kind} is {state}."


def _verify(proposal: Proposal) -> Hold:
    """That it holds now, by our books and the bank's; and what money it is about."""
    match proposal.kind:
        case Kind.RECORD_REFERENCE:
            return _verify_reference(_unfinished(proposal), proposal.reference)
        case Kind.RECORD_NOT_EXECUTED:
            operation = _unfinished(proposal)
            if proposal.evidence not in Evidence.values:
                raise CannotResolve("Say which evidence shows that it was not executed.")
            if proposal.evidence != Evidence.BANK_ANSWER and not proposal.quote:
                raise CannotResolve("Quote the bank's words, or name the statement that covers it.")
            return Hold(operation.bank, "", operation.amount_cents, operation.currency)
        case Kind.VOID_HOLD:
            return _verify_stray(proposal.bank, proposal.reference)
        case _:
            payment = proposal.payment
            if payment is None:
                raise CannotResolve("There is no such payment.")
            return Hold(payment.bank, "", payment.amount_cents, payment.currency)


def _unfinished(proposal: Proposal) -> Operation:
    operation = proposal.operation
    if operation is None or operation.kind == OperationKind.RELEASE:
        raise CannotResolve("There is nothing to resolve.")
    if operation.state not in UNFINISHED_OPERATIONS:
        raise Outdated(f"The {operation.kind} has ended meanwhile: it is {operation.state}.")
    if operation.lease_epoch != proposal.seen_epoch:
        raise Outdated(f"The bank has been asked about the {operation.kind} since this page was made.")
    return operation


def _verify_reference(operation: Operation, reference: str) -> Hold:
    if operation.kind not in (OperationKind.CAPTURE, OperationKind.REFUND):
        raise CannotResolve(
            "Only a capture's or a refund's reference can be recorded. A hold has no owner on the wire, "
            "and a void cannot be looked up."
        )
    column = "bank_capture_id" if operation.kind == OperationKind.CAPTURE else "bank_refund_id"
    if reference and Payment.objects.filter(bank=operation.bank, **{column: reference}).exists():
        raise CannotResolve(f"{reference} belongs to another payment.")
    found = _looked_up(operation.bank, OperationKind(operation.kind), reference)
    if found.target_reference != operation.target_reference:
        raise CannotResolve(
            f"The bank says that {reference} belongs to {found.target_reference}, not to "
            f"{operation.target_reference}."
        )
    if (found.amount_cents, found.currency) != (operation.amount_cents, operation.currency):
        raise CannotResolve(f"The bank says that {reference} is of another amount.")
    return Hold(operation.bank, reference, operation.amount_cents, operation.currency)


def _verify_stray(bank: str, reference: str) -> Hold:
    if Payment.objects.filter(bank=bank, bank_authorization_id=reference).exists():
        raise CannotResolve(f"{reference} is a payment's hold: void that payment.")
    if Operation.objects.filter(bank=bank, kind=OperationKind.RELEASE, target_reference=reference).exists():
        raise CannotResolve(f"{reference} is being released already.")
    found = _looked_up(bank, OperationKind.AUTHORIZE, reference)
    if read_clock() - found.made_at < STRAY_AFTER:
        raise CannotResolve("The hold is not 25 hours old yet: a payment may still come to claim it.")
    open_ones = Operation.objects.filter(
        bank=bank,
        kind=OperationKind.AUTHORIZE,
        state=OperationState.OPEN,
        amount_cents=found.amount_cents,
    )
    if open_ones.exists():
        raise CannotResolve("An authorize of this amount is open: the hold may be its own.")
    return Hold(bank, reference, found.amount_cents, found.currency)


def _looked_up(bank: str, kind: OperationKind, reference: str) -> Found:
    match operations.look_up(bank, kind, reference):
        case Found() as found:
            return found
        case NotThere():
            raise CannotResolve(f"The bank knows no {kind} {reference}.")
        case Unclear(reason=reason):
            raise CannotResolve(f"The bank could not be asked ({reason}). Nothing has changed; try again.")


def _carry_out(staff: Staff, resolution: Resolution, **more: str) -> Resolution:
    match resolution.kind:
        case Kind.RECORD_REFERENCE | Kind.RECORD_NOT_EXECUTED:
            return _conclude(staff, resolution, more)
        case Kind.VOID_HOLD:
            return _release(staff, resolution, more)
        case _:
            return _instruct(staff, resolution, more)


def _conclude(staff: Staff, resolution: Resolution, more: dict[str, str]) -> Resolution:
    operation = resolution.operation
    assert operation is not None and resolution.seen_epoch is not None  # noqa: S101, PT018 - proposed with both
    if resolution.kind == Kind.RECORD_REFERENCE:
        outcome: Succeeded | NotExecuted = Succeeded(resolution.reference)
    else:
        unseen = resolution.evidence != Evidence.STATEMENT and operation.kind == OperationKind.AUTHORIZE
        outcome = NotExecuted("found by people", awaiting_statement=unseen)
    with transaction.atomic(durable=True):
        decided = _decide(staff, resolution.pk, Resolution.State.APPLIED)
        recording.conclude_by_hand(
            operation.pk,
            outcome,
            recovery.SETTLE[OperationKind(operation.kind)],
            seen_epoch=resolution.seen_epoch,
            actor=staff.actor,
            request_id=staff.request_id,
            evidence=_evidence(decided),
        )
        _log(staff, Event.Type.RESOLUTION_APPLIED, decided, **more)
    return decided


def _release(staff: Staff, resolution: Resolution, more: dict[str, str]) -> Resolution:
    with transaction.atomic(durable=True):
        decided = _decide(staff, resolution.pk, Resolution.State.APPLIED)
        releases.request_release_of_stray(
            Hold(decided.bank, decided.reference, decided.amount_cents, decided.currency),
            actor=staff.actor,
            because=f"resolution {decided.pk}: {decided.reason}",
            request_id=staff.request_id,
        )
        _log(staff, Event.Type.RESOLUTION_APPLIED, decided, **more)
    return decided


def _instruct(staff: Staff, resolution: Resolution, more: dict[str, str]) -> Resolution:
    """As the merchant would: the same use case, under a key that belongs to this resolution."""
    with transaction.atomic(durable=True):
        decided = _decide(staff, resolution.pk, Resolution.State.APPLIED)
        _log(staff, Event.Type.RESOLUTION_APPLIED, decided, **more)
    payment = decided.payment
    assert payment is not None  # noqa: S101 - proposed with one
    request = MerchantRequest(
        merchant=payment.merchant,
        mode=payment.mode,
        actor=staff.actor,
        request_id=staff.request_id,
        idempotency_key=f"staff-resolution-{decided.pk}-{payment.pk.hex}",
        method="POST",
        path=f"/resolutions/{decided.pk}/{decided.kind}",
        body={},
    )
    try:
        _USE_CASES[decided.kind](request, payment_id=payment.pk, amount_cents=None, reason=decided.reason)
    except Refused as refused:
        raise CannotResolve(f"{refused.title}. {refused.detail}") from None
    return decided


def _proposed(resolution_id: int) -> Resolution:
    resolution = (
        Resolution.objects.select_related("operation__payment", "payment__merchant")
        .filter(pk=resolution_id)
        .first()
    )
    if resolution is None or resolution.state != Resolution.State.PROPOSED:
        raise CannotResolve("This proposal has been decided already.")
    return resolution


def _decide(staff: Staff, resolution_id: int, state: Resolution.State) -> Resolution:
    """Decide it once, inside the caller's transaction. Raises CannotResolve where somebody was quicker."""
    decided = Resolution.objects.filter(pk=resolution_id, state=Resolution.State.PROPOSED).update(
        state=state, decided_by_id=staff.user_id, decided_at=ClockTimestamp()
    )
    if not decided:
        raise CannotResolve("This proposal has been decided already.")
    return Resolution.objects.select_related("operation", "payment__merchant", "proposed_by").get(
        pk=resolution_id
    )


def _as_proposal(resolution: Resolution) -> Proposal:
    return Proposal(
        kind=Kind(resolution.kind),
        reason=resolution.reason,
        operation=resolution.operation,
        payment=resolution.payment,
        seen_epoch=resolution.seen_epoch,
        reference=resolution.reference,
        evidence=resolution.evidence,
        quote=resolution.quote,
        bank=resolution.bank,
    )


def _evidence(resolution: Resolution) -> dict[str, Any]:
    known: dict[str, Any] = {
        "resolution": resolution.pk,
        "kind": resolution.kind,
        "reason": resolution.reason,
        "reference": resolution.reference,
        "evidence": resolution.evidence,
        "quote": resolution.quote,
        "proposed_by": resolution.proposed_by.get_username(),
    }
    return {name: value for name, value in known.items() if value}


def _log(staff: Staff, event: Event.Type, resolution: Resolution, **more: str) -> None:
    log_action(
        staff,
        event,
        payment=resolution.payment,
        operation=resolution.operation,
        **_evidence(resolution),
        **more,
    )
