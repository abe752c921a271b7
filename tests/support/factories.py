"""Rows for tests, made as plain functions. What a test cares about it passes; the rest is sensible.

    merchant = make_merchant()
    payment = make_payment(merchant=merchant, state=PaymentState.CAPTURED, card_last4="4242")
    capture = make_operation(payment, kind=OperationKind.CAPTURE, state=OperationState.SUCCEEDED)
    make_attempt(capture, result=Attempt.Result.SILENT)
    make_event(payment, Event.Type.PAYMENT_CAPTURED, operation=capture)

They are made up: a payment made here has no operations and no events unless the test makes them, which the
database would refuse in life. So its guards are off meanwhile; states are reached by the models' transitions.
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from payments.domain.ids import new_id
from payments.domain.replies import Said
from payments.domain.states import Mode, OperationKind, OperationState, PaymentState
from payments.models import ApiKey, Attempt, Event, Merchant, Operation, Payment
from payments.usecases.merchants import create_merchant
from tests.support.unguarded import unguarded

BANK_PREFIXES = {
    OperationKind.AUTHORIZE: "auth_",
    OperationKind.CAPTURE: "cap_",
    OperationKind.VOID: "void_",
    OperationKind.RELEASE: "void_",
    OperationKind.REFUND: "ref_",
}
_HOLD_LASTS = timedelta(days=7)  # as the bank's contract has it


def make_merchant(slug: str = "ficmart", **fields: Any) -> Merchant:
    """The merchant of that slug; the same one for the same slug."""
    merchant = create_merchant(slug=slug, name="FicMart")
    if fields:
        Merchant.objects.filter(pk=merchant.pk).update(**fields)
        merchant.refresh_from_db()
    return merchant


def make_api_key(merchant: Merchant | None = None, mode: Mode = Mode.LIVE) -> tuple[ApiKey, str]:
    """A key in force, and its plain text."""
    plain = ApiKey.generate(mode)
    key = ApiKey.objects.create(
        merchant=merchant or make_merchant(), mode=mode, digest=ApiKey.digest_of(plain), last4=plain[-4:]
    )
    return key, plain


def bank_reference(kind: OperationKind) -> str:
    """A new id as the bank makes them: `auth_` and a lower-case UUID, and so on."""
    return f"{BANK_PREFIXES[kind]}{uuid4()}"


def make_payment(
    state: PaymentState = PaymentState.PENDING,
    *,
    merchant: Merchant | None = None,
    at: datetime | None = None,
    **fields: Any,
) -> Payment:
    """A payment in the state, by way of the states before it.

    `fields` are the model's, `created_at` included. `at` dates the transitions (now, UTC). Bank references
    are made up unless `bank_authorization_id`, `bank_capture_id`, `bank_void_id` or `bank_refund_id` are
    given, all of it is captured unless `captured_minor` says how much, `refunded_minor` is given back of what
    is CAPTURED, and a decline is `insufficient_funds` unless `decline_code` is.
    """
    reached = {name: fields.pop(name, None) for name in _SET_BY_TRANSITIONS}
    payment_id = new_id()
    defaults: dict[str, Any] = {
        "id": payment_id,
        "merchant": merchant or make_merchant(),
        "mode": Mode.LIVE,
        "bank": "ficmart",
        "order_id": f"order-{payment_id.hex[:12]}",
        "customer_id": "customer-1",
        "amount_minor": 5000,
        "currency": "USD",
        "card_brand": "visa",
        "card_last4": "1111",
        "card_expiry_month": 12,
        "card_expiry_year": 2030,
    }
    with unguarded():
        payment = Payment.objects.create(**defaults | fields)
        _move(payment, state, reached, at or datetime.now(UTC))
    return payment


def make_operation(
    payment: Payment | None,
    kind: OperationKind = OperationKind.AUTHORIZE,
    state: OperationState = OperationState.OPEN,
    **fields: Any,
) -> Operation:
    """An operation of the payment (None: a release of a hold nobody claims), without attempts or events.

    A successful one gets the payment's bank reference of its kind, or a made up one, and a refused one the
    code `insufficient_funds` or `authorization_expired`; `bank_reference` and `outcome_code` give it others.
    """
    reference = fields.pop("bank_reference", None)
    code = fields.pop("outcome_code", None)
    finished_at = fields.pop("finished_at", None)
    defaults: dict[str, Any] = {
        "payment": payment,
        "kind": kind,
        "bank": payment.bank if payment else "ficmart",
        "amount_minor": payment.amount_minor if payment else 5000,
        "currency": payment.currency if payment else "USD",
        "target_reference": _target(payment, kind),
        "bank_idempotency_key": uuid4().hex,
        "lease_expires_at": datetime.now(UTC) + timedelta(seconds=45),
        "actor": "api_key:1",
        "request_id": "request-1",
    }
    with unguarded():
        operation = Operation.objects.create(**defaults | fields)
        if state is not OperationState.OPEN:
            _end(operation, state, finished_at, reference, code)
    return operation


def make_attempt(
    operation: Operation,
    number: int = 1,
    result: Attempt.Result | None = Attempt.Result.ANSWERED,
    **fields: Any,
) -> Attempt:
    """An attempt that ended so after 120 ms; `result=None` makes one whose end is not recorded."""
    started_at = fields.pop("started_at", None) or datetime.now(UTC)
    defaults: dict[str, Any] = {
        "operation": operation,
        "number": number,
        "epoch": operation.lease_epoch,
        "started_at": started_at,
    }
    if result is not None:
        defaults |= {
            "result": result,
            "said": {
                Attempt.Result.ANSWERED: Said.APPROVED,
                Attempt.Result.SILENT: Said.SILENCE,
                Attempt.Result.NOT_SENT: Said.NOT_SENT,
            }[result],
            "ended_at": started_at + timedelta(milliseconds=120),
            "duration_ms": 120,
            "in_doubt": result is Attempt.Result.SILENT,
            "reply": {
                Attempt.Result.ANSWERED: "200",
                Attempt.Result.SILENT: "read timeout",
                Attempt.Result.NOT_SENT: "connection refused",
            }[result],
        }
    if result is Attempt.Result.ANSWERED:
        defaults |= {"http_status": 200, "is_replay": False, "bank_reference": operation.bank_reference}
    with unguarded():
        return Attempt.objects.create(**defaults | fields)


def make_event(
    payment: Payment | None, event_type: Event.Type, *, operation: Operation | None = None, **fields: Any
) -> Event:
    """An event of the payment, now unless `at` says when."""
    defaults: dict[str, Any] = {
        "payment": payment,
        "operation": operation,
        "type": event_type,
        "actor": "api_key:1",
        "request_id": "request-1",
    }
    with unguarded():
        return Event.objects.create(**defaults | fields)


_ROADS: dict[PaymentState, tuple[PaymentState, ...]] = {
    PaymentState.PENDING: (),
    PaymentState.AUTHORIZED: (PaymentState.AUTHORIZED,),
    PaymentState.CAPTURED: (PaymentState.AUTHORIZED, PaymentState.CAPTURED),
    PaymentState.REFUNDED: (PaymentState.AUTHORIZED, PaymentState.CAPTURED, PaymentState.REFUNDED),
    PaymentState.VOIDED: (PaymentState.AUTHORIZED, PaymentState.VOIDED),
    PaymentState.EXPIRED: (PaymentState.AUTHORIZED, PaymentState.EXPIRED),
    PaymentState.DECLINED: (PaymentState.DECLINED,),
    PaymentState.FAILED: (PaymentState.FAILED,),
}
_SET_BY_TRANSITIONS = (
    *("bank_authorization_id", "bank_capture_id", "bank_void_id", "bank_refund_id"),
    *("decline_code", "authorization_expires_at", "captured_minor", "refunded_minor"),
)


def _end(
    operation: Operation,
    state: OperationState,
    finished_at: datetime | None,
    reference: str | None,
    code: str | None,
) -> None:
    if state is OperationState.NEEDS_REVIEW:
        operation.become_needs_review()
    else:
        operation.finished_at = finished_at or datetime.now(UTC)
    if state is OperationState.SUCCEEDED:
        operation.become_succeeded()
        operation.bank_reference = reference or _made(operation.payment, OperationKind(operation.kind))
    elif state is OperationState.DECLINED:
        operation.become_declined()
        operation.outcome_code = code or "insufficient_funds"
    elif state is OperationState.REJECTED:
        operation.become_rejected()
        operation.outcome_code = code or "authorization_expired"
    elif state is OperationState.NOT_EXECUTED:
        operation.become_not_executed()
        operation.outcome_code = code or "bank_unavailable"
    operation.save()


def _move(payment: Payment, state: PaymentState, given: dict[str, Any], at: datetime) -> None:
    """Through the states one by one: the database refuses to skip one, too."""
    for step in _ROADS[state]:
        match step:
            case PaymentState.AUTHORIZED:
                payment.become_authorized(
                    reference=given["bank_authorization_id"] or bank_reference(OperationKind.AUTHORIZE),
                    expires_at=given["authorization_expires_at"] or at + _HOLD_LASTS,
                    at=at,
                )
            case PaymentState.CAPTURED:
                reference = given["bank_capture_id"] or bank_reference(OperationKind.CAPTURE)
                amount = given["captured_minor"] or payment.amount_minor
                payment.become_captured(amount_minor=amount, reference=reference, at=at)
                if part := given["refunded_minor"]:
                    refund = given["bank_refund_id"] or bank_reference(OperationKind.REFUND)
                    payment.refund_part(amount_minor=part, reference=refund)
            case PaymentState.REFUNDED:
                reference = given["bank_refund_id"] or bank_reference(OperationKind.REFUND)
                payment.become_refunded(reference=reference, at=at)
            case PaymentState.VOIDED:
                reference = given["bank_void_id"] or bank_reference(OperationKind.VOID)
                payment.become_voided(reference=reference, at=at)
            case PaymentState.EXPIRED:
                payment.become_expired(at=at)
            case PaymentState.DECLINED:
                payment.become_declined(code=given["decline_code"] or "insufficient_funds", at=at)
            case PaymentState.FAILED:
                payment.become_failed(at=at)
        payment.save()


def _target(payment: Payment | None, kind: OperationKind) -> str:
    """What the operation is about, in the bank's words."""
    if kind is OperationKind.AUTHORIZE:
        return ""
    if kind is OperationKind.REFUND:
        return (payment and payment.bank_capture_id) or bank_reference(OperationKind.CAPTURE)
    return (payment and payment.bank_authorization_id) or bank_reference(OperationKind.AUTHORIZE)


def _made(payment: Payment | None, kind: OperationKind) -> str:
    """The reference of what the operation made, as its payment has it."""
    if payment is None:
        return bank_reference(kind)
    known = {
        OperationKind.AUTHORIZE: payment.bank_authorization_id,
        OperationKind.CAPTURE: payment.bank_capture_id,
        OperationKind.VOID: payment.bank_void_id,
        OperationKind.REFUND: payment.bank_refund_id,
    }
    return known.get(kind) or bank_reference(kind)
