"""Orphan replies: replies of a bank that could not be recorded.

Either a failover to a lagging standby lost the rows, or the database was away until the lease ended. Such a
reply is logged with its reference at once. This process keeps it in memory and records it as soon as the
database is back; if the rows are gone, it opens a case for staff.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from django.core.exceptions import ObjectDoesNotExist
from django.db import DatabaseError, InterfaceError, connection, transaction

from payments.domain.ids import OPERATION_PREFIX, PAYMENT_PREFIX, public_id
from payments.domain.replies import Approval, Reply, describe
from payments.domain.states import OperationKind, OperationState, PaymentState
from payments.engine.leases import Lease
from payments.models import Discrepancy, Event, Operation, Payment
from payments.models.clock import ClockTimestamp
from payments.models.discrepancies import ORPHAN_REPLY
from payments.models.guards import database_is_away, waited_in_vain

log = structlog.get_logger("payments.orphan_replies")
_PAUSE = 1.0  # seconds between tries
_ACTOR = "system"


@dataclass(frozen=True)
class _Orphan:
    lease: Lease
    reply: Reply
    record: Callable[[], object]  # records the reply on its rows; database errors pass through


def keep(lease: Lease, reply: Reply, *, record: Callable[[], object]) -> None:
    """Log the reply, and keep trying to record it for as long as this process lives."""
    log.error("reply_not_recorded", **_told(lease, reply))
    _keeper.add(_Orphan(lease, reply, record))


class _Keeper:
    """Tries to record the kept replies, on one thread that ends when none is left."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: list[_Orphan] = []
        self._is_working = False

    def add(self, orphan: _Orphan) -> None:
        with self._lock:
            self._kept.append(orphan)
            if not self._is_working:
                self._is_working = True
                threading.Thread(target=self._work, name="orphan-replies", daemon=True).start()

    def _work(self) -> None:
        while True:
            with self._lock:
                waiting = list(self._kept)
                if not waiting:
                    self._is_working = False
                    return
            for orphan in waiting:
                if _is_dealt_with(orphan):
                    with self._lock:
                        self._kept.remove(orphan)
            with suppress(DatabaseError, InterfaceError):
                connection.close()
            time.sleep(_PAUSE)


_keeper = _Keeper()


def _is_dealt_with(orphan: _Orphan) -> bool:
    """Try to record or else to file it; whether that succeeded."""
    for deal in (orphan.record, partial(_file, orphan)):
        try:
            deal()
        except ObjectDoesNotExist:
            continue  # its rows are gone: file it
        except Exception as error:
            connection.close()
            if database_is_away(error) or waited_in_vain(error):
                return False
            log.exception("orphan_reply_failed", **_told(orphan.lease, orphan.reply))
            continue
        return True
    return False


def _file(orphan: _Orphan) -> None:
    """Open a case for an approval. Any other reply made nothing at the bank: the log is enough."""
    lease, reply = orphan.lease, orphan.reply
    if not isinstance(reply, Approval):
        return
    with transaction.atomic(durable=True):
        payment = Payment.objects.filter(pk=lease.payment_id).first() if lease.payment_id else None
        case, is_new = Discrepancy.objects.get_or_create(
            kind=ORPHAN_REPLY,
            bank=lease.bank,
            bank_reference=reply.reference,
            defaults={
                "payment": payment,
                "operation": Operation.objects.filter(pk=lease.operation_id).first(),
                "evidence": _told(lease, reply),
            },
        )
        if is_new:
            Event.objects.create(
                payment=payment,
                operation=case.operation,
                type=Event.Type.ORPHAN_REPLY_FOUND,
                actor=_ACTOR,
                evidence=case.evidence,
            )
    log.warning("orphan_reply_filed", bank=lease.bank, reference=reply.reference)


def _told(lease: Lease, reply: Reply) -> dict[str, Any]:
    """What staff and the bank need to find the instruction. Amounts in minor units."""
    sent = lease.instruction
    told: dict[str, Any] = {
        "operation": public_id(OPERATION_PREFIX, lease.operation_id),
        "payment": public_id(PAYMENT_PREFIX, lease.payment_id) if lease.payment_id else "",
        "bank": lease.bank,
        "kind": sent.kind.value,
        "attempt": lease.attempt,
        "amount": sent.amount_minor,
        "currency": sent.currency,
        "target": sent.target_reference,
        "bank_idempotency_key": sent.idempotency_key,
        "said": reply.said.value,
        "reply": describe(reply),
    }
    if isinstance(reply, Approval):
        told |= {"reference": reply.reference, "replayed": reply.replayed}
    return told


def close_settled() -> int:
    """Close the cases whose reply is in our books by now; return how many were closed.

    A retry under the same key has recorded it, staff have, or the hold is freed.
    """
    opened = Discrepancy.objects.filter(kind=ORPHAN_REPLY, closed_at=None)
    settled = [case.pk for case in opened if _is_settled(case)]
    if not settled:
        return 0
    return opened.filter(pk__in=settled).update(closed_at=ClockTimestamp())


def _is_settled(case: Discrepancy) -> bool:
    """Each kind is looked up by an indexed column: the authorization's id, the target, or the reference."""
    holds = Payment.objects.filter(bank=case.bank)
    succeeded = Operation.objects.filter(bank=case.bank, state=OperationState.SUCCEEDED)
    kind, target = case.evidence.get("kind"), case.evidence.get("target", "")
    if kind == OperationKind.AUTHORIZE:
        released = succeeded.filter(kind=OperationKind.RELEASE, target_reference=case.bank_reference)
        return holds.filter(bank_authorization_id=case.bank_reference).exists() or released.exists()
    if kind in (OperationKind.VOID, OperationKind.RELEASE):
        freed = succeeded.filter(
            kind__in=[OperationKind.VOID, OperationKind.RELEASE], target_reference=target
        )
        voided = holds.filter(bank_authorization_id=target, state=PaymentState.VOIDED)
        return freed.exists() or voided.exists()
    return succeeded.filter(kind=kind, bank_reference=case.bank_reference).exists()
