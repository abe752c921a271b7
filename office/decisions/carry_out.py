"""Carries out a decision. The decision commits together with its effect, or with the operation it starts."""

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
    "There is already a proposal for this. Decide that one first.",
) | {
    "one_release_per_hold": "The hold is already being released.",
    "one_operation_per_reference": "This reference belongs to another operation.",
}
_DONE = 200
_RESULTS = {
    _DONE: "done.",
    202: "sent, but the bank has not replied clearly yet. Recovery keeps asking; this page shows the result.",
    409: "not executed. The bank says that the authorization has expired. No money was taken, and the hold "
    "is released.",
    503: "not executed. The bank could not be reached or did not take it, and no money has moved. Try again "
    "later.",
}


class OutcomeUnknown(Exception):
    """The decision may or may not have been carried out. The message tells staff how to find out."""


@dataclass(frozen=True)
class Resolved:
    """The result of a decision, and the sentence that tells it to the person who decided."""

    resolution: Resolution
    said: str
    is_done: bool = True  # False while it waits for a second person or for the bank


def carry_out(
    staff: Staff, proposal: Proposal, row: Callable[[], Resolution], *, key: str, because: str = ""
) -> Resolved:
    """Decide and apply in one transaction. `row` returns the resolution inside it."""

    def decide() -> Resolution:
        decided = decide_once(staff, row(), Resolution.State.APPLIED, because)
        log_decision(
            staff, Event.Type.RESOLUTION_APPLIED, decided, **({"because": because} if because else {})
        )
        return decided

    kind = KINDS[proposal.kind]
    with conflicts_explained():
        if not isinstance(kind, Settling):
            return _instruct(staff, proposal, decide, key)
        with all_or_nothing():
            lock(proposal)
            decided = decide()
            result = kind.apply(Decided(staff, decided, proposal.seen_epoch))
        return Resolved(decided, f"{decided.get_kind_display()}: {result}")


def _instruct(staff: Staff, proposal: Proposal, decide: Callable[[], Resolution], key: str) -> Resolved:
    """Run the use case that a merchant's request runs. The resolution is decided with its intent."""
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
        # Merchants see an operation's reason; the reason of staff is for the log only.
        response = INSTRUCTIONS[proposal.kind].use_case(
            New(instruction), payment_id=payment.pk, amount_minor=proposal.amount_minor, reason=""
        )
    except Refused as refused:
        if refused.money_moved != "no":
            raise OutcomeUnknown(
                f"{refused.title}. {refused.detail} Check the payment before you decide again."
            ) from None
        raise CannotResolve(f"{refused.title}. {refused.detail}") from None
    what = Kind(proposal.kind).label
    return Resolved(
        instruction.decided[0], f"{what}: {_RESULTS[response.status]}", is_done=response.status == _DONE
    )


@dataclass(frozen=True)
class _Instruction(Command):
    """An instruction by staff on behalf of the merchant. Its resolution is decided once, with its intent."""

    key: str
    proposal: Proposal
    decide: Callable[[], Resolution]
    decided: list[Resolution] = field(default_factory=list)

    def claim(self, operation_id: UUID) -> None:
        """Raises CannotResolve if somebody else has decided it."""
        lock(self.proposal)
        self.decided[:] = [self.decide()]

    def bank_key(self, kind: OperationKind, ordinal: int) -> str:
        payment = self.proposal.payment
        assert payment is not None  # noqa: S101 - verified
        # A resolution's number is unique in this database only, and the bank may outlive the database.
        return claim.derived_bank_key("staff", payment.public_id, self.key, kind.value, ordinal)


def lock(proposal: Proposal) -> Locked | Payment | None:
    """Lock the proposal's subject. Always before the resolution, to avoid deadlocks."""
    if proposal.operation is not None:
        return conclude.lock(proposal.operation.pk, proposal.operation.payment_id)
    if proposal.payment is not None:
        return Payment.objects.select_for_update(no_key=True).get(pk=proposal.payment.pk)
    return None  # a stray hold has no row until it is released


def decide_once(staff: Staff, resolution: Resolution, state: Resolution.State, because: str) -> Resolution:
    """Decide it inside the caller's transaction. Raises CannotResolve if it is already decided."""
    decided = Resolution.objects.filter(pk=resolution.pk, state=Resolution.State.PROPOSED).update(
        state=state, decided_by_id=staff.user_id, decided_at=ClockTimestamp(), decided_because=because
    )
    if not decided:
        raise CannotResolve("This proposal is already decided.")
    return Resolution.objects.select_related("operation", "payment__merchant", "proposed_by").get(
        pk=resolution.pk
    )


def log_decision(staff: Staff, event: Event.Type, resolution: Resolution, **more: str) -> None:
    log_action(
        staff,
        event,
        payment=resolution.payment,
        operation=resolution.operation,
        **effects.evidence_of(resolution),
        **more,
    )


@contextmanager
def conflicts_explained() -> Iterator[None]:
    """Turns a unique constraint's violation, when somebody else was quicker, into CannotResolve."""
    try:
        yield
    except IntegrityError as error:
        conflict = _CONFLICTS.get(violated_constraint(error) or "")
        if conflict is None:
            raise
        raise CannotResolve(conflict) from None


@contextmanager
def all_or_nothing() -> Iterator[None]:
    """A transaction. Raises CannotResolve if it waits too long for a row that somebody else has locked."""
    try:
        with transaction.atomic(durable=True):
            yield
    except OperationalError as error:
        if not is_locked(error):
            raise
        raise CannotResolve(
            "Somebody else is working on this right now. Nothing changed. Try again."
        ) from None
