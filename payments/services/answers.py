"""From what is recorded to status, headers and bytes. One place, so that every answer says the same.

Whoever finishes an operation makes its answer here: the request that waited, the bank thread that
outlived it, and recovery.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from payments.domain.meanings import DECLINES
from payments.domain.states import OperationKind, OperationState, PaymentState
from payments.models import Operation, Payment
from payments.services.refusals import Refused

JSON = "application/json"
PROBLEM = "application/problem+json"
RETRY_AFTER_SECONDS = 2  # what a client that got a 202 should wait before it looks again


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, finished to the byte."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


def receipt(payment: Payment, pending: str | None) -> dict[str, Any]:
    """The payment as the API shows it. Amounts in cents, times RFC 3339 in UTC.

    `pending` is the kind of the payment's unfinished operation, if it has one.
    """
    return {
        "id": payment.public_id,
        "order_id": payment.order_id,
        "customer_id": payment.customer_id,
        "amount": payment.amount_cents,
        "currency": payment.currency,
        "state": payment.state,
        "pending_operation": pending,
        "money_moved": _money_moved(payment, pending),
        "card": {
            "brand": payment.card_brand,
            "last4": payment.card_last4,
            "expiry_month": payment.card_expiry_month,
            "expiry_year": payment.card_expiry_year,
        },
        "bank": {
            "authorization_id": payment.bank_authorization_id or None,
            "capture_id": payment.bank_capture_id or None,
            "void_id": payment.bank_void_id or None,
            "refund_id": payment.bank_refund_id or None,
        },
        "decline": _decline(payment),
        "captured_amount": payment.captured_amount_cents,
        "refunded_amount": payment.refunded_amount_cents,
        "description": payment.description or None,
        "customer_email": payment.customer_email or None,
        "metadata": payment.metadata,
        "authorization_expires_at": timestamp(payment.authorization_expires_at),
        "created_at": timestamp(payment.created_at),
        "pending_at": timestamp(payment.created_at),
        "authorized_at": timestamp(payment.authorized_at),
        "captured_at": timestamp(payment.captured_at),
        "refunded_at": timestamp(payment.refunded_at),
        "voided_at": timestamp(payment.voided_at),
        "expired_at": timestamp(payment.expired_at),
        "declined_at": timestamp(payment.declined_at),
        "failed_at": timestamp(payment.failed_at),
    }


def timestamp(moment: datetime | None) -> str | None:
    """RFC 3339 in UTC with microseconds: `2026-11-21T09:30:00.123456Z`."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def of_operation(payment: Payment, operation: Operation) -> Answer:
    """The answer to the request that instructed this operation, as it stands."""
    match OperationState(operation.state):
        case OperationState.SUCCEEDED:
            status = 201 if operation.kind == OperationKind.AUTHORIZE else 200
            return Answer(status, _json(receipt(payment, None)), _headers(JSON, payment))
        case OperationState.OPEN | OperationState.NEEDS_REVIEW:
            headers = _headers(JSON, payment) | {"Retry-After": str(RETRY_AFTER_SECONDS)}
            return Answer(202, _json(receipt(payment, operation.kind)), headers)
        case OperationState.DECLINED:
            return _unsuccessful(
                payment,
                operation,
                status=402,
                title="The card was declined",
                detail=DECLINES[operation.outcome_code],
                next_step="Ask the customer for another card and authorize with a new idempotency key.",
            )
        case OperationState.REJECTED:
            return _unsuccessful(
                payment,
                operation,
                status=409,
                title="The authorization has expired",
                detail="The hold ran out before the capture. No money was taken; the hold is released.",
                next_step="Authorize a new payment for the order.",
            )
        case OperationState.NOT_EXECUTED:
            return _unsuccessful(
                payment,
                operation,
                status=503,
                code="bank_unavailable",
                title="The bank is unavailable",
                detail=f"The bank could not be reached, so the {operation.kind} was not executed.",
                next_step="Send the same request again after `Retry-After`, with the same idempotency key.",
                retry_after=30,
            )


def of_refusal(refusal: Refused, *, request_id: str) -> Answer:
    """The answer to a request we refuse. Where it names a payment, that needs `with_pending_operation`."""
    payment = refusal.payment
    return problem(
        status=refusal.status,
        code=refusal.code,
        title=refusal.title,
        detail=refusal.detail,
        request_id=request_id,
        payment=receipt(payment, payment.pending_kind) if payment else None,
        money_moved=refusal.money_moved,
        next_step=refusal.next_step,
        headers={"Retry-After": str(refusal.retry_after)} if refusal.retry_after else {},
    )


def problem(
    *,
    status: int,
    code: str,
    title: str,
    detail: str,
    request_id: str,
    errors: list[dict[str, str]] | None = None,
    payment: dict[str, Any] | None = None,
    money_moved: str | None = None,
    next_step: str = "",
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """An error as RFC 9457 has it. `errors` are `{field, code, detail}`, one for every invalid field."""
    body: dict[str, Any] = {
        "type": f"urn:ficpay:error:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request_id,
    }
    optional = {"errors": errors, "payment": payment, "money_moved": money_moved, "next": next_step}
    body |= {name: value for name, value in optional.items() if value}
    return Answer(status, _json(body), {"Content-Type": PROBLEM, **(headers or {})})


def _unsuccessful(
    payment: Payment,
    operation: Operation,
    *,
    status: int,
    title: str,
    detail: str,
    next_step: str,
    code: str = "",
    retry_after: int | None = None,
) -> Answer:
    headers = {"Location": location(payment)}
    if retry_after:
        headers["Retry-After"] = str(retry_after)
    return problem(
        status=status,
        code=code or operation.outcome_code,
        title=title,
        detail=detail,
        request_id=operation.request_id,
        payment=receipt(payment, None),
        money_moved="no",
        next_step=next_step,
        headers=headers,
    )


def location(payment: Payment) -> str:
    """Where the payment can be read."""
    return f"/api/v1/payments/{payment.public_id}"


def _headers(content_type: str, payment: Payment) -> dict[str, str]:
    return {"Content-Type": content_type, "Location": location(payment)}


def _money_moved(payment: Payment, pending: str | None) -> str:
    """Whether the customer's money has been taken: a hold takes none, an unfinished operation might."""
    if pending is not None:
        return "unknown"
    return "yes" if payment.state in (PaymentState.CAPTURED, PaymentState.REFUNDED) else "no"


def _decline(payment: Payment) -> dict[str, str] | None:
    if not payment.decline_code:
        return None
    return {"code": payment.decline_code, "message": DECLINES[payment.decline_code]}


def _json(body: dict[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
