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
from payments.domain.meanings import says_already, says_done
from payments.domain.outcomes import History, Verdict
from payments.domain.replies import DENIALS, ISSUERS, Approval, BankError, Decline, Said
from payments.domain.states import UNFINISHED_OPERATIONS, OperationKind, OperationState
from payments.domain.timing import (
    CONTRADICTIONS_APART,
    NEGATIVE_PROBES_APART,
    SILENT_ATTEMPTS_WITH_CARD,
)
from payments.engine.abilities import abilities_of
from payments.engine.capacity import timing_of
from payments.models import Attempt, Operation, Payment, bank_key_age
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


@dataclass(frozen=True)
class LateReply:
    """A late reply to an attempt, not applied when it came, and the history of the other attempts.

    An approval, or a decline or error of a bank that cannot be asked for it again.
    """

    attempt: int
    reply: Approval | Decline | BankError
    history: History


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
    answered = due.filter(Exists(_late_approvals(OuterRef("pk"))))
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


def may_send_card(operation: Operation, at: datetime) -> bool:
    """Whether an authorize in doubt may be sent with the card again. `at` is the database's time.

    Not after two silent attempts: each may be a hold of its own, so only probes follow. And only while the
    bank certainly knows the key: under a forgotten one it would hold a second time. At a bank without keys,
    only if it is certain that nothing was executed.
    """
    if not abilities_of(operation.bank).knows_keys:
        return not any(_may_have_done_it(one) for one in operation.attempts.all())
    return operation.silent_attempts < SILENT_ATTEMPTS_WITH_CARD and abilities_of(operation.bank).knows_key(
        bank_key_age(operation, at)
    )


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
    history = _history_of(operation, attempts, at, ends_at=ends_at)
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


def late_reply_of(operation: Operation, at: datetime) -> LateReply | None:
    """The late reply that settles this unfinished operation, or None. `at` is the database's time."""
    return late_reply_among(operation, list(operation.attempts.order_by("number")), at)


def late_reply_among(operation: Operation, attempts: list[Attempt], at: datetime) -> LateReply | None:
    """Like `late_reply_of`, from all attempts of the operation in their order."""
    answered = next((one for one in attempts if _settles(one)), None)
    if answered is None:
        return None if abilities_of(operation.bank).knows_keys else _late_no_among(operation, attempts, at)
    # Later ones, too: a silent one may have made a second hold.
    others = [one for one in attempts if one.number != answered.number]
    reply = Approval(
        answered.http_status or 0,
        answered.bank_reference,
        bool(answered.is_replay),
        answered.hold_expires_at,
    )
    return LateReply(answered.number, reply, _history_of(operation, others, at, ends_at=at))


def _late_no_among(operation: Operation, attempts: list[Attempt], at: datetime) -> LateReply | None:
    """The late decline or error of a bank that cannot be asked for it again."""
    answered = next((one for one in attempts if one.is_late and one.said in DENIALS), None)
    if answered is None:
        return None
    others = [one for one in attempts if one.number != answered.number]
    history = _history_of(operation, others, at, ends_at=at)
    said = Said(answered.said)
    no = (Decline if said in ISSUERS else BankError)(said, answered.http_status or 0)
    return None if history.any_in_doubt else LateReply(answered.number, no, history)


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


def _settles(attempt: Attempt) -> bool:
    """Whether this late reply can settle an unfinished operation. A probe's must be a stored reply."""
    known = attempt.is_late and attempt.said == Said.APPROVED
    return known and (not attempt.is_probe or bool(attempt.is_replay))


def _late_approvals(operation: OuterRef) -> QuerySet[Attempt]:
    """`_settles` as a query."""
    late = Attempt.objects.filter(operation=operation, is_late=True, said=Said.APPROVED)
    return late.filter(Q(is_probe=False) | Q(is_replay=True))


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


def _history_of(operation: Operation, attempts: list[Attempt], at: datetime, *, ends_at: datetime) -> History:
    """The history of an unfinished operation: each of its attempts is in doubt, replied to or not.

    Judged by the order of attempts. Clocks decide only how far apart repeated evidence is, and how old the
    first attempt will be at `ends_at`, when the next one ends.
    """
    abilities = abilities_of(operation.bank)
    instructed = [one for one in attempts if not one.is_probe and one.result != Attempt.Result.NOT_SENT]
    if not abilities.knows_keys:
        instructed = [one for one in instructed if _may_have_done_it(one)]
    last = max((one.number for one in instructed), default=0)
    since = [one for one in attempts if one.number > last]
    return History(
        any_in_doubt=bool(instructed),
        silent=sum(one.is_silent for one in instructed),
        may_be_alive=any(one.may_be_alive for one in instructed),
        done_by_others=_is_done_by_others(OperationKind(operation.kind), instructed),
        contradicted=_counted(attempts, Verdict.CONTRADICTION, before=at - CONTRADICTIONS_APART),
        probed_negative=_counted(since, Verdict.NEGATIVE_PROBE, before=at - NEGATIVE_PROBES_APART),
        may_be_forgotten=bool(instructed)
        and abilities.may_have_forgotten(ends_at - instructed[0].started_at),
        cannot_ask=not abilities.knows_keys,
    )


def _may_have_done_it(attempt: Attempt) -> bool:
    """Whether the bank may have executed it: unless its recorded end rules that out."""
    return not attempt.is_probe and attempt.in_doubt is not False


def _is_done_by_others(kind: OperationKind, instructed: list[Attempt]) -> bool:
    """Whether the bank said "already" before any attempt was silent, or about something that rules it out."""
    first_silent = next((one.number for one in instructed if one.is_silent), None)
    said = [(one.number, Said(one.said)) for one in instructed if says_already(one.said)]
    return any(
        first_silent is None or number < first_silent or not says_done(kind, word) for number, word in said
    )


def _counted(attempts: list[Attempt], verdict: Verdict, *, before: datetime) -> bool:
    return any(
        one.verdict == verdict and one.ended_at is not None and one.ended_at <= before for one in attempts
    )
