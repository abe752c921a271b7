"""The engine that sends operations to banks. Nothing else talks to one.

An operation is recorded, with its lease and its first attempt, in its use case's transaction (`record`).
Then `run` sends it from a bank thread, with no transaction open and no connection held, and records the
outcome with all its consequences in one transaction on the same thread. The request's thread waits
beside it for a while and is told 202 when it has waited long enough; the bank thread carries on.
"""

import random
import time
from collections.abc import Callable
from concurrent.futures import wait
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import assert_never
from uuid import UUID

import structlog
from django.conf import settings
from django.db import DatabaseError, IntegrityError, InterfaceError, connection, transaction

from payments.banks import registry
from payments.banks.base import Bank
from payments.banks.registry import bank_named
from payments.domain.cards import Card
from payments.domain.money import Currency
from payments.domain.outcomes import (
    Answer as AnswerKind,
)
from payments.domain.outcomes import (
    Declined,
    Final,
    History,
    InDoubt,
    NotExecuted,
    Outcome,
    Rejected,
    Succeeded,
    answer_of,
    call_is_over,
    describe,
    health_decides,
    is_silent,
    leaves_doubt,
    outcome_of,
)
from payments.domain.replies import Approval, NotSent, Reply
from payments.domain.states import OperationKind, OperationState
from payments.models import Attempt, Event, Operation, Payment
from payments.models.clock import ClockTimestamp, clock_in
from payments.models.guards import database_is_away, violated_constraint
from payments.services import answers, idempotency, leases
from payments.services.answers import Answer
from payments.services.bank_threads import Slot
from payments.services.idempotency import MerchantRequest
from payments.services.leases import Lease, boot_clock
from payments.services.pacing import pace_of
from payments.services.refusals import ServiceUnavailable

log = structlog.get_logger("payments.operations")

# What to do with an outcome, inside its transaction, both rows locked: change the payment and say which
# event tells of it. `operation.payment` is the locked payment.
Settle = Callable[[Operation, Final, datetime], Event.Type]

_NO_SIGN_OF_LIFE = (AnswerKind.TROUBLE, AnswerKind.NOTHING_SENT)
_DATABASE_PAUSE = 0.5  # seconds between tries to record an outcome


@dataclass(frozen=True)
class Ended:
    """An attempt's end, not yet recorded."""

    reply: Reply
    outcome: Outcome
    duration_ms: int


@dataclass(frozen=True)
class Recorded:
    """Both rows as the transaction that recorded them left them."""

    operation: Operation
    payment: Payment | None

    @property
    def answer(self) -> Answer:
        """To the merchant's request that instructed the operation."""
        return answers.of_operation(self.operation.claimed_payment, self.operation)


class ImpossibleOutcome(Exception):
    """The table of outcomes gives no such outcome to operations of this kind."""


def record(
    operation_id: UUID,
    *,
    payment: Payment,
    kind: OperationKind,
    event: Event.Type,
    request: MerchantRequest,
    target: str = "",
    reason: str = "",
) -> Lease:
    """Write an operation ahead, with its lease, its first attempt and its event.

    Inside the caller's transaction, which must be committed before the lease is run. `target` is the
    bank reference that the instruction names. Raises IntegrityError where the payment has an unfinished
    operation already.
    """
    operation = Operation(
        id=operation_id,
        payment=payment,
        kind=kind,
        bank=payment.bank,
        amount_cents=payment.amount_cents,
        currency=payment.currency,
        target_reference=target,
        bank_idempotency_key=idempotency.bank_key(request, kind),
        ordinal=request.ordinal,
        actor=request.actor,
        request_id=request.request_id,
        reason=reason,
    )
    lease = leases.open_lease(operation, settings.BANK_TIMING)
    Event.objects.create(
        payment=payment,
        operation=operation,
        type=event,
        actor=request.actor,
        request_id=request.request_id,
    )
    return lease


def run(slot: Slot, lease: Lease, *, settle: Settle, card: Card | None = None) -> Answer:
    """Send a committed operation and answer the request that asked for it.

    A 202 means that it is unfinished: still in flight on its bank thread, or in doubt.
    Raises ServiceUnavailable where the outcome could not be recorded before the lease ran out.
    """
    pace_of(lease.bank).retries.earn()
    _give_connection_back()
    future = slot.submit(partial(carry_out, lease, settle=settle, card=card))
    waited = boot_clock() - lease.taken_at
    wait([future], timeout=max(0.0, settings.BANK_TIMING.client_wait - waited))
    recorded = future.result() if future.done() else _read(lease)
    return recorded.answer


def carry_out(lease: Lease, *, settle: Settle, card: Card | None = None) -> Recorded:
    """Send attempts until one settles the matter or time is up, and record what came of it.

    Runs on a thread that may wait for the bank. Raises ServiceUnavailable like `run`.
    """
    while True:
        _give_connection_back()
        ended = _attempt(lease, card)
        pause = _pause_before_next(lease, ended.reply, ended.outcome)
        if pause is None:
            return _record_end(lease, ended, settle)
        time.sleep(pause)
        try:
            renewed = _record_next_attempt(lease, ended)
        except (DatabaseError, InterfaceError) as error:
            if not database_is_away(error):
                raise
            # An attempt that is not recorded is not sent.
            return _record_end(lease, ended, settle)
        if renewed is None:
            return _read(lease)
        lease = renewed


def currencies_of(bank: str) -> frozenset[Currency]:
    """What the bank of that name takes."""
    return bank_named(bank).currencies


def bank_health() -> dict[str, bool]:
    """What each bank says of its own health, by its name. Asks them now, with no connection held."""
    _give_connection_back()
    return {name: bank_named(name).is_healthy() for name in registry.NAMES}


def _attempt(lease: Lease, card: Card | None) -> Ended:
    bank = bank_named(lease.bank)
    kind = lease.instruction.kind
    started = boot_clock()
    reply = _ask(bank, lease, card)
    duration_ms = round((boot_clock() - started) * 1000)
    healthy = bank.is_healthy() if health_decides(kind, reply) else None
    outcome = outcome_of(kind, reply, lease.history, bank_healthy=healthy)
    log.info(
        "attempt_ended",
        operation=lease.operation_id.hex,
        kind=kind.value,
        number=lease.attempt,
        reply=describe(reply),
        outcome=type(outcome).__name__,
        ms=duration_ms,
    )
    return Ended(reply, outcome, duration_ms)


def _ask(bank: Bank, lease: Lease, card: Card | None) -> Reply:
    """Send the attempt, unless the circuit breaker is open."""
    admission = pace_of(lease.bank).breaker.admit()
    if admission is None:
        return NotSent("circuit breaker open")
    permitted = True

    def may_send() -> bool:
        nonlocal permitted
        permitted = lease.fits_attempt(settings.BANK_TIMING)
        return permitted

    reply = bank.send(lease.instruction, card=card, may_send=may_send)
    if permitted:
        admission.report(answered=answer_of(reply, History()) not in _NO_SIGN_OF_LIFE)
    else:
        admission.withdraw()
    return reply


def _pause_before_next(lease: Lease, reply: Reply, outcome: Outcome) -> float | None:
    """Seconds until the next attempt, or None where there is none: settled, of no use, or too late."""
    timing = settings.BANK_TIMING
    again = isinstance(reply, NotSent) or (isinstance(outcome, InDoubt) and outcome.retry)
    if not again:
        return None
    ceiling = min(timing.backoff_cap, timing.backoff_base * 2.0 ** min(lease.attempt, 16))
    pause: float = random.uniform(0, ceiling)  # noqa: S311 - jitter, not a secret
    if isinstance(outcome, InDoubt) and outcome.retry_after is not None:
        pause = max(pause, outcome.retry_after)
    in_time = boot_clock() + pause - lease.taken_at < timing.start_window
    return pause if in_time and pace_of(lease.bank).retries.spend() else None


def _record_next_attempt(lease: Lease, ended: Ended) -> Lease | None:
    with transaction.atomic(durable=True):
        _end_attempt(lease, ended)
        renewed = leases.renew(lease, settings.BANK_TIMING)
    if renewed is None:
        log.warning("lease_lost", operation=lease.operation_id.hex, epoch=lease.epoch)
        return None
    return replace(renewed, history=lease.history.after(ended.reply, ended.outcome))


def _record_end(lease: Lease, ended: Ended, settle: Settle) -> Recorded:
    """Record the last attempt's end. While the database is away it is kept in memory and tried again."""
    while True:
        try:
            match ended.outcome:
                case InDoubt():
                    return _leave_open(lease, ended)
                case Succeeded() | Declined() | Rejected() | NotExecuted() as outcome:
                    return _finish(lease, ended, outcome, settle)
                case _:
                    assert_never(ended.outcome)
        except IntegrityError as error:
            if violated_constraint(error) != "one_payment_per_hold":
                raise
            # The bank names a hold that another payment has: a contradiction, and no outcome.
            ended = replace(ended, outcome=InDoubt("contradiction: another payment's hold", retry=False))
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
        payment = _lock_payment(lease)
        operation = (
            Operation.objects.select_for_update(no_key=True)
            .annotate(at=ClockTimestamp())
            .get(pk=lease.operation_id)
        )
        at: datetime = operation.at
        _end_attempt(lease, ended)
        if operation.state != OperationState.OPEN or operation.lease_epoch != lease.epoch:
            # Somebody else holds it by now, or it is recorded already and only the commit's echo was lost.
            # Either way the answer stands on its attempt, and tells the holder that something was sent.
            log.warning("answer_not_applied", operation=lease.operation_id.hex, reply=describe(ended.reply))
            return Recorded(operation, payment)
        operation.payment = payment
        event = settle(operation, outcome, at)
        _apply(operation, outcome, at)
        operation.save(update_fields=_OUTCOME_FIELDS)
        if payment is not None:
            payment.save(update_fields=_PAYMENT_FIELDS)
        Event.objects.create(
            payment=payment,
            operation=operation,
            type=event,
            at=at,
            actor=operation.actor,
            request_id=operation.request_id,
            evidence={"attempt": lease.attempt, **_evidence(ended.reply)},
        )
        recorded = Recorded(operation, payment)
        if operation.kind != OperationKind.RELEASE and not isinstance(outcome, NotExecuted):
            idempotency.store_answer(operation, recorded.answer)
    return recorded


_OUTCOME_FIELDS = ["state", "bank_reference", "outcome_code", "awaiting_statement", "finished_at"]
_PAYMENT_FIELDS = [
    *("state", "bank_authorization_id", "bank_capture_id", "bank_void_id", "bank_refund_id", "decline_code"),
    *("authorization_expires_at", "authorized_at", "captured_at", "refunded_at", "voided_at", "expired_at"),
    *("declined_at", "failed_at"),
]


def _lock_payment(lease: Lease) -> Payment | None:
    if lease.payment_id is None:
        return None
    return Payment.objects.select_for_update(no_key=True).get(pk=lease.payment_id)


def _apply(operation: Operation, outcome: Final, at: datetime) -> None:
    operation.finished_at = at
    match outcome:
        case Succeeded(reference=reference, awaiting_statement=awaiting):
            operation.become_succeeded()
            operation.bank_reference = reference
            operation.awaiting_statement = awaiting
        case Declined(code=code, awaiting_statement=awaiting):
            operation.become_declined()
            operation.outcome_code = code
            operation.awaiting_statement = awaiting
        case Rejected(code=code):
            operation.become_rejected()
            operation.outcome_code = code
        case NotExecuted():
            operation.become_not_executed()
            operation.outcome_code = "bank_unavailable"
        case _:
            assert_never(outcome)


def _leave_open(lease: Lease, ended: Ended) -> Recorded:
    """Record the attempt's end: the operation stays in doubt, and due later.

    The lease is let go of, unless the bank may still be working on the call that was given up: then
    nobody may send before the lease has run out.
    """
    retry_after = ended.outcome.retry_after if isinstance(ended.outcome, InDoubt) else None
    with transaction.atomic(durable=True):
        _end_attempt(lease, ended)
        Operation.objects.filter(
            pk=lease.operation_id, state=OperationState.OPEN, lease_epoch=lease.epoch
        ).update(
            due_at=clock_in(max(settings.BANK_TIMING.pause_after(lease.epoch), retry_after or 0)),
            **({"lease_expires_at": ClockTimestamp()} if call_is_over(ended.reply) else {}),
        )
    log.warning("left_in_doubt", operation=lease.operation_id.hex, reply=describe(ended.reply))
    return _read(lease)


def _end_attempt(lease: Lease, ended: Ended) -> None:
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
        http_status=evidence.get("status"),
        reply=evidence["reply"],
        bank_reference=evidence.get("reference", ""),
        is_replay=evidence.get("replayed"),
        duration_ms=ended.duration_ms,
    )


def _evidence(reply: Reply) -> dict[str, str | int | bool]:
    """What the bank said, as far as it may be kept: its status, code and reference, not its prose."""
    evidence: dict[str, str | int | bool] = {"reply": describe(reply)[:200]}
    if not isinstance(reply, NotSent) and reply.status is not None:
        evidence["status"] = reply.status
    if isinstance(reply, Approval):
        evidence |= {"reference": reply.reference, "replayed": reply.replayed}
    return evidence


def _read(lease: Lease) -> Recorded:
    """Both rows as they are now, in one statement."""
    operation = Operation.objects.select_related("payment").get(pk=lease.operation_id)
    return Recorded(operation, operation.payment)


def _give_connection_back() -> None:
    """Before the bank is asked: a waiting operation holds no connection, let alone a transaction."""
    if connection.in_atomic_block:
        raise RuntimeError("The bank must not be asked inside a database transaction.")
    connection.close()
