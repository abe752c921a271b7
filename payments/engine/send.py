"""The engine that sends operations to banks. Nothing else calls a bank.

The use case records an operation with its lease and its first attempt, in one transaction. Then `run` sends
it from a bank thread, with no transaction open and no connection held, and records the outcome on the same
thread (`record`). The request's thread waits for a while; then the client gets a 202 and the bank thread
carries on.
"""

import random
import time
from concurrent.futures import wait
from dataclasses import replace
from datetime import timedelta
from functools import partial

import structlog
from django.core.exceptions import ObjectDoesNotExist
from django.db import DatabaseError, InterfaceError, connection

from payments.banks import registry
from payments.banks.base import Bank
from payments.banks.registry import bank_named
from payments.domain import meanings
from payments.domain.cards import Card
from payments.domain.outcomes import (
    Checks,
    InDoubt,
    NotExecuted,
    Outcome,
    earlier_ones_decide,
    health_decides,
    meaning_of,
    outcome_of,
)
from payments.domain.replies import LookUp, NotDone, NotSent, Reply, Silence, Unclear, describe
from payments.domain.states import OperationKind
from payments.engine import leases, record
from payments.engine.abilities import abilities_of
from payments.engine.attempts import AttemptEnd
from payments.engine.capacity import Slot, capacity_of, timing_of
from payments.engine.conclude import RecordedOperation
from payments.engine.leases import Lease, boot_clock
from payments.engine.responses import ApiResponse
from payments.models import (
    Operation,
    earlier_ones_answered,
)
from payments.models.guards import database_is_away, waited_in_vain

log = structlog.get_logger("payments.operations")

# So that a bank that is back is not flooded by everything that waited for it. After the longest rest, four
# minutes, everything is taken up within the fifth.
_SPREAD = timedelta(seconds=45)
_BREAKER_OPEN = NotSent("circuit breaker open")
_NO_SIGN_OF_LIFE = (meanings.ReplyKind.TROUBLE, meanings.ReplyKind.NOTHING_SENT)


def run(slot: Slot, lease: Lease, *, card: Card | None = None) -> ApiResponse:
    """Send a committed operation and return the response to its request.

    A 202 means that the operation is unfinished: still in flight on its bank thread, or in doubt.
    Raises ServiceUnavailable where the outcome could not be recorded before the lease ran out.
    """
    capacity_of(lease.bank).retries.earn()
    _give_connection_back()
    future = slot.submit(partial(carry_out, lease, card=card))
    waited = boot_clock() - lease.taken_at
    wait([future], timeout=max(0.0, timing_of(lease.bank).client_wait - waited))
    recorded = future.result() if future.done() else record.read(lease)
    return recorded.response


def carry_out(lease: Lease, *, card: Card | None = None) -> RecordedOperation:
    """Send attempts until one settles the operation or time is up, and record the end.

    Call it on a thread that may wait for the bank. Raises ServiceUnavailable like `run`.
    """
    while True:
        _give_connection_back()
        ended = _attempt(lease, card)
        pause = _pause_before_next(lease, ended.reply, ended.outcome)
        if pause is None:
            recorded = record.record_end(lease, ended)
            _make_resting_due(lease.bank, overslept=ended.breaker_was_open or ended.reply == _BREAKER_OPEN)
            return recorded
        time.sleep(pause)
        try:
            renewed = record.record_next_attempt(lease, ended)
        except (DatabaseError, InterfaceError) as error:
            if not (database_is_away(error) or waited_in_vain(error)):
                raise
            # An attempt is sent only if it is certainly recorded.
            return record.record_end(lease, replace(ended, next_is_unsent=True))
        if renewed is None:
            return record.read(lease)
        lease = renewed


def look_late(lease: Lease) -> None:
    """Probe an authorize that was found not executed once more, and record what the bank says.

    A hold found this way belongs to no payment: `late_holds` releases it.
    """
    _give_connection_back()
    record.record_look(lease, _attempt(lease, card=None))


def look_up(bank: str, kind: OperationKind, reference: str) -> LookUp:
    """Look up a hold, a capture or a refund by the bank's id. Asks the bank now, with no connection held."""
    if kind not in abilities_of(bank).looks_up:
        return Unclear("the bank has no look-up for this")
    _give_connection_back()
    return bank_named(bank).look_up(kind, reference)


def bank_health() -> dict[str, bool]:
    """The health that each bank reports, by its name. Asks the banks now, with no connection held.

    Banks that report none are left out.
    """
    _give_connection_back()
    said = {name: _health(bank_named(name)) for name in registry.NAMES}
    return {name: is_healthy for name, is_healthy in said.items() if is_healthy is not None}


def _health(bank: Bank) -> bool | None:
    """The health that the bank reports; None where it reports none, which proves nothing."""
    return bank.is_healthy() if bank.abilities.reports_health else None


def _attempt(lease: Lease, card: Card | None) -> AttemptEnd:
    if lease.late_reply is not None:
        outcome = outcome_of(lease.instruction.kind, lease.late_reply, lease.history, Checks())
        return AttemptEnd(lease.late_reply, outcome, duration_ms=0)
    if lease.is_probe and not lease.history.any_in_doubt:
        return AttemptEnd(NotSent("nothing was sent"), NotExecuted("nothing was sent"), duration_ms=0)
    bank = bank_named(lease.bank)
    if lease.history.cannot_ask and (lease.by_recovery or lease.history.any_in_doubt):
        unasked = NotSent("the bank knows no keys")
        outcome = outcome_of(lease.instruction.kind, unasked, lease.history, Checks())
        return AttemptEnd(unasked, outcome, duration_ms=0)
    # While the breaker is open, no health is asked for: nothing is sent, or only the trial call.
    was_open = capacity_of(lease.bank).breaker.is_open
    asks_first = lease.by_recovery and not was_open
    around = Checks(healthy_before=_health(bank) if asks_first else None)
    started = boot_clock()
    reply = _ask(bank, lease, card)
    duration_ms = round((boot_clock() - started) * 1000)
    outcome = _judge(bank, lease, reply, around)
    log.info(
        "attempt_ended",
        operation=lease.operation_id.hex,
        kind=lease.instruction.kind.value,
        probe=lease.is_probe,
        number=lease.attempt,
        reply=describe(reply),
        said=reply.said.value,
        outcome=type(outcome).__name__,
        ms=duration_ms,
    )
    return AttemptEnd(reply, outcome, duration_ms, breaker_was_open=was_open)


def _judge(bank: Bank, lease: Lease, reply: Reply, around: Checks) -> Outcome:
    """The outcome, after checking the facts that it depends on."""
    kind = lease.instruction.kind
    meaning = meaning_of(kind, reply, lease.history, probe=lease.is_probe)
    if health_decides(meaning, around):
        around = replace(around, healthy_after=_health(bank))
    if earlier_ones_decide(meaning):
        try:
            operation = Operation.objects.get(pk=lease.operation_id)
            # Where the bank refunds in parts, "already refunded" may be about another refund.
            proves = bank.abilities.does_once(kind) and earlier_ones_answered(operation)
            around = replace(around, earlier_answered=proves)
        except ObjectDoesNotExist:
            return InDoubt("our database has lost the operation", retry=False)
        except (DatabaseError, InterfaceError) as error:
            if not (database_is_away(error) or waited_in_vain(error)):
                raise
            return InDoubt("our database is away", retry=False)
        finally:
            connection.close()
    return outcome_of(kind, reply, lease.history, around, probe=lease.is_probe)


def _ask(bank: Bank, lease: Lease, card: Card | None) -> Reply:
    """Send the attempt, unless the circuit breaker is open."""
    admission = capacity_of(lease.bank).breaker.admit()
    if admission is None:
        return _BREAKER_OPEN
    permitted = True

    def may_send() -> bool:
        nonlocal permitted
        permitted = lease.fits_attempt()
        return permitted

    try:
        if lease.is_probe:
            reply = bank.probe(lease.instruction, may_send=may_send)
        else:
            reply = bank.send(lease.instruction, card=card, may_send=may_send)
    except BaseException:
        admission.withdraw()  # or a half-open breaker would wait forever for its single call
        raise
    if permitted:
        admission.report(answered=meanings.kind_of_reply(reply) not in _NO_SIGN_OF_LIFE)
    else:
        admission.withdraw()
    return reply


def _make_resting_due(bank: str, *, overslept: bool) -> None:
    """When the circuit breaker has just closed, make the operations resting at this bank due soon.

    `overslept`: this attempt began while the breaker was open, so its operation may have gone to rest after
    the others were made due.
    """
    breaker = capacity_of(bank).breaker
    if not breaker.take_closing() and (breaker.is_open or not overslept):
        return
    try:
        woken = leases.make_due(bank, within=_SPREAD)
    except (DatabaseError, InterfaceError) as error:
        log.warning("not_woken", bank=bank, error=type(error).__name__)
        return
    log.info("bank_answers_again", bank=bank, woken=woken)


def _pause_before_next(lease: Lease, reply: Reply, outcome: Outcome) -> float | None:
    """Seconds until the next attempt; None where none follows: settled, useless to retry, or too late."""
    timing = timing_of(lease.bank)
    is_undone = isinstance(reply, NotSent | NotDone) and isinstance(outcome, NotExecuted)
    if not (is_undone and not lease.by_recovery) and not (isinstance(outcome, InDoubt) and outcome.retry):
        return None
    ceiling = min(timing.backoff_cap, timing.backoff_base * 2.0 ** min(lease.attempt, 16))
    pause: float = random.uniform(0, ceiling)  # noqa: S311 - jitter, not a secret
    if isinstance(reply, NotDone | Silence):
        pause = max(pause, reply.retry_after or 0)
    in_time = boot_clock() + pause - lease.taken_at < timing.start_window
    return pause if in_time and capacity_of(lease.bank).retries.spend() else None


def _give_connection_back() -> None:
    """Close this thread's connection before the bank is asked. Raises RuntimeError inside a transaction."""
    if connection.in_atomic_block:
        raise RuntimeError("The bank must not be asked inside a database transaction.")
    connection.close()
