"""Orphan answers: what the bank has said, and our database had no place for.

A failover to a standby that lagged has lost the rows, or the database was away until the lease had ended.
Such an answer is logged with its reference at once. This process keeps it, and as soon as the database
takes it, it is recorded where it belongs; where that is gone, it is filed as a case for people.
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
from payments.models.discrepancies import ORPHAN_ANSWER
from payments.models.guards import database_is_away, waited_in_vain

log = structlog.get_logger("payments.orphan_answers")
_PAUSE = 1.0  # seconds between tries
_ACTOR = "system"


@dataclass(frozen=True)
class _Orphan:
    lease: Lease
    reply: Reply
    record: Callable[[], object]  # where it belongs; raises what the database raises


def keep(lease: Lease, reply: Reply, *, record: Callable[[], object]) -> None:
    """Log the answer, and go on trying to record it for as long as this process lives."""
    log.error("answer_not_recorded", **_told(lease, reply))
    _keeper.add(_Orphan(lease, reply, record))


class _Keeper:
    """One thread, for as long as there is something to keep."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: list[_Orphan] = []
        self._is_working = False

    def add(self, orphan: _Orphan) -> None:
        with self._lock:
            self._kept.append(orphan)
            if not self._is_working:
                self._is_working = True
                threading.Thread(target=self._work, name="orphan-answers", daemon=True).start()

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
    """Whether it is recorded or filed by now."""
    for deal in (orphan.record, partial(_file, orphan)):
        try:
            deal()
        except ObjectDoesNotExist:
            continue  # there is no place for it: it is filed
        except Exception as error:
            connection.close()
            if database_is_away(error) or waited_in_vain(error):
                return False
            log.exception("orphan_answer_failed", **_told(orphan.lease, orphan.reply))
            continue
        return True
    return False


def _file(orphan: _Orphan) -> None:
    """Open its case. What names nothing that was made at the bank is in the log, and nobody's case."""
    lease, reply = orphan.lease, orphan.reply
    if not isinstance(reply, Approval):
        return
    with transaction.atomic(durable=True):
        payment = Payment.objects.filter(pk=lease.payment_id).first() if lease.payment_id else None
        case, is_new = Discrepancy.objects.get_or_create(
            kind=ORPHAN_ANSWER,
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
                type=Event.Type.ORPHAN_ANSWER_FOUND,
                actor=_ACTOR,
                evidence=case.evidence,
            )
    log.warning("orphan_answer_filed", bank=lease.bank, reference=reply.reference)


def _told(lease: Lease, reply: Reply) -> dict[str, Any]:
    """What people and the bank need to find it again. Amounts in minor units."""
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
    """Close the cases whose answer our books have by now; how many were closed.

    A retry under the same key has claimed it, people have recorded it, or the hold is freed.
    """
    opened = Discrepancy.objects.filter(kind=ORPHAN_ANSWER, closed_at=None)
    settled = [case.pk for case in opened if _is_settled(case)]
    if not settled:
        return 0
    return opened.filter(pk__in=settled).update(closed_at=ClockTimestamp())


def _is_settled(case: Discrepancy) -> bool:
    """Each kind is asked for by what has an index: the hold's payment, the hold, or the bank's reference."""
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
