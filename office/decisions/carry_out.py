"""Carries out what was decided: decision and effect in one transaction, or in a merchant's intent."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

from django.db import IntegrityError, OperationalError, transaction

from office.decisions import effects
from office.decisions.effects import Decided
from office.decisions.evidence import CannotResolve, Kind, Proposal
from office.decisions.kinds import KINDS
from office.decisions.kinds.base import Settling
from office.decisions.kinds.instruct import INSTRUCTIONS
from office.log.staff import Staff, log_action
from payments.domain.states import OperationKind
from payments.engine import claim, conclude
from payments.engine.claim import Command, New
from payments.engine.conclude import Locked
from payments.engine.refusals import Refused
from payments.models import Event, Payment, Resolution
from payments.models.clock import ClockTimestamp
from payments.models.guards import is_locked, violated_constraint

_CONFLICTS = dict.fromkeys(
    ("one_proposal_per_operation", "one_proposal_per_payment", "one_proposal_per_stray_hold"),
    "There is a proposal for this already: decide on that one.",
) | {
    "one_release_per_hold": "The hold is being released already.",
    "one_operation_per_reference": "This reference belongs to another operation.",
}
_DONE = 200
_ANSWERED = {
    _DONE: "done.",
    202: "sent, and the bank has given no clear answer yet. Recovery goes on asking; this page will tell.",
    409: "refused by the bank, the authorization has expired. No money was taken; the hold is released.",
    503: "not executed, the bank could not be reached. No money has moved; try again later.",
}


class NotKnown(Exception):
    """Whether something has happened is not known. The message, for staff, says how to find out."""


@dataclass(frozen=True)
class Resolved:
    """What came of a decision. `said` tells it in a sentence, to whoever has decided."""

    resolution: Resolution
    said: str
    is_done: bool = True  # False where it waits for somebody, or for the bank


def carry_out(
    staff: Staff, proposal: Proposal, row: Callable[[], Resolution], *, key: str, because: str = ""
) -> Resolved:
    """Decide, and do it, in one transaction: `row` gives the resolution inside it."""

    def decide() -> Resolution:
        decided = decide_once(staff, row(), Resolution.State.APPLIED, because)
        log_decision(
            staff, Event.Type.RESOLUTION_APPLIED, decided, **({"because": because} if because else {})
        )
        return decided

    kind = KINDS[proposal.kind]
    with told_of_another():
        if not isinstance(kind, Settling):
            return _instruct(staff, proposal, decide, key)
        with all_or_nothing():
            lock(proposal)
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


@dataclass(frozen=True)
class _Instruction(Command):
    """Staff's instruction for the merchant, whose resolution is decided, once, with its intent."""

    key: str
    proposal: Proposal
    decide: Callable[[], Resolution]
    decided: list[Resolution] = field(default_factory=list)

    def claim(self, operation_id: UUID) -> None:
        """Raises CannotResolve where somebody else has decided it."""
        lock(self.proposal)
        self.decided[:] = [self.decide()]

    def bank_key(self, kind: OperationKind, ordinal: int) -> str:
        payment = self.proposal.payment
        assert payment is not None  # noqa: S101 - verified
        # A resolution's number alone is no other's in this database only; the bank may outlive it.
        return claim.derived_bank_key("staff", payment.public_id, self.key, kind.value, ordinal)


def lock(proposal: Proposal) -> Locked | Payment | None:
    """What it is about, before the resolution: in this order, whoever proposes or decides."""
    if proposal.operation is not None:
        return conclude.lock(proposal.operation.pk, proposal.operation.payment_id)
    if proposal.payment is not None:
        return Payment.objects.select_for_update(no_key=True).get(pk=proposal.payment.pk)
    return None  # a hold that no payment has has no row, until it is released


def decide_once(staff: Staff, resolution: Resolution, state: Resolution.State, because: str) -> Resolution:
    """Decide it once, inside the caller's transaction. Raises CannotResolve where somebody was quicker."""
    decided = Resolution.objects.filter(pk=resolution.pk, state=Resolution.State.PROPOSED).update(
        state=state, decided_by_id=staff.user_id, decided_at=ClockTimestamp(), decided_because=because
    )
    if not decided:
        raise CannotResolve("This proposal has been decided already.")
    return Resolution.objects.select_related("operation", "payment__merchant", "proposed_by").get(
        pk=resolution.pk
    )


def log_decision(staff: Staff, event: Event.Type, resolution: Resolution, **more: str) -> None:
    log_action(
        staff,
        event,
        payment=resolution.payment,
        operation=resolution.operation,
        **effects.told(resolution),
        **more,
    )


@contextmanager
def told_of_another() -> Iterator[None]:
    """Raises CannotResolve where somebody was quicker, as the database judges."""
    try:
        yield
    except IntegrityError as error:
        conflict = _CONFLICTS.get(violated_constraint(error) or "")
        if conflict is None:
            raise
        raise CannotResolve(conflict) from None


@contextmanager
def all_or_nothing() -> Iterator[None]:
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
