"""The engine that sends operations to banks. Nothing else talks to one.

An operation is recorded, with its lease and its first attempt, in its use case's transaction (`record`).
Then `run` sends it from a bank thread, with no transaction open and no connection held, and records the
outcome with all its consequences in one transaction on the same thread. The request's thread waits
beside it for a while and is told 202 when it has waited long enough; the bank thread carries on.
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
    InDoubt,
    NotExecuted,
    Outcome,
    Surroundings,
    earlier_ones_decide,
    health_decides,
    meaning_of,
    outcome_of,
)
from payments.domain.replies import LookUp, NotDone, NotSent, Reply, Silence, Unclear, describe
from payments.domain.states import OperationKind
from payments.engine import leases, record
from payments.engine.abilities import abilities_of
from payments.engine.answers import Answer
from payments.engine.attempts import Ended
from payments.engine.capacity import Slot, capacity_of, timing_of
from payments.engine.conclude import Recorded
from payments.engine.leases import Lease, boot_clock
from payments.models import (
    Operation,
    earlier_ones_answered,
)
from payments.models.guards import database_is_away, waited_in_vain

log = structlog.get_logger("payments.operations")

# A bank that is back is not run over at once by all that waited for it. After the longest rest, of four
# minutes, the one whose call found the bank back is asked about again within the fifth.
_SPREAD = timedelta(seconds=45)
_REFUSED = NotSent("circuit breaker open")
_NO_SIGN_OF_LIFE = (meanings.Answer.TROUBLE, meanings.Answer.NOTHING_SENT)


def run(slot: Slot, lease: Lease, *, card: Card | None = None) -> Answer:
    """Send a committed operation and answer the request that asked for it.

    A 202 means that it is unfinished: still in flight on its bank thread, or in doubt.
    Raises ServiceUnavailable where the outcome could not be recorded before the lease ran out.
    """
    capacity_of(lease.bank).retries.earn()
    _give_connection_back()
    future = slot.submit(partial(carry_out, lease, card=card))
    waited = boot_clock() - lease.taken_at
    wait([future], timeout=max(0.0, timing_of(lease.bank).client_wait - waited))
    recorded = future.result() if future.done() else record.read(lease)
    return recorded.answer


def carry_out(lease: Lease, *, card: Card | None = None) -> Recorded:
    """Send attempts until one settles the matter or time is up, and record what came of it.

    Runs on a thread that may wait for the bank. Raises ServiceUnavailable like `run`.
    """
    while True:
        _give_connection_back()
        ended = _attempt(lease, card)
        pause = _pause_before_next(lease, ended.reply, ended.outcome)
        if pause is None:
            recorded = record.record_end(lease, ended)
            _wake_what_rests(lease.bank, overslept=ended.breaker_was_open or ended.reply == _REFUSED)
            return recorded
        time.sleep(pause)
        try:
            renewed = record.record_next_attempt(lease, ended)
        except (DatabaseError, InterfaceError) as error:
            if not (database_is_away(error) or waited_in_vain(error)):
                raise
            # An attempt that is not recorded is not sent, and one that perhaps is recorded neither.
            return record.record_end(lease, replace(ended, next_is_unsent=True))
        if renewed is None:
            return record.read(lease)
        lease = renewed


def look_late(lease: Lease) -> None:
    """Probe an authorize once more that was found not executed, and record what the bank says.

    A hold that comes to light belongs to nobody: `late_holds` releases it.
    """
    _give_connection_back()
    record.record_look(lease, _attempt(lease, card=None))


def look_up(bank: str, kind: OperationKind, reference: str) -> LookUp:
    """What a bank knows of a hold, a capture or a refund by its own id. Asks now, with no connection held."""
    if kind not in abilities_of(bank).looks_up:
        return Unclear("the bank has no look-up for this")
    _give_connection_back()
    return bank_named(bank).look_up(kind, reference)


def bank_health() -> dict[str, bool]:
    """What each bank says of its own health, by its name. Asks them now, with no connection held.

    A bank that cannot be asked is not among them.
    """
    _give_connection_back()
    said = {name: _health(bank_named(name)) for name in registry.NAMES}
    return {name: is_healthy for name, is_healthy in said.items() if is_healthy is not None}


def _health(bank: Bank) -> bool | None:
    """What the bank says of itself; None where it does not, which proves nothing."""
    return bank.is_healthy() if bank.abilities.says_how_it_is else None


def _attempt(lease: Lease, card: Card | None) -> Ended:
    if lease.late_answer is not None:
        outcome = outcome_of(lease.instruction.kind, lease.late_answer, lease.history, Surroundings())
        return Ended(lease.late_answer, outcome, duration_ms=0)
    if lease.is_probe and not lease.history.any_in_doubt:
        return Ended(NotSent("nothing was sent"), NotExecuted("nothing was sent"), duration_ms=0)
    bank = bank_named(lease.bank)
    if lease.history.cannot_ask and (lease.by_recovery or lease.history.any_in_doubt):
        unasked = NotSent("the bank knows no keys")
        outcome = outcome_of(lease.instruction.kind, unasked, lease.history, Surroundings())
        return Ended(unasked, outcome, duration_ms=0)
    # While the breaker is open nothing is sent either, or the one call that finds out.
    was_open = capacity_of(lease.bank).breaker.is_open
    asks_first = lease.by_recovery and not was_open
    around = Surroundings(healthy_before=_health(bank) if asks_first else None)
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
    return Ended(reply, outcome, duration_ms, breaker_was_open=was_open)


def _judge(bank: Bank, lease: Lease, reply: Reply, around: Surroundings) -> Outcome:
    """The outcome, once what it depends on is found out."""
    kind = lease.instruction.kind
    meaning = meaning_of(kind, reply, lease.history, probe=lease.is_probe)
    if health_decides(meaning, around):
        around = replace(around, healthy_after=_health(bank))
    if earlier_ones_decide(meaning):
        try:
            operation = Operation.objects.get(pk=lease.operation_id)
            # Where the bank refunds in parts, "already" may be about any of them.
            proves = bank.abilities.does_once(kind) and earlier_ones_answered(operation)
            around = replace(around, earlier_answered=proves)
        except ObjectDoesNotExist:
            return InDoubt("our own books have lost it", retry=False)
        except (DatabaseError, InterfaceError) as error:
            if not (database_is_away(error) or waited_in_vain(error)):
                raise
            return InDoubt("our own books are away", retry=False)
        finally:
            connection.close()
    return outcome_of(kind, reply, lease.history, around, probe=lease.is_probe)


def _ask(bank: Bank, lease: Lease, card: Card | None) -> Reply:
    """Send the attempt, unless the circuit breaker is open."""
    admission = capacity_of(lease.bank).breaker.admit()
    if admission is None:
        return _REFUSED
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
        admission.withdraw()  # or the single call of a half-open breaker would be awaited for ever
        raise
    if permitted:
        admission.report(answered=meanings.answer_of(reply) not in _NO_SIGN_OF_LIFE)
    else:
        admission.withdraw()
    return reply


def _wake_what_rests(bank: str, *, overslept: bool) -> None:
    """Where the circuit breaker has just closed: the bank answers again, so nobody need rest any longer.

    Whoever began while it was open may have gone to rest only when the others had been woken: those that it
    refused, and the one whose call closed it.
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
    """Seconds until the next attempt, or None where there is none: settled, of no use, or too late."""
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
    """Before the bank is asked: a waiting operation holds no connection, let alone a transaction."""
    if connection.in_atomic_block:
        raise RuntimeError("The bank must not be asked inside a database transaction.")
    connection.close()
