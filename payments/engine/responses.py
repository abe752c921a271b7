"""Responses: status, headers and body, made from the recorded rows.

All responses are made here, so that they agree whether the waiting request, its bank thread or recovery
finishes the operation.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self
from uuid import UUID

from payments.domain.ids import OPERATION_PREFIX, public_id
from payments.domain.meanings import DECLINES
from payments.domain.problems import PROBLEMS, type_of
from payments.domain.states import Mode, OperationKind, OperationState, PaymentState
from payments.engine.refusals import Refused
from payments.models import Operation, Payment, PaymentForReceipt, ended_operations, refunds_made

JSON = "application/json"
PROBLEM = "application/problem+json"
RETRY_AFTER_SECONDS = 2  # after a 202


@dataclass(frozen=True)
class ApiResponse:
    """An HTTP response: status, body bytes and headers."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RefundMade:
    """Money given back by one refund, in minor units of the payment's currency."""

    id: UUID
    amount_minor: int
    reason: str
    reference: str  # empty where the bank's id is not known
    at: datetime

    @classmethod
    def of(cls, operation: Operation) -> Self:
        """Raises ValueError for one that is unfinished."""
        if operation.finished_at is None:
            raise ValueError(f"{operation} is unfinished")
        reference = operation.bank_reference
        return cls(operation.id, operation.amount_minor, operation.reason, reference, operation.finished_at)

    @classmethod
    def all_of(cls, payment: Payment) -> list[Self]:
        """The refunds of a payment that this transaction may have changed, the oldest first."""
        return (
            [cls.of(one) for one in refunds_made().filter(payment=payment)] if payment.refunded_minor else []
        )

    @classmethod
    def read_with(cls, payment: PaymentForReceipt) -> list[Self]:
        """The oldest first."""
        return [
            cls(
                UUID(one["id"]),
                one["amount"],
                one["reason"],
                one["reference"],
                datetime.fromisoformat(one["at"]),
            )
            for one in payment.refunds
        ]

    def shown(self) -> dict[str, Any]:
        return {
            "id": public_id(OPERATION_PREFIX, self.id),
            "amount": self.amount_minor,
            "reason": self.reason or None,
            "bank_reference": self.reference or None,
            "refunded_at": timestamp(self.at),
        }


@dataclass(frozen=True)
class OperationEnd:
    """How an operation ended. `code` says why it did not succeed."""

    kind: str
    state: str
    code: str
    at: datetime

    @classmethod
    def of(cls, operation: Operation) -> Self:
        """Raises ValueError for an operation that is unfinished."""
        if operation.finished_at is None:
            raise ValueError(f"{operation} is unfinished")
        return cls(operation.kind, operation.state, operation.outcome_code, operation.finished_at)

    @classmethod
    def last_of(cls, payment: PaymentForReceipt) -> Self | None:
        facts = payment.last_ended
        if facts is None:
            return None
        return cls(facts["kind"], facts["state"], facts["code"], datetime.fromisoformat(facts["at"]))

    def shown(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "outcome": self.state.lower(),
            "code": self.code or None,
            "at": timestamp(self.at),
        }


def receipt_of(payment: PaymentForReceipt) -> dict[str, Any]:
    """The payment's receipt, from what was read with it."""
    return receipt(
        payment, payment.pending_kind, OperationEnd.last_of(payment), RefundMade.read_with(payment)
    )


def receipt(
    payment: Payment, pending: str | None, last: OperationEnd | None, refunds: list[RefundMade]
) -> dict[str, Any]:
    """The payment as the API shows it. Amounts in the currency's minor unit, times RFC 3339 in UTC.

    `pending` is the kind of the payment's unfinished operation, if it has one; `last` is how the latest
    finished one ended; `refunds` are those that the bank has made, the oldest first.
    """
    return {
        "id": payment.public_id,
        "livemode": payment.mode == Mode.LIVE,
        "order_id": payment.order_id,
        "customer_id": payment.customer_id,
        "amount": payment.amount_minor,
        "currency": payment.currency,
        "state": payment.state,
        "pending_operation": pending,
        "last_operation": last and last.shown(),
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
        "captured_amount": payment.captured_minor,
        "refunded_amount": payment.refunded_minor,
        "refunds": [one.shown() for one in refunds],
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


def of_operation(payment: Payment, operation: Operation) -> ApiResponse:
    """The response to the request that instructed this operation, as it stands."""
    match OperationState(operation.state):
        case OperationState.SUCCEEDED:
            status = 201 if operation.kind == OperationKind.AUTHORIZE else 200
            return ApiResponse(status, _json(_as_it_ended(payment, operation)), _headers(JSON, payment))
        case OperationState.OPEN | OperationState.NEEDS_REVIEW:
            headers = _headers(JSON, payment) | {"Retry-After": str(RETRY_AFTER_SECONDS)}
            refunds = RefundMade.all_of(payment)
            shown = receipt(payment, operation.kind, _ended_before(operation), refunds)
            return ApiResponse(202, _json(shown), headers)
        case OperationState.DECLINED:
            return _unsuccessful(
                payment,
                operation,
                code=operation.outcome_code,
                detail=DECLINES[operation.outcome_code],
            )
        case OperationState.REJECTED:
            return _unsuccessful(
                payment,
                operation,
                code=operation.outcome_code,
                detail="The hold expired before the capture. No money was taken; the hold is released.",
            )
        case OperationState.NOT_EXECUTED:
            return _unsuccessful(
                payment,
                operation,
                code="bank_unavailable",
                detail=_why_not_executed(operation),
            )


# By `NotExecuted.code`.
WHY_NOT_EXECUTED = {
    "bank_unavailable": "The bank could not be reached, so the {} was not executed.",
    "not_taken_by_bank": "The bank did not take the {}, so it was not executed.",
    "not_found_at_bank": "The bank was asked twice and does not know the {}: it was not executed.",
    "found_by_people": "FicPay's staff have established, on evidence, that the {} was not executed.",
    "ruled_out_by_statement": "The bank's statement shows that the {} was not executed.",
}


def _why_not_executed(operation: Operation) -> str:
    why = WHY_NOT_EXECUTED.get(operation.outcome_code, "The {} was not executed.")
    return why.format(operation.kind)


def of_refusal(refusal: Refused, *, request_id: str, writes: bool = True) -> ApiResponse:
    """The response to a request that FicPay refuses. `writes`: it could have moved money."""
    return problem(
        refusal.code,
        detail=refusal.detail,
        request_id=request_id,
        writes=writes,
        payment=receipt_of(refusal.payment) if refusal.payment else None,
        next_step=refusal.next_step,
        money_moved=refusal.money_moved,
        retry_after=refusal.retry_after,
        headers={"Location": location(refusal.payment)} if refusal.payment else {},
    )


def problem(
    code: str,
    *,
    detail: str,
    request_id: str,
    writes: bool = True,
    errors: list[dict[str, str]] | None = None,
    payment: dict[str, Any] | None = None,
    next_step: str = "",
    money_moved: str = "",
    retry_after: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> ApiResponse:
    """A problem document (RFC 9457). Defaults for its code are in `payments.domain.problems`.

    `errors` are `{field, code, detail}`, one per invalid field. `writes`: the request could have moved money,
    so the body says whether it did. The receipt inside omits its own `money_moved`, which is about the whole
    payment.
    """
    known = PROBLEMS[code]
    body: dict[str, Any] = {
        "type": type_of(code),
        "title": known.title,
        "status": known.status,
        "detail": detail,
        "code": code,
        "request_id": request_id,
    }
    optional = {
        "errors": errors,
        "payment": payment and {name: value for name, value in payment.items() if name != "money_moved"},
        "money_moved": (money_moved or known.money_moved) if writes else None,
        "next": next_step or known.next,
    }
    body |= {name: value for name, value in optional.items() if value}
    all_headers = {"Content-Type": PROBLEM, **(headers or {})}
    if wait := retry_after or known.retry_after:
        all_headers["Retry-After"] = str(wait)
    return ApiResponse(known.status, _json(body), all_headers)


def _unsuccessful(payment: Payment, operation: Operation, *, code: str, detail: str) -> ApiResponse:
    return problem(
        code,
        detail=detail,
        request_id=operation.request_id,
        payment=_as_it_ended(payment, operation),
        headers={"Location": location(payment)},
    )


def _as_it_ended(payment: Payment, operation: Operation) -> dict[str, Any]:
    is_only_one = operation.kind == OperationKind.REFUND and operation.amount_minor == payment.refunded_minor
    refunds = [RefundMade.of(operation)] if is_only_one else RefundMade.all_of(payment)
    return receipt(payment, None, OperationEnd.of(operation), refunds)


def _ended_before(operation: Operation) -> OperationEnd | None:
    """How the payment's previous operation ended; None before an authorize."""
    if operation.kind == OperationKind.AUTHORIZE:
        return None
    last = ended_operations().filter(payment=operation.payment_id).first()
    return OperationEnd.of(last) if last else None


def location(payment: Payment) -> str:
    """The payment's URL path."""
    return f"/api/v1/payments/{payment.public_id}"


def _headers(content_type: str, payment: Payment) -> dict[str, str]:
    return {"Content-Type": content_type, "Location": location(payment)}


def _money_moved(payment: Payment, pending: str | None) -> str:
    """Whether the customer's money has been taken. A hold takes none; an unfinished operation may."""
    if pending is not None:
        return "unknown"
    return "yes" if payment.state in (PaymentState.CAPTURED, PaymentState.REFUNDED) else "no"


def _decline(payment: Payment) -> dict[str, str] | None:
    if not payment.decline_code:
        return None
    return {"code": payment.decline_code, "message": DECLINES[payment.decline_code]}


def _json(body: dict[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
