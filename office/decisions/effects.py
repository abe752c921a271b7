"""What a resolution does once it is decided, inside the transaction that decides it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from office.decisions import evidence
from office.decisions.evidence import Evidence, Kind
from office.log.staff import Staff
from payments.domain.ids import new_id
from payments.domain.outcomes import Final, NotExecuted, Succeeded
from payments.domain.states import OperationKind, OperationState
from payments.engine import claim, conclude
from payments.engine.conclude import Outdated, Settle
from payments.models import Discrepancy, Event, Operation, Resolution
from payments.models.clock import ClockTimestamp
from payments.models.discrepancies import LATE_ANSWER
from payments.usecases import holds, recovery
from payments.usecases.holds import Hold

_BY_PEOPLE = "found_by_people"  # why an operation is NOT_EXECUTED; the event says on what evidence


@dataclass(frozen=True)
class Decided:
    """A resolution, who has decided it, and which state of the operation they have seen."""

    staff: Staff
    resolution: Resolution
    seen_epoch: int | None

    @property
    def operation(self) -> Operation:
        operation = self.resolution.operation
        assert operation is not None  # noqa: S101 - verified
        return operation


def apply(decided: Decided) -> str:
    """Do it; what came of it, to end a sentence with.

    Raises Outdated, or CannotResolve, where things have changed since they were verified.
    """
    return _EFFECTS[decided.resolution.kind](decided)


def told(resolution: Resolution) -> dict[str, Any]:
    """What an event tells of a resolution: who has proposed it, why, and on what evidence."""
    known: dict[str, Any] = {
        "resolution": resolution.pk,
        "kind": resolution.kind,
        "reason": resolution.reason,
        "reference": resolution.reference,
        "executed_at": resolution.executed_at and resolution.executed_at.isoformat(timespec="seconds"),
        "evidence": resolution.evidence,
        "attempt": resolution.attempt,
        "quote": resolution.quote,
        "covers_from": resolution.covers_from and resolution.covers_from.isoformat(),
        "covers_to": resolution.covers_to and resolution.covers_to.isoformat(),
        "proposed_by": resolution.proposed_by.get_username(),
    }
    return {name: value for name, value in known.items() if value}


def _record_reference(decided: Decided) -> str:
    operation, reference = decided.operation, decided.resolution.reference
    if operation.state == OperationState.SUCCEEDED:
        conclude.fill_in_reference(operation.pk, reference)
    else:
        settle = recovery.SETTLE[OperationKind(operation.kind)]
        _conclude(decided, Succeeded(reference), settle=_when_executed(decided.resolution, settle))
    return "done."


def _when_executed(resolution: Resolution, settle: Settle) -> Settle:
    """The same, at the time at which the bank did it: never after now, nor before what it follows."""

    def at_the_banks_time(operation: Operation, outcome: Final, at: datetime) -> Event.Type:
        payment = operation.claimed_payment
        begun = payment.captured_at or payment.authorized_at or payment.created_at
        executed = resolution.executed_at or at
        return settle(operation, outcome, min(max(executed, begun), at))

    return at_the_banks_time


def _record_not_executed(decided: Decided) -> str:
    # What no statement has ruled out may be a hold that nobody knows of.
    is_statement = decided.resolution.evidence == Evidence.STATEMENT
    unseen = decided.operation.kind == OperationKind.AUTHORIZE and not is_statement
    strays = max(1, decided.operation.silent_attempts) if unseen else 0
    _conclude(decided, NotExecuted("found by people", strays, code=_BY_PEOPLE))
    return "done."


def _record_voided(decided: Decided) -> str:
    if decided.operation.kind == OperationKind.CAPTURE:
        _conclude(decided, NotExecuted("the hold was voided", code=_BY_PEOPLE), settle=_voided_instead)
    else:
        _conclude(decided, Succeeded(""))
    return "done."


def _voided_instead(operation: Operation, _outcome: Final, at: datetime) -> Event.Type:
    operation.claimed_payment.become_voided(reference="", at=at)
    return Event.Type.PAYMENT_VOIDED


def _record_captured(decided: Decided) -> str:
    """The bank had captured before the void: a capture that we never sent stands in the books for that."""
    void, resolution = decided.operation, decided.resolution
    _conclude(decided, NotExecuted("captured at the bank", code=_BY_PEOPLE))
    operation_id = new_id()
    Operation.objects.create(
        id=operation_id,
        payment_id=void.payment_id,
        kind=OperationKind.CAPTURE,
        bank=void.bank,
        amount_minor=void.amount_minor,
        currency=void.currency,
        target_reference=void.target_reference,
        bank_idempotency_key=claim.own_bank_key(operation_id),
        lease_expires_at=ClockTimestamp(),
        actor=decided.staff.actor,
        request_id=decided.staff.request_id,
    )
    conclude.conclude_by_hand(
        operation_id,
        Succeeded(resolution.reference),
        _when_executed(resolution, recovery.SETTLE[OperationKind.CAPTURE]),
        seen_epoch=1,
        actor=decided.staff.actor,
        request_id=decided.staff.request_id,
        evidence=told(resolution),
    )
    return "done."


def _settle_late_answer(decided: Decided) -> str:
    late = Discrepancy.objects.filter(operation=decided.operation, kind=LATE_ANSWER, closed_at=None)
    if not late.update(closed_at=ClockTimestamp()):
        raise Outdated("There is no late answer to settle any more.")
    return "done."


def _void_hold(decided: Decided) -> str:
    resolution = decided.resolution
    evidence.check_not_released(resolution.bank, resolution.reference)
    holds.request_release_of_stray(
        Hold(resolution.bank, resolution.reference, resolution.amount_minor, resolution.currency),
        actor=decided.staff.actor,
        because=f"resolution {resolution.pk}: {resolution.reason}",
        request_id=decided.staff.request_id,
    )
    return "recorded. Recovery sends it within seconds; search for the hold to see what came of it."


_EFFECTS: dict[str, Callable[[Decided], str]] = {
    Kind.RECORD_REFERENCE: _record_reference,
    Kind.RECORD_NOT_EXECUTED: _record_not_executed,
    Kind.RECORD_VOIDED: _record_voided,
    Kind.RECORD_CAPTURED: _record_captured,
    Kind.SETTLE_LATE_ANSWER: _settle_late_answer,
    Kind.VOID_HOLD: _void_hold,
}


def _conclude(decided: Decided, outcome: Succeeded | NotExecuted, settle: Settle | None = None) -> None:
    operation = decided.operation
    conclude.conclude_by_hand(
        operation.pk,
        outcome,
        settle or recovery.SETTLE[OperationKind(operation.kind)],
        seen_epoch=decided.seen_epoch,
        actor=decided.staff.actor,
        request_id=decided.staff.request_id,
        evidence=told(decided.resolution),
    )
