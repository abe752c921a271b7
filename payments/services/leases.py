"""Leases: who may send an operation, until when.

The database's clock judges a lease and an epoch fences it. The holder keeps a stricter end of its own,
on the machine's boot-time clock: begun before the database wrote its deadline, it also runs while the
process is stopped, so a sender that wakes too late finds that no attempt fits any more.
"""

import time
from collections.abc import Collection
from dataclasses import dataclass, replace
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, QuerySet

from payments.banks.base import Instruction
from payments.domain.outcomes import History
from payments.domain.states import OperationKind, OperationState
from payments.domain.timing import Timing
from payments.models import Attempt, Operation
from payments.models.clock import ClockTimestamp, clock_in


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

    def ends_at(self, timing: Timing) -> float:
        return self.renewed_at + timing.lease

    def fits_attempt(self, timing: Timing) -> bool:
        """Whether a full attempt still ends before the lease does. Asked right before the first byte."""
        return boot_clock() + timing.attempt <= self.ends_at(timing)


def boot_clock() -> float:
    """Seconds since boot, suspended time included; where the system has no such clock, the monotonic one."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)


def open_lease(operation: Operation, timing: Timing) -> Lease:
    """Insert a new operation with its lease and its first attempt, inside the caller's transaction."""
    now = boot_clock()
    operation.lease_expires_at = clock_in(timing.lease)
    operation.save(force_insert=True)
    Attempt.objects.create(operation=operation, number=1, epoch=operation.lease_epoch)
    return _lease(operation, attempt=1, taken_at=now, history=History())


def renew(lease: Lease, timing: Timing) -> Lease | None:
    """Record the next attempt and renew the lease for it, inside the caller's transaction.

    None where the operation is no longer this holder's: then nothing more may be sent.
    """
    now = boot_clock()
    renewed = Operation.objects.filter(
        pk=lease.operation_id, state=OperationState.OPEN, lease_epoch=lease.epoch
    ).update(lease_expires_at=clock_in(timing.lease))
    if not renewed:
        return None
    number = lease.attempt + 1
    Attempt.objects.create(operation_id=lease.operation_id, number=number, epoch=lease.epoch)
    return replace(lease, attempt=number, renewed_at=now)


def take_due(kinds: Collection[OperationKind], timing: Timing) -> Lease | None:
    """Take over one operation of these kinds whose lease has run out, or None where none is due.

    Any number of processes may ask at the same time: each gets another one. One transaction.
    """
    due = Operation.objects.filter(Q(due_at=None) | Q(due_at__lte=ClockTimestamp()), kind__in=kinds)
    return _take_over(due, timing)


def take_over(operation_id: UUID, timing: Timing) -> Lease | None:
    """Take over this operation, or None where it has ended or its lease still runs. One transaction."""
    return _take_over(Operation.objects.filter(pk=operation_id), timing)


def _take_over(operations: QuerySet[Operation], timing: Timing) -> Lease | None:
    with transaction.atomic(durable=True):
        operation = (
            operations.select_for_update(skip_locked=True, no_key=True)
            .filter(state=OperationState.OPEN, lease_expires_at__lte=ClockTimestamp())
            .order_by("lease_expires_at")
            .first()
        )
        if operation is None:
            return None
        now = boot_clock()
        attempts = list(operation.attempts.order_by("number"))
        number = attempts[-1].number + 1 if attempts else 1
        epoch = operation.lease_epoch + 1
        Operation.objects.filter(pk=operation.pk).update(
            lease_epoch=F("lease_epoch") + 1,
            lease_expires_at=clock_in(timing.lease),
            # Where its new holder cannot record an end either, it rests all the same.
            due_at=clock_in(timing.lease + timing.pause_after(epoch)),
        )
        Attempt.objects.create(operation=operation, number=number, epoch=epoch)
        operation.lease_epoch = epoch
        return _lease(operation, attempt=number, taken_at=now, history=_history_of(attempts))


def _lease(operation: Operation, *, attempt: int, taken_at: float, history: History) -> Lease:
    return Lease(
        operation_id=operation.id,
        payment_id=operation.payment_id,
        bank=operation.bank,
        instruction=Instruction(
            kind=OperationKind(operation.kind),
            amount_cents=operation.amount_cents,
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


def _history_of(attempts: list[Attempt]) -> History:
    """Of an operation that is still OPEN: whatever was sent for it is in doubt, answered or not.

    An answer that would have settled it came too late to be applied. An attempt without a recorded end
    is silent, and so is such a late 200: it may have made a hold that nobody has claimed.
    """
    return History(
        any_in_doubt=any(attempt.result != Attempt.Result.NOT_SENT for attempt in attempts),
        any_silent=any(
            attempt.result in ("", Attempt.Result.SILENT) or attempt.http_status == 200
            for attempt in attempts
        ),
    )
