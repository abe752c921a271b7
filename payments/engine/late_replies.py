"""Replies that come late: to a sender that has lost the lease, or found on an earlier attempt.

A late reply is recorded on its attempt, where the operation's holder reads it. If the operation has no
holder, the reply is applied at once: a 200 settles an operation under review too. A late reply that
contradicts what is recorded opens a case.
"""

import structlog
from django.db.models import Q

from payments.domain.meanings import says_done
from payments.domain.outcomes import Checks, Final, outcome_of
from payments.domain.replies import Approval, describe, evidence_of
from payments.domain.states import UNFINISHED_OPERATIONS, OperationKind, OperationState
from payments.engine import claim
from payments.engine.abilities import abilities_of
from payments.engine.attempts import AttemptEnd, record_end_of_attempt
from payments.engine.conclude import Locked, RecordedOperation, conclude, name_success
from payments.engine.history import LateReply, late_reply_of
from payments.engine.leases import Lease
from payments.models import Discrepancy, Event, Operation, Payment
from payments.models.discrepancies import LATE_REPLY

log = structlog.get_logger("payments.operations")


def record_late(locked: Locked, lease: Lease, ended: AttemptEnd) -> RecordedOperation:
    """Record the end of an attempt whose sender has lost the lease.

    The reply is recorded on its attempt, for the operation's holder. If there is no holder and the reply
    settles the operation, it is applied here: no process takes an operation under review by itself.
    """
    record_end_of_attempt(lease, ended, is_late=True)
    payment, operation = locked.payment, locked.operation
    is_nobodys = operation.lease_expires_at <= locked.at or operation.state == OperationState.NEEDS_REVIEW
    if operation.state in UNFINISHED_OPERATIONS and is_nobodys:
        late = late_reply_of(operation, locked.at)
        if late is not None:
            return adopt(locked, late)
    if operation.state == OperationState.SUCCEEDED and isinstance(ended.reply, Approval):
        if not operation.bank_reference:
            _name_late(payment, operation, lease, ended.reply)
    else:
        contradict(payment, operation, lease, ended)
    log.warning("reply_not_applied", operation=operation.pk.hex, reply=describe(ended.reply))
    operation.payment = payment
    return RecordedOperation(operation, payment, claim.stored_response(operation))


def adopt(locked: Locked, late: LateReply) -> RecordedOperation:
    """Settle an unfinished operation with a late reply."""
    operation = locked.operation
    kind = OperationKind(operation.kind)
    outcome = outcome_of(kind, late.reply, late.history, Checks())
    assert isinstance(outcome, Final)  # noqa: S101 - an approval, or the last word of a bank without keys
    # A sender that is still waiting will record its reply as late.
    operation.lease_epoch += 1
    operation.save(update_fields=["lease_epoch"])
    log.info("late_reply_adopted", operation=operation.pk.hex, reply=describe(late.reply))
    evidence = {"attempt": late.attempt, **evidence_of(late.reply)}
    return conclude(locked, outcome, evidence=evidence)


def _name_late(payment: Payment | None, operation: Operation, lease: Lease, reply: Approval) -> None:
    """Fill in the bank's id, which was not known when the success was deduced."""
    name_success(payment, operation, reply.reference)
    Event.objects.create(
        payment=payment,
        operation=operation,
        type=Event.Type.REFERENCE_FOUND,
        actor=operation.actor,
        request_id=operation.request_id,
        evidence={"attempt": lease.attempt, **evidence_of(reply)},
    )


def contradict(payment: Payment | None, operation: Operation, lease: Lease, ended: AttemptEnd) -> None:
    """Open a case where a late reply says that the bank executed what is recorded as not executed.

    Not for a hold that the bank can void, which `late_holds` handles, and not for a release.
    """
    can_void = abilities_of(operation.bank).can(OperationKind.VOID)
    if (
        operation.state not in (OperationState.NOT_EXECUTED, OperationState.REJECTED)
        or operation.kind == OperationKind.RELEASE
        or (operation.kind == OperationKind.AUTHORIZE and can_void)
        or not says_done(OperationKind(operation.kind), ended.reply.said)
    ):
        return
    siblings = Operation.objects.filter(payment=payment, kind=operation.kind, state=OperationState.SUCCEEDED)
    if isinstance(ended.reply, Approval):
        # An approval has a reference: it is in our books if a success has the same one, or none yet.
        same = Q(bank_reference__in=["", ended.reply.reference])
        siblings = siblings.filter(same | Q(bank_idempotency_key=operation.bank_idempotency_key))
    known = operation.discrepancies.filter(kind=LATE_REPLY, closed_at=None)
    if siblings.exists() or known.exists():
        return
    evidence = {"attempt": lease.attempt, **evidence_of(ended.reply)}
    Discrepancy.objects.create(kind=LATE_REPLY, operation=operation, payment=payment, evidence=evidence)
    Event.objects.create(
        payment=payment,
        operation=operation,
        type=Event.Type.LATE_REPLY_FOUND,
        actor=operation.actor,
        request_id=operation.request_id,
        evidence=evidence,
    )
