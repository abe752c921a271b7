"""The common case of an intent and of an outcome, each in one prepared statement (`statements`).

In any other case, or where a row is not as expected, nothing is written and None is returned. The careful
path (`intent`, `steps`, `record`) then does it or finds the reason to refuse it.
"""

import json
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.db import DatabaseError, InterfaceError, connection
from psycopg.types.numeric import Int4, Int8

from payments.domain.ids import new_id
from payments.domain.ledger import postings_between
from payments.domain.outcomes import Declined, Succeeded
from payments.domain.replies import Approval, Decline, evidence_of
from payments.domain.states import OperationKind, PaymentState
from payments.engine import leases, responses, statements
from payments.engine.abilities import abilities_of
from payments.engine.attempts import AttemptEnd
from payments.engine.capacity import timing_of
from payments.engine.claim import Again, MerchantRequest, New
from payments.engine.conclude import EFFECTS, RecordedOperation, apply_outcome
from payments.engine.leases import Fresh, Lease, boot_clock
from payments.engine.responses import ApiResponse
from payments.models import Event, Merchant, Operation, Payment, position_in_ledger

log = structlog.get_logger("payments.operations")

# The state that each step starts from.
_FROM = {
    OperationKind.CAPTURE: PaymentState.AUTHORIZED,
    OperationKind.VOID: PaymentState.AUTHORIZED,
    OperationKind.REFUND: PaymentState.CAPTURED,
}
_DATES = ("authorized_at", "captured_at", "refunded_at", "voided_at", "declined_at")
# A random time in this span is a placeholder for the outcome's time, which only the database knows. Nobody
# can guess it, so nothing else in a response is replaced.
_MARKS_FROM = datetime(9000, 1, 1, tzinfo=UTC)
_MARKS = 900 * 365 * 24 * 3600 * 1_000_000  # microseconds


def write_authorize(start: New | Again, payment: Payment) -> Lease | None:
    """Record a new payment with its authorize. Database errors pass through."""
    if not isinstance(start, New) or not isinstance(start.command, MerchantRequest):
        return None
    command = start.command
    operation = Operation(
        id=new_id(),
        payment=payment,
        kind=OperationKind.AUTHORIZE,
        bank=payment.bank,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        bank_idempotency_key=command.bank_key(OperationKind.AUTHORIZE, 0),
        actor=command.actor,
        request_id=command.request_id,
    )
    taken_at = boot_clock()
    row = statements.fetch(
        statements.AUTHORIZE,
        _intent_of(command, operation)
        | {
            "payment_id": payment.id,
            "event": Event.Type.PAYMENT_CREATED,
            "amount_minor": Int4(payment.amount_minor),
            "currency": payment.currency,
            "order_id": payment.order_id,
            "customer_id": payment.customer_id,
            "card_brand": payment.card_brand,
            "card_last4": payment.card_last4,
            "card_expiry_month": Int4(payment.card_expiry_month),
            "card_expiry_year": Int4(payment.card_expiry_year),
            "description": payment.description,
            "customer_email": payment.customer_email,
            "metadata": json.dumps(payment.metadata),
        },
    )
    if row is None:
        return None
    payment.created_at, operation.created_at = row
    return _first_lease(payment, operation, taken_at)


def takes_step(start: New, kind: OperationKind) -> bool:
    """Whether a step is a common case, as far as is known before its payment is locked.

    Not at a bank that takes parts: what is left of a payment is not in its row alone.
    """
    if not (start.bank and isinstance(start.command, MerchantRequest)):
        return False
    abilities = abilities_of(start.bank)
    return abilities.can(kind) and not abilities.takes_parts(kind)


def write_step(
    start: New,
    *,
    kind: OperationKind,
    event: Event.Type,
    payment_id: UUID,
    amount_minor: int | None,
    reason: str,
) -> Lease | None:
    """Record a capture, a void or a refund of all that is left. Database errors pass through."""
    command = start.command
    assert isinstance(command, MerchantRequest)  # noqa: S101 - `takes_step`
    operation = Operation(
        id=new_id(),
        kind=kind,
        bank=start.bank,
        bank_idempotency_key=command.bank_key(kind, 0),
        actor=command.actor,
        request_id=command.request_id,
        reason=reason,
    )
    taken_at = boot_clock()
    row = statements.fetch(
        statements.STEP,
        _intent_of(command, operation)
        | {
            "kind": kind,
            "payment_id": payment_id,
            "event": event,
            "state": _FROM[kind],
            "amount_minor": None if amount_minor is None else Int4(amount_minor),
            "reason": reason,
        },
    )
    if row is None:
        return None
    operation.amount_minor, operation.target_reference, operation.created_at, *held = row
    payment = _held(payment_id, command.merchant, command.mode, start.bank, held)
    operation.payment, operation.currency = payment, payment.currency
    return _first_lease(payment, operation, taken_at)


def _intent_of(command: MerchantRequest, operation: Operation) -> dict[str, Any]:
    """The parameters that both intents share."""
    fingerprint, fingerprint_key_id = command.fingerprint()
    return {
        "merchant_id": Int8(command.merchant.pk),
        "mode": command.mode,
        "idempotency_key": command.idempotency_key,
        "fingerprint": fingerprint,
        "fingerprint_key_id": fingerprint_key_id,
        "operation_id": operation.id,
        "bank": operation.bank,
        "bank_key": operation.bank_idempotency_key,
        "lease": timedelta(seconds=timing_of(operation.bank).lease),
        "actor": operation.actor,
        "request_id": operation.request_id,
    }


_SHOWN = (
    *("order_id", "customer_id", "amount_minor", "captured_minor", "refunded_minor", "currency", "state"),
    *("card_brand", "card_last4", "card_expiry_month", "card_expiry_year"),
    *("description", "customer_email", "metadata"),
    *("bank_authorization_id", "bank_capture_id", "bank_void_id", "bank_refund_id"),
    *("created_at", "authorization_expires_at", "authorized_at", "captured_at"),
)


def _held(payment_id: UUID, merchant: Merchant, mode: str, bank: str, columns: list[Any]) -> Payment:
    """The payment as `step.sql` has locked it."""
    shown = dict(zip(_SHOWN, columns, strict=True))
    shown["metadata"] = json.loads(shown["metadata"])
    return Payment(id=payment_id, merchant=merchant, mode=mode, bank=bank, **shown)


def _first_lease(payment: Payment, operation: Operation, taken_at: float) -> Lease:
    return leases.first_lease(operation, taken_at=taken_at, fresh=Fresh(payment, operation))


def conclude(lease: Lease, ended: AttemptEnd) -> RecordedOperation | None:
    """Record the outcome of an operation that its first attempt settled: a success or a decline.

    Tries once and never raises: the bank's reply must not be lost. On failure the careful path records it; it
    also notices when the commit succeeded and only its confirmation was lost.
    """
    try:
        return _conclude(lease, ended)
    except Exception as error:  # noqa: BLE001 - a defect, too
        connection.close()
        report = log.warning if isinstance(error, DatabaseError | InterfaceError) else log.exception
        report("not_recorded_at_once", operation=lease.operation_id.hex, error=type(error).__name__)
        return None


def _conclude(lease: Lease, ended: AttemptEnd) -> RecordedOperation | None:
    """Like `conclude`; database errors pass through."""
    fresh, outcome, reply = lease.fresh, ended.outcome, ended.reply
    if fresh is None or lease.attempt != 1:
        return None
    if not (isinstance(reply, Approval | Decline) and isinstance(outcome, Succeeded | Declined)):
        return None
    payment, operation = fresh.payment, fresh.operation
    before = {
        "old_state": payment.state,
        "old_captured_minor": Int4(payment.captured_minor),
        "old_refunded_minor": Int4(payment.refunded_minor),
        "old_authorization_id": payment.bank_authorization_id,
        "old_capture_id": payment.bank_capture_id,
    }
    position = position_in_ledger(payment)
    marked = _MARKS_FROM + timedelta(microseconds=secrets.randbelow(_MARKS))
    event = EFFECTS[lease.instruction.kind](operation, outcome, marked)
    apply_outcome(operation, outcome, marked)
    response, mark = responses.of_operation(payment, operation), str(responses.timestamp(marked))
    evidence, postings = evidence_of(reply), postings_between(position, position_in_ledger(payment))
    row = statements.fetch(
        statements.OUTCOME,
        before
        | _changes(payment, operation)
        | {
            "result": ended.result,
            "said": reply.said,
            "http_status": Int4(reply.status),
            "reply": evidence["reply"],
            "is_replay": evidence.get("replayed"),
            "duration_ms": Int4(ended.duration_ms),
            "hold_expires_at": reply.expires_at if isinstance(reply, Approval) else None,
            "event": event,
            "evidence": json.dumps({"attempt": 1, **evidence}),
            "status": Int4(response.status),
            "headers": json.dumps(dict(response.headers)),
            "body": response.body.decode(),
            "mark": mark,
            "accounts": [one.account.value for one in postings],
            "postings": [one.amount_minor for one in postings],
        },
    )
    return _as_recorded(payment, operation, response, mark, row[0]) if row else None


def _changes(payment: Payment, operation: Operation) -> dict[str, Any]:
    """The new values of both rows."""
    return {
        "payment_id": payment.id,
        "state": payment.state,
        "captured_minor": Int4(payment.captured_minor),
        "refunded_minor": Int4(payment.refunded_minor),
        "authorization_id": payment.bank_authorization_id,
        "capture_id": payment.bank_capture_id,
        "void_id": payment.bank_void_id,
        "refund_id": payment.bank_refund_id,
        "decline_code": payment.decline_code,
        "authorization_expires_at": payment.authorization_expires_at,
        "operation_id": operation.id,
        "kind": operation.kind,
        "operation_state": operation.state,
        "reference": operation.bank_reference,
        "outcome_code": operation.outcome_code,
        "strays_awaited": Int4(operation.strays_awaited),
    }


def _as_recorded(
    payment: Payment, operation: Operation, response: ApiResponse, mark: str, at: datetime
) -> RecordedOperation:
    """Both rows and the response with the outcome's real time, as the database has them now."""
    for name in _DATES:
        if getattr(payment, name) == operation.finished_at:
            setattr(payment, name, at)
    operation.finished_at = at
    body = response.body.replace(mark.encode(), str(responses.timestamp(at)).encode())
    return RecordedOperation(operation, payment, ApiResponse(response.status, body, response.headers))
