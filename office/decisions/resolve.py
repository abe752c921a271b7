"""Resolutions: decisions of staff about what FicPay cannot settle, and instructions on behalf of the
merchant.

One person proposes, with a reason. Above a limit, or on weak evidence, a second person approves. The evidence
is checked with the proposal and again with the approval. Staff cannot assign a hold to a payment: a bank does
not say whose a hold is.
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
    conflicts_explained,
    decide_once,
    lock,
    log_decision,
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
    """Record a proposal, and carry it out at once if one person is enough.

    Raises CannotResolve if its evidence fails, Outdated if something has changed since the page was shown,
    OutcomeUnknown if it may or may not have been carried out.
    """
    with _failure_logged(staff, proposal):
        hold = kinds.verify(proposal)
        # The reference as the bank spells it, and the amount that was shown, even if less is left by then.
        amount = hold.amount_minor if proposal.kind in INSTRUCTIONS else None
        proposal = replace(proposal, reference=hold.reference, amount_minor=amount)
        if not kinds.needs_second(proposal, hold):
            return carry_out(
                staff, proposal, lambda: _create(staff, proposal, hold, needs_second=False), key=new_id().hex
            )
        with conflicts_explained(), all_or_nothing():
            _check_unchanged(proposal)
            resolution = _create(staff, proposal, hold, needs_second=True)
            log_decision(staff, Event.Type.RESOLUTION_PROPOSED, resolution)
    what = resolution.get_kind_display()
    waits = "Another person must approve it in the review queue."
    return Resolved(resolution, f"{what}: proposed. {waits}", is_done=False)


def check(proposal: Proposal) -> tuple[Basis, bool]:
    """Verify a proposal without recording it. Returns its basis, and whether another person must approve it.

    Raises what `propose` does.
    """
    basis = kinds.verify(proposal)
    return basis, kinds.needs_second(proposal, basis)


def check_approval(
    staff: Staff, resolution: Resolution, *, seen_epoch: int | None, seen_attempt: int | None = None
) -> Proposal:
    """Check that `approve` would carry it out, and return the proposal. Raises what `approve` does."""
    if resolution.proposed_by_id == staff.user_id:
        raise CannotResolve("You cannot approve your own proposal. Another person must approve it.")
    if not resolution.proposed_by.has_perm(KINDS[resolution.kind].permission):
        proposer = resolution.proposed_by.get_username()
        raise CannotResolve(
            f"{proposer} is no longer allowed to propose this. Somebody else must propose it."
        )
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
    """Carry out what another person proposed. Raises what `propose` does, and CannotResolve for one's own.

    `seen_epoch` and `seen_attempt` are what the approver's page showed: recovery may have asked the bank
    since the proposal, and the evidence is checked again for that state. Without them, nothing may have
    changed since the proposal. If its subject has been settled in another way, the proposal ends as outdated.
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
    """Reject a proposal, or withdraw one's own. Raises CannotResolve if it is already decided or outdated."""
    proposed = _proposed(resolution_id)
    if proposals.end_outdated(staff, Q(pk=proposed.pk)):
        raise CannotResolve(proposals.OUTDATED)
    with transaction.atomic(durable=True):
        resolution = decide_once(staff, proposed, Resolution.State.REFUSED, reason)
        log_decision(staff, Event.Type.RESOLUTION_REFUSED, resolution, because=reason)
    return Resolved(resolution, f"{resolution.get_kind_display()}: the proposal is closed.")


class _EndedAsOutdated(CannotResolve):
    """The proposal was outdated and has ended. The log already says so."""


@contextmanager
def _ended_if_outdated(staff: Staff, resolution: Resolution) -> Iterator[None]:
    """If the decision is refused because its subject has changed, end the proposal as outdated."""
    try:
        yield
    except (CannotResolve, Outdated):
        if proposals.end_outdated(staff, Q(pk=resolution.pk)):
            raise _EndedAsOutdated(proposals.OUTDATED) from None
        raise


@contextmanager
def _failure_logged(staff: Staff, proposal: Proposal, **known: Any) -> Iterator[None]:
    """Logs a refused decision: who confirmed it, and why it was refused."""
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
            # The same lock refused the decision, and blocks its event too.
            log.warning("failed_resolution_not_logged", actor=staff.actor, **known)
        raise


def _check_unchanged(proposal: Proposal) -> None:
    """Lock the proposal's subject and check that it is as it was verified. Raises Outdated."""
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
            raise Outdated(f"The payment is now {locked.state}, with {refunded} refunded.")


def _create(staff: Staff, proposal: Proposal, hold: Basis, *, needs_second: bool) -> Resolution:
    operation = proposal.operation
    proposals.end_outdated(staff, proposals.with_same_subject(proposal))
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
        raise CannotResolve(already_decided(resolution))
    return resolution


def already_decided(resolution: Resolution) -> str:
    """The error for a proposal that is already decided."""
    if resolution.state == Resolution.State.OUTDATED:
        return proposals.OUTDATED
    by = f" by {resolution.decided_by.get_username()}" if resolution.decided_by else ""
    word = "approved"
    if resolution.state == Resolution.State.REFUSED:
        word = "withdrawn" if resolution.decided_by_id == resolution.proposed_by_id else "rejected"
    return f"This proposal is already decided: {word}{by}."
