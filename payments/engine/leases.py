"""Leases: who may send an operation, and until when.

A lease is fenced by its epoch and judged by the database's clock. The holder also keeps a stricter deadline
on the machine's boot-time clock. That one starts before the database writes its own and also runs while the
process is suspended, so a sender that wakes too late finds that no attempt fits any more.
"""

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import DateTimeField, Exists, ExpressionWrapper, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Random

from payments.banks.base import Instruction
from payments.domain.outcomes import History
from payments.domain.replies import Approval, BankError, Decline
from payments.domain.states import UNFINISHED_OPERATIONS, OperationKind, OperationState
from payments.engine.abilities import abilities_of
from payments.engine.capacity import timing_of
from payments.engine.history import (
    LateReply,
    history_of,
    late_approvals,
    late_reply_among,
    may_send_card,
)
from payments.models import Attempt, Operation, Payment
from payments.models.clock import ClockTimestamp, clock_in
from payments.models.guards import database_is_away


@dataclass(frozen=True)
class Lease:
    """The right to send one attempt of an operation."""

    operation_id: UUID
    payment_id: UUID | None
    bank: str
    instruction: Instruction
    epoch: int
    attempt: int  # the number of the attempt recorded for it
    taken_at: float  # boot-time clock, seconds; attempts start only within a window from here
    renewed_at: float  # boot-time clock, seconds, before the database wrote the deadline
    history: History
    # No client waits and there is no card: an authorize can only be probed.
    by_recovery: bool = False
    # The rows as the fast path's intent left them.
    fresh: "Fresh | None" = None
    # The bank's reply to `attempt`, recorded after its sender lost the lease. The bank is not asked again.
    late_reply: Approval | Decline | BankError | None = None

    @property
    def is_probe(self) -> bool:
        return self.by_recovery and self.instruction.kind is OperationKind.AUTHORIZE

    @property
    def ends_at(self) -> float:
        return self.renewed_at + timing_of(self.bank).lease

    def fits_attempt(self) -> bool:
        """Whether a full attempt would end before the lease. Checked right before the first byte."""
        return boot_clock() + timing_of(self.bank).attempt <= self.ends_at


@dataclass(frozen=True)
class Fresh:
    """An operation and its payment as the intent left them."""

    payment: Payment
    operation: Operation


class CannotTake(Exception):
    """This operation could not be taken, for a reason of its own (`__cause__`). Others can be."""

    def __init__(self, operation_id: UUID) -> None:
        super().__init__(operation_id.hex)
        self.operation_id = operation_id


def boot_clock() -> float:
    """Seconds since boot, with suspended time; the monotonic clock where the system has no such clock."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)


def open_lease(operation: Operation) -> Lease:
    """Insert a new operation with its lease and its first attempt, inside the caller's transaction."""
    now = boot_clock()
    operation.lease_expires_at = clock_in(timing_of(operation.bank).lease)
    operation.save(force_insert=True)
    Attempt.objects.create(operation=operation, number=1, epoch=operation.lease_epoch)
    return first_lease(operation, taken_at=now)


def first_lease(operation: Operation, *, taken_at: float, fresh: Fresh | None = None) -> Lease:
    """The lease of an operation recorded with its first attempt. `taken_at` precedes the record."""
    history = History(cannot_ask=not abilities_of(operation.bank).knows_keys)
    return replace(_lease(operation, attempt=1, taken_at=taken_at, history=history), fresh=fresh)


def renew(lease: Lease) -> Lease | None:
    """Record the next attempt and renew the lease for it, inside the caller's transaction.

    None where the lease is lost: then nothing more may be sent.
    """
    now = boot_clock()
    renewed = Operation.objects.filter(
        pk=lease.operation_id, state__in=UNFINISHED_OPERATIONS, lease_epoch=lease.epoch
    ).update(lease_expires_at=clock_in(timing_of(lease.bank).lease))
    if not renewed:
        return None
    number = lease.attempt + 1
    Attempt.objects.create(
        operation_id=lease.operation_id, number=number, epoch=lease.epoch, is_probe=lease.is_probe
    )
    return replace(lease, attempt=number, renewed_at=now)


def take_due(*, besides: Collection[UUID] = ()) -> Lease | None:
    """Take over a due operation whose lease has expired, for recovery; None where there is none.

    Several processes may call it at the same time: each gets a different one. One transaction. Skips the
    operations in `besides`. Raises CannotTake.
    """
    due = Operation.objects.filter(Q(due_at=None) | Q(due_at__lte=ClockTimestamp())).exclude(pk__in=besides)
    return _take_over(due, by_recovery=True)


def take_with_late_reply(*, besides: Collection[UUID] = ()) -> Lease | None:
    """Take over an operation under review that a late reply settles. Otherwise like `take_due`."""
    due = Operation.objects.filter(Q(due_at=None) | Q(due_at__lte=ClockTimestamp())).exclude(pk__in=besides)
    answered = due.filter(Exists(late_approvals(OuterRef("pk"))))
    return _take_over(answered, by_recovery=True, states=(OperationState.NEEDS_REVIEW,))


def take_for_recovery(operation_id: UUID) -> Lease | None:
    """Take over this operation for recovery, due or not, under review or not. Otherwise like `take_over`."""
    chosen = Operation.objects.filter(pk=operation_id)
    return _take_over(chosen, by_recovery=True, states=UNFINISHED_OPERATIONS)


def take_over(operation_id: UUID) -> Lease | None:
    """Take over this operation for a merchant's retry, which brings the card.

    None where it has ended, its lease is still running, or the card must not be sent. One transaction.
    """
    return _take_over(Operation.objects.filter(pk=operation_id), by_recovery=False)


def take_late_look(*, besides: Collection[UUID] = ()) -> Lease | None:
    """Take an authorize that was found not executed, to probe it once more; None where none is due.

    It stays finished; the lease only prevents two looks at once. Otherwise like `take_due`.
    """
    with _raising_cannot_take() as taken, transaction.atomic(durable=True):
        now = boot_clock()
        operation = (
            Operation.objects.select_for_update(skip_locked=True, no_key=True)
            .filter(look_again_at__lte=ClockTimestamp(), lease_expires_at__lte=ClockTimestamp())
            .exclude(pk__in=besides)
            .annotate(at=ClockTimestamp())
            .order_by("look_again_at")
            .first()
        )
        if operation is None:
            return None
        taken.append(operation.pk)
        attempts = list(operation.attempts.order_by("number"))
        return _next_attempt(operation, attempts, now, at=operation.at)


def make_due(bank: str, *, within: timedelta) -> int:
    """Make every operation in doubt at the bank due within that time, spread evenly; return how many changed.

    For a bank that works again. Skips locked rows and operations that are due earlier.
    """
    soon = ExpressionWrapper(ClockTimestamp() + Random() * Value(within), output_field=DateTimeField())
    latest = clock_in(within.total_seconds())
    resting = Operation.objects.filter(bank=bank, state=OperationState.OPEN, due_at__gt=latest)
    with transaction.atomic(durable=True):
        free = resting.select_for_update(skip_locked=True, no_key=True).values("pk")
        return Operation.objects.filter(pk__in=free).update(due_at=soon)


def locked_by_others(*, since: timedelta, at_most: int) -> list[UUID]:
    """Operations in doubt that have been due for `since` and whose row another transaction has locked.

    Checks the first `at_most` due ones. `take_due` skips locked rows and cannot report them.
    """
    long_ago = ClockTimestamp() - Value(since)
    due = (
        Operation.objects.filter(state=OperationState.OPEN, lease_expires_at__lte=long_ago)
        .filter(Q(due_at=None) | Q(due_at__lte=long_ago))
        .order_by("lease_expires_at")
    )
    with transaction.atomic(durable=True):
        found = list(due.values_list("pk", flat=True)[:at_most])
        rows = Operation.objects.filter(pk__in=found)
        free = set(rows.select_for_update(skip_locked=True, no_key=True).values_list("pk", flat=True))
    return [one for one in found if one not in free]


def _take_over(
    operations: QuerySet[Operation],
    *,
    by_recovery: bool,
    states: Collection[OperationState] = (OperationState.OPEN,),
) -> Lease | None:
    with _raising_cannot_take() as taken, transaction.atomic(durable=True):
        now = boot_clock()
        operation = (
            operations.select_for_update(skip_locked=True, no_key=True)
            .filter(state__in=states, lease_expires_at__lte=ClockTimestamp())
            .annotate(at=ClockTimestamp())
            .order_by("lease_expires_at")
            .first()
        )
        if operation is None:
            return None
        taken.append(operation.pk)
        attempts = list(operation.attempts.order_by("number"))
        at = operation.at
        late = late_reply_among(operation, attempts, at)
        if late is not None:
            return _to_adopt(operation, late, now, at=at)
        if not (by_recovery or may_send_card(operation, at)):
            return None
        return _next_attempt(operation, attempts, now, at=at, by_recovery=by_recovery)


@contextmanager
def _raising_cannot_take() -> Iterator[list[UUID]]:
    """Turn an error of the block, its commit included, into CannotTake for the operation in the list.

    Otherwise one bad row would look as if nothing could be taken.
    """
    taken: list[UUID] = []
    try:
        yield taken
    except Exception as error:
        if not taken or database_is_away(error):
            raise
        raise CannotTake(taken[0]) from error


def _next_attempt(
    operation: Operation,
    attempts: list[Attempt],
    now: float,
    *,
    at: datetime,
    by_recovery: bool = True,
) -> Lease:
    """Take the operation and record another attempt. `at` is the database's time."""
    _extend(operation, at)
    number = attempts[-1].number + 1 if attempts else 1
    ends_at = at + timedelta(seconds=timing_of(operation.bank).lease)
    history = history_of(operation, attempts, at, ends_at=ends_at)
    lease = _lease(operation, attempt=number, taken_at=now, history=history)
    lease = replace(lease, by_recovery=by_recovery)
    Attempt.objects.create(
        operation=operation, number=number, epoch=operation.lease_epoch, is_probe=lease.is_probe
    )
    return lease


def _to_adopt(operation: Operation, late: LateReply, now: float, *, at: datetime) -> Lease:
    """Take the operation to apply its late reply."""
    _extend(operation, at)
    return replace(
        _lease(operation, attempt=late.attempt, taken_at=now, history=late.history),
        late_reply=late.reply,
    )


def _extend(operation: Operation, at: datetime) -> None:
    """The next epoch's lease, inside the caller's transaction, which has locked the row."""
    timing = timing_of(operation.bank)
    operation.lease_epoch += 1
    Operation.objects.filter(pk=operation.pk).update(
        lease_epoch=operation.lease_epoch,
        lease_expires_at=clock_in(timing.lease),
        # It rests even if its new holder cannot record an end.
        due_at=clock_in(timing.lease + timing.pause_after(operation.lease_epoch, at - operation.created_at)),
    )


def _lease(operation: Operation, *, attempt: int, taken_at: float, history: History) -> Lease:
    return Lease(
        operation_id=operation.id,
        payment_id=operation.payment_id,
        bank=operation.bank,
        instruction=Instruction(
            kind=OperationKind(operation.kind),
            amount_minor=operation.amount_minor,
            currency=operation.currency,
            target_reference=operation.target_reference,
            idempotency_key=operation.bank_idempotency_key,
        ),
        epoch=operation.lease_epoch,
        attempt=attempt,
        taken_at=taken_at,
        renewed_at=taken_at,
        history=history,
    )
