"""What came of an attempt, recorded: the outcome with all its consequences in one transaction.

The payment is locked first, then the operation. Whoever has lost the lease records the bank's answer on
the attempt, and changes nothing else.
"""

import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

import structlog
from django.conf import settings
from django.db import DatabaseError, IntegrityError, InterfaceError, connection, transaction
from django.db.models import QuerySet

from payments.domain.meanings import says_done
from payments.domain.outcomes import (
    Declined,
    Final,
    InDoubt,
    NeedsReview,
    NotExecuted,
    Outcome,
    Rejected,
    ReviewReason,
    Succeeded,
    Verdict,
    leaves_doubt,
)
from payments.domain.replies import Approval, NotSent, Refusal, Reply, call_is_over, describe, is_silent
from payments.domain.states import UNFINISHED_OPERATIONS, OperationKind, OperationState
from payments.models import Attempt, Discrepancy, Event, Operation, Payment
from payments.models.clock import ClockTimestamp, clock_in
from payments.models.discrepancies import LATE_ANSWER, LATE_HOLD
from payments.models.guards import database_is_away, violated_constraint
from payments.services import idempotency, leases
from payments.services.concluding import Recorded, Settle, conclude, lock, next_look
from payments.services.leases import Lease, boot_clock
from payments.services.refusals import ServiceUnavailable

log = structlog.get_logger("payments.operations")

_DATABASE_PAUSE = 0.5  # seconds between tries to record an outcome


@dataclass(frozen=True)
class Ended:
    """An attempt's end, not yet recorded."""

    reply: Reply
    outcome: Outcome
    duration_ms: int
    breaker_was_open: bool = False  # when it began
    # The next one was to be recorded, and nobody knows whether it was; it has not been sent.
    next_is_unsent: bool = False


def record_next_attempt(lease: Lease, ended: Ended) -> Lease | None:
    """Record an attempt's end and the next one before it is sent; None where the lease is lost."""
    with transaction.atomic(durable=True):
        _end_attempt(lease, ended)
        renewed = leases.renew(lease, settings.BANK_TIMING)
    if renewed is None:
        log.warning("lease_lost", operation=lease.operation_id.hex, epoch=lease.epoch)
        return None
    if lease.is_probe:  # it asks about what the instructions have left, and adds nothing to it
        return replace(renewed, history=lease.history)
    return replace(renewed, history=lease.history.after(ended.reply, ended.outcome))


def record_end(lease: Lease, ended: Ended, settle: Settle) -> Recorded:
    """Record the last attempt's end. While the database is away it is kept in memory and tried again.

    Raises ServiceUnavailable where that takes longer than the lease.
    """
    while True:
        try:
            match ended.outcome:
                case InDoubt():
                    return _leave_open(lease, ended)
                case NeedsReview() as review:
                    return _hand_over(lease, ended, review)
                case Succeeded() | Declined() | Rejected() | NotExecuted() as outcome:
                    return _finish(lease, ended, outcome, settle)
                case _:
                    assert_never(ended.outcome)
        except IntegrityError as error:
            if violated_constraint(error) != "one_payment_per_hold":
                raise
            # The bank names a hold that another payment has. That is no slip to be asked about again.
            ended = replace(ended, outcome=NeedsReview(ReviewReason.CONTRADICTION))
        except (DatabaseError, InterfaceError) as error:
            if not database_is_away(error):
                raise
            connection.close()
            if boot_clock() + _DATABASE_PAUSE >= lease.ends_at(settings.BANK_TIMING):
                log.error("outcome_not_recorded", operation=lease.operation_id.hex)
                raise ServiceUnavailable(
                    "The bank has answered, but its answer could not be recorded. Recovery will find it."
                ) from error
            log.warning("database_away", operation=lease.operation_id.hex)
            time.sleep(_DATABASE_PAUSE)


def _finish(lease: Lease, ended: Ended, outcome: Final, settle: Settle) -> Recorded:
    """The outcome with all its consequences, in one transaction: payment locked first, then operation."""
    with transaction.atomic(durable=True):
        payment, operation = lock(lease.operation_id, lease.payment_id)
        at: datetime = vars(operation)["at"]
        if not _still_held(operation, lease):
            # Somebody else holds it by now, or it is recorded already and only the commit's echo was lost.
            # Either way the answer stands on its attempt, for whoever holds the operation to read.
            _end_attempt(lease, ended, is_late=True)
            _contradict(payment, operation, lease, ended)
            log.warning("answer_not_applied", operation=lease.operation_id.hex, reply=describe(ended.reply))
            operation.payment = payment
            return Recorded(operation, payment, idempotency.stored_answer(operation))
        _end_attempt(lease, ended)
        evidence = {"attempt": lease.attempt, **_evidence(ended.reply)}
        return conclude(payment, operation, outcome, settle, at, evidence=evidence)


def _still_held(operation: Operation, lease: Lease) -> bool:
    return operation.state in UNFINISHED_OPERATIONS and operation.lease_epoch == lease.epoch


def _contradict(payment: Payment | None, operation: Operation, lease: Lease, ended: Ended) -> None:
    """A late answer that something was done which is recorded as not executed. That needs people.

    A hold that comes so late has its own case (`late_holds`); one that is freed after all needs nobody.
    """
    if (
        operation.state not in (OperationState.NOT_EXECUTED, OperationState.REJECTED)
        or operation.kind in (OperationKind.AUTHORIZE, OperationKind.RELEASE)
        or not says_done(OperationKind(operation.kind), ended.reply)
    ):
        return
    siblings = Operation.objects.filter(payment=payment, kind=operation.kind, state=OperationState.SUCCEEDED)
    known = operation.discrepancies.filter(kind=LATE_ANSWER, closed_at=None)
    if siblings.exists() or known.exists():
        return
    evidence = {"attempt": lease.attempt, **_evidence(ended.reply)}
    Discrepancy.objects.create(kind=LATE_ANSWER, operation=operation, payment=payment, evidence=evidence)
    Event.objects.create(
        payment=payment,
        operation=operation,
        type=Event.Type.LATE_ANSWER_FOUND,
        actor=operation.actor,
        request_id=operation.request_id,
        evidence=evidence,
    )


def _hand_over(lease: Lease, ended: Ended, review: NeedsReview) -> Recorded:
    """The machine's last word on an operation: people, or a statement, settle it."""
    with transaction.atomic(durable=True):
        payment, operation = lock(lease.operation_id, lease.payment_id)
        held = _still_held(operation, lease)
        _end_attempt(lease, ended, is_late=not held)
        if not held:
            _contradict(payment, operation, lease, ended)
        operation.payment = payment
        if held and call_is_over(ended.reply):
            operation.lease_expires_at = vars(operation)["at"]
            operation.save(update_fields=["lease_expires_at"])
        if held and _is_news(operation, review):
            evidence = {"attempt": lease.attempt, "reason": review.reason.value, **_evidence(ended.reply)}
            if operation.state == OperationState.OPEN:
                operation.become_needs_review()
                operation.save(update_fields=["state"])
            _reviews_of(operation).update(closed_at=vars(operation)["at"])
            Discrepancy.objects.create(
                kind=review.reason.value, operation=operation, payment=payment, evidence=evidence
            )
            Event.objects.create(
                payment=payment,
                operation=operation,
                type=Event.Type.OPERATION_NEEDS_REVIEW,
                at=vars(operation)["at"],
                actor=operation.actor,
                request_id=operation.request_id,
                evidence=evidence,
            )
        kept = None if held else idempotency.stored_answer(operation)
    log.warning("needs_review", operation=lease.operation_id.hex, reason=review.reason.value)
    return Recorded(operation, payment, kept)


def _reviews_of(operation: Operation) -> QuerySet[Discrepancy]:
    """Why it is under review. A late hold is why its release exists."""
    return operation.discrepancies.filter(closed_at=None).exclude(kind=LATE_HOLD)


def _is_news(operation: Operation, review: NeedsReview) -> bool:
    """Whether people do not know it yet: the first time, or when the bank says something else than before.

    That it cannot be asked any more takes nothing back of what it has said.
    """
    known = _reviews_of(operation).first()
    return operation.state == OperationState.OPEN or (
        known is not None
        and known.kind != review.reason.value
        and review.reason != ReviewReason.TOO_OLD_TO_ASK
    )


def record_look(lease: Lease, ended: Ended) -> None:
    """Record what a late look has found, and when the next one is due."""
    found = isinstance(ended.outcome, Succeeded)
    is_certain = _verdict(ended.outcome) is not None or isinstance(ended.outcome, NeedsReview)
    with transaction.atomic(durable=True):
        _, operation = lock(lease.operation_id, lease.payment_id)
        _end_attempt(lease, ended, is_late=found)
        if operation.lease_epoch != lease.epoch:
            return
        at: datetime = vars(operation)["at"]
        pause = timedelta(seconds=settings.BANK_TIMING.due_cap)
        again = next_look(operation, at) if is_certain else at + pause
        Operation.objects.filter(pk=operation.pk).update(
            look_again_at=None if found else again, lease_expires_at=ClockTimestamp()
        )


def _leave_open(lease: Lease, ended: Ended) -> Recorded:
    """Record the attempt's end: the operation stays in doubt, and due later.

    The lease is let go of, unless the bank may still be working on the call that was given up: then
    nobody may send before the lease has run out.
    """
    retry_after = ended.outcome.retry_after if isinstance(ended.outcome, InDoubt) else None
    with transaction.atomic(durable=True):
        _end_attempt(lease, ended)
        is_left = Operation.objects.filter(
            pk=lease.operation_id, state__in=UNFINISHED_OPERATIONS, lease_epoch=lease.epoch
        ).update(
            due_at=clock_in(max(settings.BANK_TIMING.pause_after(lease.epoch), retry_after or 0)),
            **({"lease_expires_at": ClockTimestamp()} if call_is_over(ended.reply) else {}),
        )
        if not is_left and isinstance(ended.reply, Refusal):
            payment, operation = lock(lease.operation_id, lease.payment_id)
            _contradict(payment, operation, lease, ended)
    log.warning("left_in_doubt", operation=lease.operation_id.hex, reply=describe(ended.reply))
    return read(lease)


def _end_attempt(lease: Lease, ended: Ended, *, is_late: bool = False) -> None:
    reply = ended.reply
    if isinstance(reply, NotSent):
        result = Attempt.Result.NOT_SENT
    elif is_silent(reply):
        result = Attempt.Result.SILENT
    else:
        result = Attempt.Result.ANSWERED
    evidence = _evidence(reply)
    Attempt.objects.filter(operation_id=lease.operation_id, number=lease.attempt, ended_at=None).update(
        ended_at=ClockTimestamp(),
        result=result,
        in_doubt=leaves_doubt(reply, ended.outcome),
        is_over=call_is_over(reply),
        http_status=evidence.get("status"),
        reply=evidence["reply"],
        bank_reference=evidence.get("reference", ""),
        is_replay=evidence.get("replayed"),
        duration_ms=ended.duration_ms,
        verdict=_verdict(ended.outcome) or "",
        is_late=is_late,
        hold_expires_at=reply.expires_at if isinstance(reply, Approval) else None,
    )
    if ended.next_is_unsent:
        Attempt.objects.filter(
            operation_id=lease.operation_id, number=lease.attempt + 1, epoch=lease.epoch, ended_at=None
        ).update(
            ended_at=ClockTimestamp(),
            result=Attempt.Result.NOT_SENT,
            in_doubt=False,
            reply="its record was in doubt",
            duration_ms=0,
        )


def _verdict(outcome: Outcome) -> Verdict | None:
    return outcome.verdict if isinstance(outcome, InDoubt | NeedsReview | NotExecuted) else None


def _evidence(reply: Reply) -> dict[str, str | int | bool]:
    """What the bank said, as far as it may be kept: its status, code and reference, not its prose."""
    evidence: dict[str, str | int | bool] = {"reply": describe(reply)[:200]}
    if not isinstance(reply, NotSent) and reply.status is not None:
        evidence["status"] = reply.status
    if isinstance(reply, Approval):
        evidence |= {"reference": reply.reference, "replayed": reply.replayed}
    return evidence


def read(lease: Lease) -> Recorded:
    """Both rows as they are now, in one statement, and the answer that is kept if it has ended."""
    operation = Operation.objects.select_related("payment").get(pk=lease.operation_id)
    kept = None if operation.state == OperationState.OPEN else idempotency.stored_answer(operation)
    return Recorded(operation, operation.payment, kept)
