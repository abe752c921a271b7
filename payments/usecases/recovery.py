"""Recovery: operations whose outcome nobody waits for any more are asked about again until it is known.

Takes those whose lease has run out: their sender has crashed, or has left them in doubt. At the bank a
capture, a void and a refund happen once whatever the keys, so repeating one is safe at any age. An
authorize is not repeated but probed: the card is not kept, and a key that the bank has forgotten would
make a second hold. The merchant's retry, which carries the card, continues it.
"""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import structlog
from django.db.models import QuerySet

from payments.domain.ids import OPERATION_PREFIX, public_id
from payments.domain.states import OperationState
from payments.engine import leases, orphan_answers, send
from payments.engine.leases import CannotTake, Lease
from payments.engine.passed_over import PASSED_OVER
from payments.models import Operation
from payments.models.clock import ClockTimestamp
from payments.usecases import late_holds

log = structlog.get_logger("payments.recovery")
# Whoever takes a row holds its lock for milliseconds; a forgotten session holds it for longer than this.
_LOCKED_LONG = timedelta(seconds=15)
_LOCKED_TOLD = 50


def in_doubt() -> QuerySet[Operation]:
    """OPEN operations whose sender is gone, oldest first; a running lease is no doubt yet."""
    return Operation.objects.filter(
        state=OperationState.OPEN, lease_expires_at__lte=ClockTimestamp()
    ).order_by("created_at")


def passed_over() -> dict[str, str]:
    """What recovery can do nothing about at present, and why, by the operation's id."""
    locked = leases.locked_by_others(since=_LOCKED_LONG, at_most=_LOCKED_TOLD)
    return {public_id(OPERATION_PREFIX, one): "its row is locked" for one in locked} | PASSED_OVER.told()


def recover(operation_id: UUID) -> bool:
    """Ask the bank about one operation now, due or not.

    False where it has ended, its lease runs, or it cannot be taken for a reason of its own, which is logged.
    """
    try:
        lease = leases.take_for_recovery(operation_id)
    except CannotTake as error:
        _pass_over(error)
        return False
    return lease is not None and _do(_ask, lease)


def recover_next() -> bool:
    """Do one thing that is due: ask about a doubt, look late, or release a late hold. False: nothing was.

    What cannot be done for a reason of its own is passed over for a while, so that the others go on.
    """
    besides = PASSED_OVER.for_now()
    try:
        for take, do in _WORK:
            lease = take(besides=besides)
            if lease is not None:
                _do(do, lease)
                return True
    except CannotTake as error:
        _pass_over(error)
        return True
    return late_holds.release_late_holds() + orphan_answers.close_settled() > 0


def recover_due(*, within: timedelta) -> int:
    """Do what is due, beginning nothing later than `within` from now; how many things were done.

    Any number of processes may run it at the same time: each operation is leased to one of them.
    """
    last_begin = leases.boot_clock() + within.total_seconds()
    done = 0
    while leases.boot_clock() < last_begin and recover_next():
        done += 1
    return done


def _ask(lease: Lease) -> None:
    send.carry_out(lease)


_WORK: tuple[tuple[Callable[..., Lease | None], Callable[[Lease], None]], ...] = (
    (leases.take_due, _ask),
    (leases.take_answered, _ask),
    (leases.take_late_look, send.look_late),
)


def _do(ask: Callable[[Lease], None], lease: Lease) -> bool:
    try:
        ask(lease)
    except Exception as error:
        # It stays as it is and leased, so it comes back later; the others must not wait for it.
        log.exception("recovery_failed", operation=lease.operation_id.hex)
        PASSED_OVER.note(lease.operation_id, reason=type(error).__name__)
    else:
        PASSED_OVER.forget(lease.operation_id)
    return True


def _pass_over(error: CannotTake) -> None:
    log.error("recovery_passes_over", operation=error.operation_id.hex, exc_info=error.__cause__)
    PASSED_OVER.add(error.operation_id, reason=type(error.__cause__).__name__)
