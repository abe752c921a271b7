"""What we say no to ourselves, before any bank is asked. Nothing is stored: a refused request is judged anew.

Each refusal is an exception that states a fact; `payments.services.answers` gives it its form.
"""

from typing import ClassVar

from payments.models import Operation, Payment


class Refused(Exception):
    """A request that FicPay refuses. `next_step` tells the caller, in a sentence, what to do now."""

    status: ClassVar[int]
    code: ClassVar[str]
    title: ClassVar[str]
    next_step: ClassVar[str] = ""
    money_moved: ClassVar[str] = "no"

    def __init__(
        self,
        detail: str,
        *,
        payment: Payment | None = None,
        operation: Operation | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.payment = payment  # shown with its receipt as it is now
        self.operation = operation  # the one that stands in the way, for our own records
        self.retry_after = retry_after  # seconds


NO_SUCH_PAYMENT = "There is no such payment."  # reads of the API say it too


class PaymentNotFound(Refused):
    status, code, title = 404, "not_found", "Not found"


class InvalidTransition(Refused):
    status, code, title = 409, "invalid_transition", "The payment's state does not allow this"
    next_step = "Read the payment's state; it says which operations are left."


class AuthorizationExpired(Refused):
    status, code, title = 409, "authorization_expired", "The authorization has expired"
    next_step = "Authorize a new payment for the order."


class OperationInProgress(Refused):
    status, code, title = 409, "operation_in_progress", "Another operation of this payment is unfinished"
    next_step = "Read the payment until `pending_operation` is null, then decide again."


class NeedsReview(Refused):
    status, code, title = 409, "needs_review", "An operation of this payment is under review"
    next_step = "FicPay's staff settle it; read the payment until `pending_operation` is null."


class OrderAlreadyHasPayment(Refused):
    status, code, title = 409, "order_already_has_payment", "The order already has a live payment"
    next_step = "Use the payment shown here, or void it before authorizing another."


class AmountMismatch(Refused):
    status, code, title = 422, "amount_mismatch", "The amount is not the payment's"
    next_step = "Send the payment's full amount, or leave `amount` out."


class IdempotencyKeyInUse(Refused):
    status, code, title = (
        409,
        "idempotency_key_in_use",
        "The first request with this idempotency key is unfinished",
    )
    next_step = "Send the same request again after `Retry-After`, or read the payment."
    money_moved = "unknown"


class IdempotencyKeyReused(Refused):
    status, code, title = 422, "idempotency_key_reused", "The idempotency key was used for another request"
    next_step = "Use a new key for every new instruction."


class Overloaded(Refused):
    status, code, title = 503, "overloaded", "Too many bank calls are in flight"
    next_step = "Nothing was recorded or sent: send the same request again after `Retry-After`."


class ServiceUnavailable(Refused):
    status, code, title = 503, "service_unavailable", "FicPay's database is unavailable"
    next_step = (
        "Read the payment or the order before doing anything else; do not use another idempotency key."
    )
    money_moved = "unknown"
