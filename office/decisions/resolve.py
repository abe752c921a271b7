"""Resolutions: what people decide where the machine cannot, and what they instruct for the merchant.

One proposes, with a reason; above a limit, or on nothing but the bank's written word, another approves.
What it rests on is checked first (`evidence`), and once more when it is approved. A hold is never given to a
payment by hand: holds have no owner on the wire.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import structlog
from django.db import OperationalError, transaction
from django.db.models import Q

from office.decisions import evidence, kinds, proposals
from office.decisions.carry_out import (
    Resolved,
    all_or_nothing,
    carry_out,
    decide_once,
    lock,
    log_decision,
    told_of_another,
)
from office.decisions.evidence import Basis, CannotResolve, Kind, Proposal
from office.decisions.kinds import KINDS
from office.decisions.kinds.instruct import INSTRUCTIONS
from office.decisions.kinds.void_hold import check_not_released
from office.log.staff import Staff, log_action
from payments.domain.ids import new_id
from payments.domain.money import display
from payments.domain.states import UNFINISHED_OPERATIONS
from payments.engine import conclude
from payments.engine.conclude import Locked, Outdated, has_ended
from payments.models import Event, Resolution
from payments.models.guards import is_locked

log = structlog.get_logger("payments.resolutions")


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
            return carry_out(
                staff, proposal, lambda: _create(staff, proposal, hold, needs_second=False), key=new_id().hex
            )
        with told_of_another(), all_or_nothing():
            _check_still_so(proposal)
            resolution = _create(staff, proposal, hold, needs_second=True)
            log_decision(staff, Event.Type.RESOLUTION_PROPOSED, resolution)
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
        return carry_out(staff, proposal, lambda: resolution, key=key, because=reason)


def refuse(staff: Staff, resolution_id: int, *, reason: str) -> Resolved:
    """Decline what somebody has proposed; also how one takes back one's own. Raises what `approve` does."""
    proposed = _proposed(resolution_id)
    if proposals.end_outdated(staff, Q(pk=proposed.pk)):
        raise CannotResolve(proposals.OUTDATED)
    with transaction.atomic(durable=True):
        resolution = decide_once(staff, proposed, Resolution.State.REFUSED, reason)
        log_decision(staff, Event.Type.RESOLUTION_REFUSED, resolution, because=reason)
    return Resolved(resolution, f"{resolution.get_kind_display()}: the proposal is closed.")


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


def _check_still_so(proposal: Proposal) -> None:
    """That what it is about is as it was verified, locked until the proposal stands. Raises Outdated."""
    locked = lock(proposal)
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
