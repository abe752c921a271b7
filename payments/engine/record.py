"""Record the end of an attempt: the outcome with all its consequences in one transaction.

The payment is locked first, then the operation. What a sender that has lost the lease does with the bank's
reply is in `late_replies`.
"""

import random
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import assert_never

import structlog
from django.core.exceptions import ObjectDoesNotExist
from django.db import DatabaseError, IntegrityError, InterfaceError, connection, transaction
from django.db.models import QuerySet

from payments.domain.outcomes import (
    Declined,
    Final,
    InDoubt,
    NeedsReview,
    NotExecuted,
    Rejected,
    ReviewReason,
    Succeeded,
)
from payments.domain.patience import hurried
from payments.domain.replies import DENIALS, Approval, Reply, call_is_over, describe, evidence_of
from payments.domain.states import UNFINISHED_OPERATIONS, OperationState
from payments.engine import claim, fast_path, leases, orphan_replies
from payments.engine.attempts import AttemptEnd, record_end_of_attempt
from payments.engine.capacity import timing_of
from payments.engine.conclude import (
    Locked,
    RecordedOperation,
    conclude,
    lock_at_once,
    next_look,
)
from payments.engine.history import late_reply_of
from payments.engine.late_replies import adopt, contradict, record_late
from payments.engine.leases import Lease, boot_clock
from payments.engine.refusals import ServiceUnavailable
from payments.models import Attempt, Discrepancy, Event, Operation
from payments.models.clock import ClockTimestamp, clock_in
from payments.models.discrepancies import LATE_HOLD
from payments.models.guards import database_is_away, violated_constraint, waited_in_vain
from payments.models.patience import wait_briefly

log = structlog.get_logger("payments.operations")

_DATABASE_PAUSE = 0.5  # seconds between tries to record an outcome
_LOCK_PAUSE = 0.1  # likewise, while another transaction has locked a row; with jitter
_LOCK_PATIENCE = 3.0  # seconds until the reply is put down on its attempt, beside the locked row
_READ_PATIENCE = 3.0  # seconds; a read by primary key takes milliseconds


def record_next_attempt(lease: Lease, ended: AttemptEnd) -> Lease | None:
    """Record an attempt's end, and the next attempt before it is sent; None where the lease is lost."""
    with transaction.atomic(durable=True):
        record_end_of_attempt(lease, ended)
        renewed = leases.renew(lease)
    if renewed is None:
        log.warning("lease_lost", operation=lease.operation_id.hex, epoch=lease.epoch)
        return None
    if lease.is_probe:  # a probe asks about the earlier attempts and adds no doubt of its own
        return replace(renewed, history=lease.history)
    return replace(renewed, history=lease.history.after(ended.reply, ended.outcome))


def record_end(lease: Lease, ended: AttemptEnd) -> RecordedOperation:
    """Record the last attempt's end with its outcome.

    Raises ServiceUnavailable where the database is away for longer than the lease or has lost the rows.
    """
    return fast_path.conclude(lease, ended) or _record_with_retries(
        lease, ended, partial(_record, lease, ended)
    )


def _record_with_retries(
    lease: Lease, ended: AttemptEnd, record: Callable[[], RecordedOperation]
) -> RecordedOperation:
    """Call `record` until it succeeds, for as long as the lease lasts.

    Where another transaction keeps a row locked, the end is put down on its attempt alone, for the next
    holder of the operation. A reply that cannot be recorded in time becomes an orphan: ServiceUnavailable.
    """
    begun = boot_clock()
    while True:
        try:
            return record()
        except ObjectDoesNotExist as error:
            _orphan(lease, ended, record)
            raise ServiceUnavailable(_LOST) from error
        except Exception as error:
            connection.close()
            is_stuck = waited_in_vain(error)
            if not is_stuck and not database_is_away(error):
                # A defect of ours must not lose the reply.
                if not _put_down(lease, ended):
                    _orphan(lease, ended, record)
                raise
            if is_stuck and boot_clock() - begun > _LOCK_PATIENCE and _put_down(lease, ended):
                return read(lease)
            pause = _LOCK_PAUSE * random.uniform(0.5, 2) if is_stuck else _DATABASE_PAUSE  # noqa: S311
            if boot_clock() + pause >= lease.ends_at:
                _orphan(lease, ended, record)
                raise ServiceUnavailable(_AWAY) from error
            if not is_stuck:
                log.warning("database_away", operation=lease.operation_id.hex)
            time.sleep(pause)


_AWAY = "The bank has replied, but FicPay could not record its reply. Recovery will find it."
_LOST = "FicPay's database lost its record of this request while the bank was being asked."


def _record(lease: Lease, ended: AttemptEnd) -> RecordedOperation:
    """Try once. Raises DoesNotExist where the rows are gone; database errors pass through."""
    try:
        match ended.outcome:
            case InDoubt():
                return _leave_open(lease, ended)
            case NeedsReview() as review:
                return _hand_over(lease, ended, review)
            case Succeeded() | Declined() | Rejected() | NotExecuted() as outcome:
                return _finish(lease, ended, outcome)
            case _:
                assert_never(ended.outcome)
    except IntegrityError as error:
        if violated_constraint(error) not in ("one_payment_per_hold", "one_operation_per_reference"):
            raise
        # The bank's reference belongs to another payment or operation. Asking again would not help.
        review = NeedsReview(ReviewReason.CONTRADICTION)
        return _hand_over(lease, replace(ended, outcome=review), review)


def _orphan(lease: Lease, ended: AttemptEnd, record: Callable[[], RecordedOperation]) -> None:
    """Keep the reply in memory, and record or file it as soon as the database is back."""

    def record_or_put_down() -> None:
        try:
            record()
        except (DatabaseError, InterfaceError) as error:
            connection.close()
            if not (waited_in_vain(error) and _put_down(lease, ended)):
                raise

    orphan_replies.keep(lease, ended.reply, record=record_or_put_down)


def _put_down(lease: Lease, ended: AttemptEnd) -> bool:
    """Record the end on the attempt alone; whether that succeeded. The operation's next holder continues.

    It applies a 200 without asking the bank. After any other reply it asks again, if the bank can be asked.
    """
    is_last_word = lease.history.cannot_ask and ended.reply.said in DENIALS
    is_kept = isinstance(ended.reply, Approval) or is_last_word
    try:
        with transaction.atomic(durable=True):
            record_end_of_attempt(lease, ended, is_late=is_kept)
            is_there = Attempt.objects.filter(operation=lease.operation_id, number=lease.attempt).exists()
    except (DatabaseError, InterfaceError):
        connection.close()
        return False
    if is_there:
        log.warning("reply_put_down", operation=lease.operation_id.hex, reply=describe(ended.reply))
        _let_go(lease, ended.reply)
    return is_there


def _let_go(lease: Lease, reply: Reply) -> None:
    """Give up the lease. If the operation's row is locked, the lease runs out by itself."""
    try:
        with transaction.atomic(durable=True):
            wait_briefly(_LOCK_PAUSE)
            Operation.objects.filter(
                pk=lease.operation_id, state__in=UNFINISHED_OPERATIONS, lease_epoch=lease.epoch
            ).update(
                due_at=clock_in(timing_of(lease.bank).pause_after(lease.epoch)),
                **({"lease_expires_at": ClockTimestamp()} if call_is_over(reply) else {}),
            )
    except (DatabaseError, InterfaceError):
        connection.close()


def _finish(lease: Lease, ended: AttemptEnd, outcome: Final) -> RecordedOperation:
    """Record the outcome with all its consequences, in one transaction."""
    with transaction.atomic(durable=True):
        locked = lock_at_once(lease.operation_id, lease.payment_id)
        if not _still_held(locked.operation, lease):
            # Another process holds it by now, or the commit succeeded and only its confirmation was lost.
            return record_late(locked, lease, ended)
        record_end_of_attempt(lease, ended)
        if not isinstance(outcome, Succeeded):
            late = late_reply_of(locked.operation, locked.at)
            if late is not None:
                return adopt(locked, late)
        evidence = {"attempt": lease.attempt, **evidence_of(ended.reply)}
        return conclude(locked, outcome, evidence=evidence)


def _still_held(operation: Operation, lease: Lease) -> bool:
    return operation.state in UNFINISHED_OPERATIONS and operation.lease_epoch == lease.epoch


def _hand_over(lease: Lease, ended: AttemptEnd, review: NeedsReview) -> RecordedOperation:
    """Put an operation under review: staff or a statement settle it."""
    with transaction.atomic(durable=True):
        locked = lock_at_once(lease.operation_id, lease.payment_id)
        payment, operation = locked.payment, locked.operation
        if not _still_held(operation, lease):
            return record_late(locked, lease, ended)
        record_end_of_attempt(lease, ended)
        late = late_reply_of(operation, locked.at)
        if late is not None and not isinstance(ended.reply, Approval):  # whose hold another payment has
            return adopt(locked, late)
        operation.payment = payment
        if call_is_over(ended.reply):
            operation.lease_expires_at = locked.at
            operation.save(update_fields=["lease_expires_at"])
        if _is_news(operation, review):
            _open_review(locked, lease, ended, review)
    log.warning("needs_review", operation=lease.operation_id.hex, reason=review.reason.value)
    return RecordedOperation(operation, payment, None)


def _open_review(locked: Locked, lease: Lease, ended: AttemptEnd, review: NeedsReview) -> None:
    payment, operation = locked.payment, locked.operation
    evidence = {"attempt": lease.attempt, "reason": review.reason.value, **evidence_of(ended.reply)}
    if operation.state == OperationState.OPEN:
        operation.become_needs_review()
        operation.save(update_fields=["state"])
    _reviews_of(operation).update(closed_at=locked.at)
    Discrepancy.objects.create(
        kind=review.reason.value, operation=operation, payment=payment, evidence=evidence
    )
    Event.objects.create(
        payment=payment,
        operation=operation,
        type=Event.Type.OPERATION_NEEDS_REVIEW,
        at=locked.at,
        actor=operation.actor,
        request_id=operation.request_id,
        evidence=evidence,
    )


def _reviews_of(operation: Operation) -> QuerySet[Discrepancy]:
    """The open cases for which it is under review. A late hold is a release's cause, not a review."""
    return operation.discrepancies.filter(closed_at=None).exclude(kind=LATE_HOLD)


def _is_news(operation: Operation, review: NeedsReview) -> bool:
    """Whether staff do not know it yet: the first review, or another reason than before.

    That the bank cannot be asked any more does not replace an earlier reason.
    """
    known = _reviews_of(operation).first()
    return operation.state == OperationState.OPEN or (
        known is not None
        and known.kind != review.reason.value
        and review.reason not in (ReviewReason.TOO_OLD_TO_ASK, ReviewReason.CANNOT_ASK)
    )


def record_look(lease: Lease, ended: AttemptEnd) -> None:
    """Record what a late look found and when the next one is due. Raises like `record_end`."""
    _record_with_retries(lease, ended, partial(_record_look, lease, ended))


def _record_look(lease: Lease, ended: AttemptEnd) -> RecordedOperation:
    found = isinstance(ended.outcome, Succeeded)
    is_certain = ended.verdict is not None or isinstance(ended.outcome, NeedsReview)
    with transaction.atomic(durable=True):
        locked = lock_at_once(lease.operation_id, lease.payment_id)
        operation, at = locked.operation, locked.at
        record_end_of_attempt(lease, ended, is_late=found)
        if operation.lease_epoch == lease.epoch:
            pause = timing_of(lease.bank).pause_after(lease.epoch, at - operation.created_at)
            again = next_look(operation, at) if is_certain else at + timedelta(seconds=pause)
            Operation.objects.filter(pk=operation.pk).update(
                look_again_at=None if found else again, lease_expires_at=ClockTimestamp()
            )
    return RecordedOperation(operation, locked.payment)


def _leave_open(lease: Lease, ended: AttemptEnd) -> RecordedOperation:
    """Record the attempt's end; the operation stays in doubt and is due again later.

    Gives up the lease, unless the bank may still be working on the call: then nothing may be sent before the
    lease runs out.
    """
    with transaction.atomic(durable=True):
        record_end_of_attempt(lease, ended)
        held = (
            Operation.objects.select_for_update(no_key=True, nowait=True)
            .filter(pk=lease.operation_id, state__in=UNFINISHED_OPERATIONS, lease_epoch=lease.epoch)
            .annotate(at=ClockTimestamp())
            .first()
        )
        if held is not None:
            at = held.at
            has_late_reply = late_reply_of(held, at) is not None  # the next holder applies it
            held.due_at = (
                at if has_late_reply else at + timedelta(seconds=_rest(lease, ended, at - held.created_at))
            )
            if call_is_over(ended.reply):
                held.lease_expires_at = at
            held.save(update_fields=["due_at", "lease_expires_at"])
        elif ended.reply.said in DENIALS:
            locked = lock_at_once(lease.operation_id, lease.payment_id)
            contradict(locked.payment, locked.operation, lease, ended)
    log.warning("left_in_doubt", operation=lease.operation_id.hex, reply=describe(ended.reply))
    return _read(lease)


def _rest(lease: Lease, ended: AttemptEnd, age: timedelta) -> float:
    """Seconds until the bank is asked again about an operation of this age.

    A contradiction or a negative probe is followed up as soon as its repetition counts.
    """
    outcome = ended.outcome
    asked_for = outcome.retry_after if isinstance(outcome, InDoubt) else None
    if asked_for is not None and ended.verdict is not None:
        return asked_for
    return max(timing_of(lease.bank).pause_after(lease.epoch, age), asked_for or 0)


def read(lease: Lease) -> RecordedOperation:
    """Both rows as they are now, and the stored response if the operation has ended.

    Raises ServiceUnavailable where the database has lost the rows.
    """
    try:
        with hurried(_READ_PATIENCE):
            return _read(lease)
    except ObjectDoesNotExist as error:
        raise ServiceUnavailable(_LOST) from error


def _read(lease: Lease) -> RecordedOperation:
    operation = Operation.objects.select_related("payment").get(pk=lease.operation_id)
    kept = None if operation.state == OperationState.OPEN else claim.stored_response(operation)
    return RecordedOperation(operation, operation.payment, kept)
