"""Recovery: ask the bank about operations in doubt until their outcome is known.

Takes operations whose lease has expired: their sender crashed or left them in doubt. Where a bank knows keys,
repeating a capture, void or refund is safe: it executes each once whatever the key, at any age. A bank
without keys is never sent again what it may have executed. An authorize is probed, not repeated: the card is
not stored, and a key that the bank has forgotten would make a second hold. The merchant's retry, which brings
the card, continues it.
"""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import structlog
from django.db.models import QuerySet

from payments.domain.ids import OPERATION_PREFIX, public_id
from payments.domain.states import OperationState
from payments.engine import leases, orphan_replies, send
from payments.engine.leases import CannotTake, Lease
from payments.engine.passed_over import PASSED_OVER
from payments.models import Operation
from payments.models.clock import ClockTimestamp
from payments.usecases import late_holds

log = structlog.get_logger("payments.recovery")
# FicPay locks a row for milliseconds; a lock held for longer than this is a forgotten session's.
_LOCKED_LONG = timedelta(seconds=15)
_LOCKED_TOLD = 50


def in_doubt() -> QuerySet[Operation]:
    """OPEN operations whose lease has expired, oldest first. A running lease is no doubt yet."""
    return Operation.objects.filter(
        state=OperationState.OPEN, lease_expires_at__lte=ClockTimestamp()
    ).order_by("created_at")


def passed_over() -> dict[str, str]:
    """The operations that recovery cannot handle now and why, by public id."""
    locked = leases.locked_by_others(since=_LOCKED_LONG, at_most=_LOCKED_TOLD)
    return {public_id(OPERATION_PREFIX, one): "its row is locked" for one in locked} | PASSED_OVER.told()


def recover(operation_id: UUID) -> bool:
    """Ask the bank about one operation now, due or not.

    False where it has ended, its lease is running, or it cannot be taken; the reason for that is logged.
    """
    try:
        lease = leases.take_for_recovery(operation_id)
    except CannotTake as error:
        _pass_over(error)
        return False
    return lease is not None and _do(_ask, lease)


def recover_next() -> bool:
    """Do one due task: ask about a doubt, look late, or release a late hold. False if nothing was due.

    An operation that fails for a reason of its own is skipped for a while, so that the others continue.
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
    return late_holds.release_late_holds() + orphan_replies.close_settled() > 0


def recover_due(*, within: timedelta) -> int:
    """Do due tasks, starting none later than `within` from now; return how many were done.

    Several processes may run it at the same time: each operation is leased to one of them.
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
    (leases.take_with_late_reply, _ask),
    (leases.take_late_look, send.look_late),
)


def _do(ask: Callable[[Lease], None], lease: Lease) -> bool:
    try:
        ask(lease)
    except Exception as error:
        # It stays leased and unchanged and comes back later; the others must not wait for it.
        log.exception("recovery_failed", operation=lease.operation_id.hex)
        PASSED_OVER.note(lease.operation_id, reason=type(error).__name__)
    else:
        PASSED_OVER.forget(lease.operation_id)
    return True


def _pass_over(error: CannotTake) -> None:
    log.error("recovery_passes_over", operation=error.operation_id.hex, exc_info=error.__cause__)
    PASSED_OVER.add(error.operation_id, reason=type(error.__cause__).__name__)
