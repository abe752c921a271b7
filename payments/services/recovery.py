"""Recovery: operations whose outcome nobody waits for any more are asked about again until it is known.

Takes those whose lease has run out (their sender has crashed, or has left them in doubt) and sends the
same instruction under the same key. At the bank a capture, a void and a refund happen once whatever the
keys, so repeating one is safe at any age. An authorize is not repeated here: the card is not kept, and
a key that the bank has forgotten would make a second hold. The merchant's retry, which carries the card,
continues it.
"""

from datetime import timedelta

import structlog
from django.conf import settings

from payments.domain.states import OperationKind
from payments.services import capture, leases, operations, refund, releases, void
from payments.services.operations import Settle

log = structlog.get_logger("payments.recovery")

# What to do with an outcome, by the operation's kind: as the use case that began it would.
_SETTLE: dict[OperationKind, Settle] = {
    OperationKind.CAPTURE: capture.record_outcome,
    OperationKind.VOID: void.record_outcome,
    OperationKind.REFUND: refund.record_outcome,
    OperationKind.RELEASE: releases.record_outcome,
}


def recover_due(*, within: timedelta) -> int:
    """Ask the bank about operations that are due, beginning none later than `within` from now.

    Returns how many were asked about. Any number of processes may run it at the same time: each
    operation is leased to one of them.
    """
    last_begin = leases.boot_clock() + within.total_seconds()
    asked = 0
    while leases.boot_clock() < last_begin:
        lease = leases.take_due(_SETTLE.keys(), settings.BANK_TIMING)
        if lease is None:
            break
        asked += 1
        try:
            operations.carry_out(lease, settle=_SETTLE[lease.instruction.kind])
        except Exception:
            # It stays open and leased, so it comes back later; the others must not wait for it.
            log.exception("recovery_failed", operation=lease.operation_id.hex)
    return asked
