"""Resolutions: what people decide where the machine cannot, and what they instruct for the merchant.

One proposes, with a reason; above a limit, or on nothing but the bank's written word, another approves.
What it rests on is checked first (`evidence`), and once more when it is approved. A hold is never given to a
payment by hand: holds have no owner on the wire.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import structlog
from django.db import IntegrityError, OperationalError, transaction
from django.db.models import Q

from office.decisions import denials, effects, evidence, kinds, proposals
from office.decisions.effects import Decided
from office.decisions.evidence import ASKING_TAKES, Basis, CannotResolve, Kind, Proposal
from office.decisions.kinds import KINDS
from office.decisions.kinds.base import Settling
from office.decisions.kinds.instruct import INSTRUCTIONS
from office.decisions.kinds.void_hold import check_not_released
from office.log.staff import Staff, log_action
from payments.domain.ids import new_id
from payments.domain.money import display
from payments.domain.states import UNFINISHED_OPERATIONS, OperationKind
from payments.engine import claim, conclude
from payments.engine.capacity import capacity_of
from payments.engine.claim import Command, New
from payments.engine.conclude import Locked, Outdated, has_ended
from payments.engine.refusals import Refused
from payments.models import Attempt, Event, Operation, Payment, Resolution
from payments.models.clock import ClockTimestamp
from payments.models.guards import is_locked, violated_constraint
from payments.usecases import recovery

log = structlog.get_logger("payments.resolutions")

_CONFLICTS = dict.fromkeys(
    ("one_proposal_per_operation", "one_proposal_per_payment", "one_proposal_per_stray_hold"),
    "There is a proposal for this already: decide on that one.",
) | {
    "one_release_per_hold": "The hold is being released already.",
    "one_operation_per_reference": "This reference belongs to another operation.",
}


class NotKnown(Exception):
    """Whether something has happened is not known. The message, for staff, says how to find out."""


@dataclass(frozen=True)
class Resolved:
    """What came of a decision. `said` tells it in a sentence, to whoever has decided."""

    resolution: Resolution
    said: str
    is_done: bool = True  # False where it waits for somebody, or for the bank


def propose(staff: Staff, proposal: Proposal) -> Resolved:
    """Take a proposal, and carry it out at once where one person is enough.

    Raises CannotResolve where it does not hold, Outdated where things have changed since it was seen,
    NotKnown where nobody can say whether it was carried out.
    """
    with _failure_logged(staff, proposal):
        hold = kinds.verify(proposal)
        # As the bank writes it; and what was shown is what is done, whatever is left by then.
        amount = hold.amount_minor if proposal.kind in INSTRUCTIONS else None
        proposal = replace(proposal, reference=hold.reference, amount_minor=amount)
        if not kinds.needs_second(proposal, hold):
            return _carry_out(
                staff, proposal, lambda: _create(staff, proposal, hold, needs_second=False), key=new_id().hex
            )
        with _told_of_another(), _all_or_nothing():
            _check_still_so(proposal)
            resolution = _create(staff, proposal, hold, needs_second=True)
            _log(staff, Event.Type.RESOLUTION_PROPOSED, resolution)
    what = resolution.get_kind_display()
    waits = "Somebody else has to approve it; it waits in the review queue."
    return Resolved(resolution, f"{what}: proposed. {waits}", is_done=False)


def check(proposal: Proposal) -> tuple[Basis, bool]:
    """What it is about, and whether somebody else would have to approve it. Nothing is recorded.

    Raises what `propose` does.
    """
    basis = kinds.verify(proposal)
    return basis, kinds.needs_second(proposal, basis)


def check_approval(
    staff: Staff, resolution: Resolution, *, seen_epoch: int | None, seen_attempt: int | None = None
) -> Proposal:
    """That `approve` would carry it out; what is proposed. Raises what it does; nothing is recorded."""
    if resolution.proposed_by_id == staff.user_id:
        raise CannotResolve("Nobody approves their own proposal: somebody else has to.")
    if not resolution.proposed_by.has_perm(KINDS[resolution.kind].permission):
        proposer = resolution.proposed_by.get_username()
        raise CannotResolve(f"{proposer} may not propose this any more: it has to be proposed anew.")
    proposal = evidence.proposal_of(resolution, seen_epoch=seen_epoch, seen_attempt=seen_attempt)
    kinds.verify(proposal)
    return proposal


def approve(
    staff: Staff,
    resolution_id: int,
    *,
    reason: str,
    seen_epoch: int | None = None,
    seen_attempt: int | None = None,
) -> Resolved:
    """Carry out what another has proposed. Raises what `propose` does; CannotResolve also for one's own.

    What is seen is the operation's as the page of whoever approves showed it: recovery may have asked since
    it was proposed, and what it rests on is judged anew. Without one, nothing may have changed since then.
    Where what it is about has been settled otherwise, it ends as outdated.
    """
    resolution = _proposed(resolution_id)
    known = {"resolution": resolution.pk, "because": reason}
    with (
        _failure_logged(staff, evidence.proposal_of(resolution), **known),
        _ended_if_outdated(staff, resolution),
    ):
        proposal = check_approval(staff, resolution, seen_epoch=seen_epoch, seen_attempt=seen_attempt)
        key = f"resolution {resolution.pk}"
        return _carry_out(staff, proposal, lambda: resolution, key=key, because=reason)


def refuse(staff: Staff, resolution_id: int, *, reason: str) -> Resolved:
    """Decline what somebody has proposed; also how one takes back one's own. Raises what `approve` does."""
    proposed = _proposed(resolution_id)
    if proposals.end_outdated(staff, Q(pk=proposed.pk)):
        raise CannotResolve(proposals.OUTDATED)
    with transaction.atomic(durable=True):
        resolution = _decide(staff, proposed, Resolution.State.REFUSED, reason)
        _log(staff, Event.Type.RESOLUTION_REFUSED, resolution, because=reason)
    return Resolved(resolution, f"{resolution.get_kind_display()}: the proposal is closed.")


def ask_again(staff: Staff, operation_id: UUID, *, reason: str) -> str:
    """Ask the bank about an operation now; what came of it, in a sentence.

    Raises CannotResolve where it has ended, Overloaded where the pool is full.
    """
    operation = Operation.objects.select_related("payment").get(pk=operation_id)
    if operation.state not in UNFINISHED_OPERATIONS:
        raise CannotResolve(f"The {operation.kind} has ended: it is {operation.state}.")
    with capacity_of(operation.bank).threads.reserve() as slot:
        log_action(
            staff,
            Event.Type.OPERATION_ASKED_AGAIN,
            payment=operation.payment,
            operation=operation,
            reason=reason,
        )
        before = operation.attempts.count()
        asking = slot.submit(lambda: recovery.recover(operation_id))
    try:
        taken = asking.result(timeout=ASKING_TAKES)
    except TimeoutError:
        return "The bank has not answered yet; its answer is recorded as soon as it comes."
    if not taken:
        return (
            f"Nothing was asked: a call about the {operation.kind} may still be under way. It can be asked "
            "about again when its lease has run out, in less than a minute."
        )
    last = Attempt.objects.filter(operation=operation_id).select_related("operation").latest("number")
    now = f"the {last.operation.kind} is {last.operation.state}"
    if last.number <= before:
        return f"The bank was not asked: an answer of its own had come late, and is taken; {now}."
    return f"{denials.told(last)}; {now}."


def _carry_out(
    staff: Staff, proposal: Proposal, row: Callable[[], Resolution], *, key: str, because: str = ""
) -> Resolved:
    """Decide, and do it, in one transaction: `row` gives the resolution inside it."""

    def decide() -> Resolution:
        decided = _decide(staff, row(), Resolution.State.APPLIED, because)
        _log(staff, Event.Type.RESOLUTION_APPLIED, decided, **({"because": because} if because else {}))
        return decided

    kind = KINDS[proposal.kind]
    with _told_of_another():
        if not isinstance(kind, Settling):
            return _instruct(staff, proposal, decide, key)
        with _all_or_nothing():
            _lock(proposal)
            decided = decide()
            came_of_it = kind.apply(Decided(staff, decided, proposal.seen_epoch))
        return Resolved(decided, f"{decided.get_kind_display()}: {came_of_it}")


def _instruct(staff: Staff, proposal: Proposal, decide: Callable[[], Resolution], key: str) -> Resolved:
    """By the use case that a merchant's request runs, in whose intent the resolution is decided."""
    payment = proposal.payment
    assert payment is not None  # noqa: S101 - verified

    instruction = _Instruction(
        merchant=payment.merchant,
        mode=payment.mode,
        actor=staff.actor,
        request_id=staff.request_id,
        key=key,
        proposal=proposal,
        decide=decide,
    )
    try:
        # An operation's reason is shown to the merchant; this one is for the log.
        answer = INSTRUCTIONS[proposal.kind].use_case(
            New(instruction), payment_id=payment.pk, amount_minor=proposal.amount_minor, reason=""
        )
    except Refused as refused:
        if refused.money_moved != "no":
            raise NotKnown(
                f"{refused.title}. {refused.detail} Read the payment before you decide again."
            ) from None
        raise CannotResolve(f"{refused.title}. {refused.detail}") from None
    what = Kind(proposal.kind).label
    return Resolved(
        instruction.decided[0], f"{what}: {_ANSWERED[answer.status]}", is_done=answer.status == _DONE
    )


_DONE = 200
_ANSWERED = {
    _DONE: "done.",
    202: "sent, and the bank has given no clear answer yet. Recovery goes on asking; this page will tell.",
    409: "refused by the bank, the authorization has expired. No money was taken; the hold is released.",
    503: "not executed, the bank could not be reached. No money has moved; try again later.",
}
_DECIDED_ALREADY = "This proposal has been decided already."


@dataclass(frozen=True)
class _Instruction(Command):
    """Staff's instruction for the merchant, whose resolution is decided, once, with its intent."""

    key: str
    proposal: Proposal
    decide: Callable[[], Resolution]
    decided: list[Resolution] = field(default_factory=list)

    def claim(self, operation_id: UUID) -> None:
        """Raises CannotResolve where somebody else has decided it."""
        _lock(self.proposal)
        self.decided[:] = [self.decide()]

    def bank_key(self, kind: OperationKind, ordinal: int) -> str:
        payment = self.proposal.payment
        assert payment is not None  # noqa: S101 - verified
        # A resolution's number alone is no other's in this database only; the bank may outlive it.
        return claim.derived_bank_key("staff", payment.public_id, self.key, kind.value, ordinal)


class _EndedAsOutdated(CannotResolve):
    """The proposal does not hold any more. That it has ended is in the log by now."""


@contextmanager
def _ended_if_outdated(staff: Staff, resolution: Resolution) -> Iterator[None]:
    """What was refused because it is about what has changed since ends so, in this request."""
    try:
        yield
    except (CannotResolve, Outdated):
        if proposals.end_outdated(staff, Q(pk=resolution.pk)):
            raise _EndedAsOutdated(proposals.OUTDATED) from None
        raise


@contextmanager
def _failure_logged(staff: Staff, proposal: Proposal, **known: Any) -> Iterator[None]:
    """Who has confirmed what did not hold, and why not, is in the log."""
    try:
        yield
    except _EndedAsOutdated:
        raise
    except (CannotResolve, Outdated) as no:
        about = proposal.payment or (proposal.operation.payment if proposal.operation else None)
        if proposal.reference:
            known |= {"reference": proposal.reference}
        known |= {"kind": proposal.kind, "reason": proposal.reason, "told": str(no)}
        try:
            log_action(
                staff, Event.Type.RESOLUTION_FAILED, payment=about, operation=proposal.operation, **known
            )
        except OperationalError as error:
            if not is_locked(error):
                raise
            # What is told to them is that very lock: the payment's history takes nothing either.
            log.warning("failed_resolution_not_logged", actor=staff.actor, **known)
        raise


def _lock(proposal: Proposal) -> Locked | Payment | None:
    """What it is about, before the resolution: in this order, whoever proposes or decides."""
    if proposal.operation is not None:
        return conclude.lock(proposal.operation.pk, proposal.operation.payment_id)
    if proposal.payment is not None:
        return Payment.objects.select_for_update(no_key=True).get(pk=proposal.payment.pk)
    return None  # a hold that no payment has has no row, until it is released


def _check_still_so(proposal: Proposal) -> None:
    """That what it is about is as it was verified, locked until the proposal stands. Raises Outdated."""
    locked = _lock(proposal)
    if isinstance(locked, Locked):
        operation = locked.operation
        if operation.state in UNFINISHED_OPERATIONS:
            conclude.check_at_rest(locked)
            evidence.check_seen(proposal, operation)
        elif kinds.due(operation) is None:
            raise has_ended(operation)
    elif proposal.kind == Kind.VOID_HOLD:
        check_not_released(proposal.bank, proposal.reference)
    elif locked is not None and proposal.payment is not None:
        was = proposal.payment
        if (locked.state, locked.refunded_minor) != (was.state, was.refunded_minor):
            refunded = display(locked.refunded_minor, locked.currency)
            raise Outdated(f"The payment is {locked.state} by now, with {refunded} refunded.")


@contextmanager
def _told_of_another() -> Iterator[None]:
    """Raises CannotResolve where somebody was quicker, as the database judges."""
    try:
        yield
    except IntegrityError as error:
        conflict = _CONFLICTS.get(violated_constraint(error) or "")
        if conflict is None:
            raise
        raise CannotResolve(conflict) from None


@contextmanager
def _all_or_nothing() -> Iterator[None]:
    """A transaction. Raises CannotResolve where somebody else has a row of it locked, for long."""
    try:
        with transaction.atomic(durable=True):
            yield
    except OperationalError as error:
        if not is_locked(error):
            raise
        raise CannotResolve(
            "Somebody else is at work on this, at this moment. Nothing has changed; try again."
        ) from None


def _create(staff: Staff, proposal: Proposal, hold: Basis, *, needs_second: bool) -> Resolution:
    operation = proposal.operation
    proposals.end_outdated(staff, proposals.of_the_same(proposal))
    resolution: Resolution = Resolution.objects.create(
        kind=proposal.kind,
        payment=proposal.payment or (operation.payment if operation else None),
        operation=operation,
        bank=hold.bank,
        amount_minor=hold.amount_minor,
        currency=hold.currency,
        reference=hold.reference,
        executed_at=hold.executed_at,
        evidence=proposal.evidence,
        attempt=proposal.attempt,
        quote=proposal.quote,
        covers_from=proposal.covers_from,
        covers_to=proposal.covers_to,
        reason=proposal.reason,
        seen_epoch=proposal.seen_epoch,
        proposed_by_id=staff.user_id,
        needs_second=needs_second,
    )
    return resolution


def _proposed(resolution_id: int) -> Resolution:
    resolution = (
        Resolution.objects.select_related(
            "operation__payment", "payment__merchant", "proposed_by", "decided_by"
        )
        .filter(pk=resolution_id)
        .first()
    )
    if resolution is None:
        raise CannotResolve("There is no such proposal.")
    if resolution.state != Resolution.State.PROPOSED:
        raise CannotResolve(decided_already(resolution))
    return resolution


def decided_already(resolution: Resolution) -> str:
    """What whoever comes too late to a proposal is told."""
    if resolution.state == Resolution.State.OUTDATED:
        return proposals.OUTDATED
    by = f" by {resolution.decided_by.get_username()}" if resolution.decided_by else ""
    return f"This proposal has been decided already: {resolution.state}{by}."


def _decide(staff: Staff, resolution: Resolution, state: Resolution.State, because: str) -> Resolution:
    """Decide it once, inside the caller's transaction. Raises CannotResolve where somebody was quicker."""
    decided = Resolution.objects.filter(pk=resolution.pk, state=Resolution.State.PROPOSED).update(
        state=state, decided_by_id=staff.user_id, decided_at=ClockTimestamp(), decided_because=because
    )
    if not decided:
        raise CannotResolve(_DECIDED_ALREADY)
    return Resolution.objects.select_related("operation", "payment__merchant", "proposed_by").get(
        pk=resolution.pk
    )


def _log(staff: Staff, event: Event.Type, resolution: Resolution, **more: str) -> None:
    log_action(
        staff,
        event,
        payment=resolution.payment,
        operation=resolution.operation,
        **effects.told(resolution),
        **more,
    )
