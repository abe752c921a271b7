"""Refusals: FicPay's own no, almost always before any bank is asked; `ServiceUnavailable` may come after.

A refusal is not stored: a repeated request is judged again.

Each refusal is an exception that states a fact. Its code is defined in `payments.domain.problems`;
`payments.engine.responses` makes the response.
"""

from typing import ClassVar

from payments.domain.problems import PROBLEMS
from payments.domain.rates import WINDOW_SECONDS, Budget, Standing
from payments.models import Operation, PaymentForReceipt


class Refused(Exception):
    """A request that FicPay refuses.

    `next_step` tells the caller in a sentence what to do in this case; by default, what the code's problem
    says.
    """

    code: ClassVar[str]

    def __init__(
        self,
        detail: str,
        *,
        next_step: str = "",
        payment: PaymentForReceipt | None = None,
        operation: Operation | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.next_step = next_step
        self.payment = payment  # its receipt is in the response
        self.operation = operation  # the unfinished one that caused the refusal, for our records
        self.retry_after = retry_after  # seconds

    @property
    def status(self) -> int:
        return PROBLEMS[self.code].status

    @property
    def title(self) -> str:
        return PROBLEMS[self.code].title

    @property
    def money_moved(self) -> str:
        """Whether what the request asked for has been executed: `no`, or `unknown`."""
        return PROBLEMS[self.code].money_moved


NO_SUCH_PAYMENT = "There is no such payment."  # reads of the API say it too


class PaymentNotFound(Refused):
    code = "not_found"


class InvalidTransition(Refused):
    code = "invalid_transition"


class NotSupported(Refused):
    """The payment's bank does not carry out this kind of instruction."""

    code = "not_supported"


class AuthorizationExpired(Refused):
    code = "authorization_expired"


class OperationInProgress(Refused):
    code = "operation_in_progress"


class NeedsReview(Refused):
    code = "needs_review"


class OrderAlreadyHasPayment(Refused):
    code = "order_already_has_payment"


class AmountMismatch(Refused):
    code = "amount_mismatch"


class IdempotencyKeyInUse(Refused):
    code = "idempotency_key_in_use"


class IdempotencyKeyReused(Refused):
    code = "idempotency_key_reused"


class Overloaded(Refused):
    code = "overloaded"


class ServiceUnavailable(Refused):
    code = "service_unavailable"


class MerchantInactive(Refused):
    code = "permission_denied"


class MissingScope(Refused):
    """The API key may not be used for this call. Retrying with another key of the merchant may work."""

    code = "permission_denied"


class ApiKeyNotFound(Refused):
    """The merchant has no such API key in this mode, or it is not in force."""

    code = "not_found"


class TooManyApiKeys(Refused):
    code = "too_many_api_keys"


class RateLimited(Refused):
    """The merchant has used up this budget of its window. The request was not looked at."""

    code = "rate_limited"

    def __init__(self, standing: Standing) -> None:
        super().__init__(
            f"More than {standing.limit} {standing.budget} in {WINDOW_SECONDS} seconds.",
            retry_after=standing.ends_in,
        )
        self._is_of_a_retry = standing.budget is Budget.REPLAYS

    @property
    def money_moved(self) -> str:
        """A retry was not looked at, so what its first request came to is unknown here."""
        return "unknown" if self._is_of_a_retry else super().money_moved


class PaymentLocked(Refused):
    """Another transaction has locked the payment's row for too long. Nothing was recorded or sent."""

    code = "service_unavailable"
    money_moved = "no"
