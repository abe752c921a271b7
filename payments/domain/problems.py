"""Every error of the API: its cause, whether money moved, whether to retry, and what to do next.

This is the only place that defines them. Error responses, the OpenAPI document, the problem pages and the
tests are made from it. The texts address the engineers of a merchant's order service.
"""

from dataclasses import dataclass
from enum import Enum

from payments.domain.meanings import DECLINES
from payments.domain.states import OperationKind, PaymentState

TYPES = "/problems/"  # an error's `type` is this plus its code: a page on the instance that responded


class Again(Enum):
    """Whether to retry the same request, and with which idempotency key."""

    SAME_KEY = "Yes, with the same idempotency key."
    CORRECTED = (
        "Yes, once corrected. Nothing is stored for the idempotency key: reuse it or choose a new one."
    )
    LATER = "Yes, once the cause is gone. Nothing is stored for the idempotency key: reuse it."
    NEW_KEY = "Only with a new idempotency key. The old key returns its first response for 30 days."
    NO = "No. It would be refused again."


@dataclass(frozen=True)
class Problem:
    """One error code. `money_moved` is about this request, not about the payment's whole life."""

    status: int
    title: str
    cause: str
    again: Again
    next: str  # what to do next, unless a case below says more
    money_moved: str = "no"
    retry_after: int | None = None  # seconds: the default where waiting helps
    cases: tuple[tuple[str, str], ...] = ()  # (case, what to do next)


_KIND, _STATE = OperationKind, PaymentState
_NEW_PAYMENT = "Authorize a new payment for the order, with a new idempotency key."
_NOTHING_HELD = "Nothing to do: no money is held."
_NOTHING_TAKEN = "Nothing to do: no money was taken."
_NOTHING_EXECUTED = (
    "Nothing to do: the authorize was not executed. If a hold turns up later, FicPay releases it."
)
_AUTHORIZE_AGAIN = "The authorize was not executed. Send it again with its own idempotency key."
_ALREADY_CAPTURED = (
    "Nothing to do: it is already captured. A hold is captured only once; after a partial capture the rest "
    "is freed."
)
# What to do next if the payment's state does not allow the operation. Payments with an unfinished operation
# get `operation_in_progress` instead.
NEXT_IN_STATE: dict[tuple[OperationKind, PaymentState], str] = {
    (_KIND.CAPTURE, _STATE.CAPTURED): _ALREADY_CAPTURED,
    (_KIND.CAPTURE, _STATE.REFUNDED): "Nothing to do: it is already captured and refunded.",
    (_KIND.CAPTURE, _STATE.VOIDED): f"The hold was voided. {_NEW_PAYMENT}",
    (_KIND.CAPTURE, _STATE.DECLINED): f"The card was declined and nothing is held. {_NEW_PAYMENT}",
    (_KIND.CAPTURE, _STATE.FAILED): _AUTHORIZE_AGAIN,
    (_KIND.VOID, _STATE.CAPTURED): "The money has been taken: refund the payment instead.",
    (_KIND.VOID, _STATE.REFUNDED): "Nothing to do: the money has already been refunded.",
    (_KIND.VOID, _STATE.VOIDED): "Nothing to do: it is already voided.",
    (_KIND.VOID, _STATE.EXPIRED): "Nothing to do: the hold has expired and FicPay releases it.",
    (_KIND.VOID, _STATE.DECLINED): _NOTHING_HELD,
    (_KIND.VOID, _STATE.FAILED): _NOTHING_EXECUTED,
    (_KIND.REFUND, _STATE.AUTHORIZED): "The money is held but not taken: void the payment instead.",
    (_KIND.REFUND, _STATE.REFUNDED): "Nothing to do: it is already refunded.",
    (_KIND.REFUND, _STATE.VOIDED): _NOTHING_TAKEN,
    (_KIND.REFUND, _STATE.EXPIRED): _NOTHING_TAKEN,
    (_KIND.REFUND, _STATE.DECLINED): _NOTHING_TAKEN,
    (_KIND.REFUND, _STATE.FAILED): _NOTHING_TAKEN,
}
# What to do instead if the payment's bank does not support the operation.
NEXT_WITHOUT: dict[OperationKind, str] = {
    _KIND.CAPTURE: "Nothing to do: this bank settles authorized payments by itself. Ship when the order's "
    "`ready_to_ship` is true.",
    _KIND.VOID: "Ask FicPay's staff to have the bank free the hold.",
    _KIND.REFUND: "Ask FicPay's staff to have the bank refund the money.",
}
_WAIT = "Read the payment until its `pending_operation` is null, then decide again."
# What to do next if the order already has a live payment, by that payment's state.
ORDER_UNFINISHED = (
    "The payment in `payment` is unfinished. Repeat the request that started it, with its own idempotency "
    "key, or read the payment until its `pending_operation` is null."
)
NEXT_OF_ORDER: dict[PaymentState, str] = {
    _STATE.PENDING: ORDER_UNFINISHED,
    _STATE.AUTHORIZED: "Use the payment in `payment`. To change the amount or the card, void it first.",
    _STATE.CAPTURED: "Nothing to do: the order is paid. It can have a new payment only after a full refund.",
}
_SAME_AGAIN = "Send the same request again with the same idempotency key."
NEXT_WITHOUT_SCOPE = "Use a key that has the scope, or create one: scopes of a key cannot be changed."
NEXT_GRANTING = "Leave the scope out, or use a key that has it."
NEXT_INACTIVE = "Ask FicPay's operators to activate the merchant."
NEXT_OF_READ = "Send the request again."  # for requests that change nothing
NEXT_AT_NO_ADDRESS = "Check the URL. The API is documented at /api/docs/."

_NEW_CARD = "You may use the same order id."
PROBLEMS: dict[str, Problem] = {
    "validation_error": Problem(
        400,
        "The request is invalid",
        "The URL, a header or the body does not match the documentation. `errors` lists every invalid field.",
        Again.CORRECTED,
        "Correct what `detail` and `errors` name, then send the request again.",
    ),
    "idempotency_key_missing": Problem(
        400,
        "The idempotency key is missing",
        "The POST has no `Idempotency-Key` header.",
        Again.CORRECTED,
        "Send a new random key with each new operation, and the same key with every retry of it.",
    ),
    "idempotency_key_invalid": Problem(
        400,
        "The idempotency key is invalid",
        "The `Idempotency-Key` header must be 1 to 255 visible ASCII characters without commas, and must not "
        "contain the card number.",
        Again.CORRECTED,
        "Send a random UUID with each new operation, and the same one with every retry of it.",
    ),
    "authentication_failed": Problem(
        401,
        "Authentication failed",
        "The `Authorization` header is missing, or its API key is unknown, expired or disabled.",
        Again.CORRECTED,
        "Send an API key in the `Authorization` header. A key with the scope `keys` creates others; "
        "FicPay's operators issue the first one.",
    ),
    "insufficient_funds": Problem(
        402,
        "The card was declined",
        DECLINES["insufficient_funds"],
        Again.NEW_KEY,
        f"Ask the customer for another card and authorize with a new idempotency key. {_NEW_CARD}",
    ),
    "card_expired": Problem(
        402,
        "The card was declined",
        DECLINES["card_expired"],
        Again.NEW_KEY,
        f"Ask the customer for another card and authorize with a new idempotency key. {_NEW_CARD}",
    ),
    "invalid_card": Problem(
        402,
        "The card was declined",
        DECLINES["invalid_card"],
        Again.NEW_KEY,
        "Ask the customer to check the card number or to use another card, and authorize with a new "
        f"idempotency key. {_NEW_CARD}",
    ),
    "invalid_cvv": Problem(
        402,
        "The card was declined",
        DECLINES["invalid_cvv"],
        Again.NEW_KEY,
        "Ask the customer for the security code again and authorize with a new idempotency key. The old key "
        f"returns this same response whatever the code. {_NEW_CARD}",
    ),
    "declined": Problem(
        402,
        "The card was declined",
        DECLINES["declined"],
        Again.NEW_KEY,
        f"Ask the customer for another card and authorize with a new idempotency key. {_NEW_CARD}",
    ),
    "permission_denied": Problem(
        403,
        "Permission denied",
        "The API key lacks a scope that this call needs, its merchant is not active, or the request used "
        "`http://` where only `https://` is accepted.",
        Again.LATER,
        NEXT_WITHOUT_SCOPE,
        cases=(
            ("The API key lacks a scope", NEXT_WITHOUT_SCOPE),
            ("A new key would have a scope that this key lacks", NEXT_GRANTING),
            ("The merchant is not active", NEXT_INACTIVE),
            (
                "The request used `http://`",
                "Send the request over https://; the old key was sent unencrypted, so have it replaced.",
            ),
        ),
    ),
    "not_found": Problem(
        404,
        "Not found",
        "There is nothing at this URL, or this merchant has no such payment, order or settlement in the "
        "API key's mode.",
        Again.NO,
        "Check the id. A test key finds only test payments, and a live key only live ones.",
    ),
    "method_not_allowed": Problem(
        405,
        "Method not allowed",
        "This URL does not support the method. The `Allow` header lists the methods it supports.",
        Again.NO,
        "Use a method that the `Allow` header lists.",
    ),
    "request_timeout": Problem(
        408,
        "The body did not arrive",
        "The request body did not arrive within 10 seconds. Nothing was recorded or sent.",
        Again.SAME_KEY,
        _SAME_AGAIN,
    ),
    "invalid_transition": Problem(
        409,
        "The payment's state does not allow this",
        "Only an AUTHORIZED payment can be captured or voided, and only a CAPTURED one refunded.",
        Again.NO,
        "Read the payment's `state`: it determines which operations are possible.",
        cases=tuple(
            (f"{kind.capitalize()} of a payment that is {state}", text)
            for (kind, state), text in NEXT_IN_STATE.items()
        ),
    ),
    "operation_in_progress": Problem(
        409,
        "Another operation of this payment is unfinished",
        "A payment can have only one operation at a time, and the one in `pending_operation` is unfinished.",
        Again.LATER,
        _WAIT,
        retry_after=2,
    ),
    "needs_review": Problem(
        409,
        "An operation of this payment is under review",
        "FicPay cannot find out by itself how an operation ended. FicPay's staff resolve it.",
        Again.LATER,
        "Wait for FicPay's staff: read the payment until its `pending_operation` is null. Do not ship "
        "before then.",
    ),
    "not_supported": Problem(
        409,
        "The payment's bank does not support this operation",
        "Not every bank supports captures, voids and refunds. Nothing was recorded or sent.",
        Again.NO,
        "Settle it outside FicPay. `detail` names the operation that the bank does not support.",
        cases=tuple((f"{kind.capitalize()} at such a bank", text) for kind, text in NEXT_WITHOUT.items()),
    ),
    "authorization_expired": Problem(
        409,
        "The authorization has expired",
        "The hold expired before the capture. No money was taken, and FicPay releases the hold.",
        Again.NO,
        _NEW_PAYMENT,
    ),
    "order_already_has_payment": Problem(
        409,
        "The order already has a live payment",
        "An order can have only one payment that is PENDING, AUTHORIZED or CAPTURED. `payment` shows it.",
        Again.LATER,
        _SAME_AGAIN,
        cases=(
            ("An operation of the payment is unfinished", ORDER_UNFINISHED),
            *(
                (f"The payment is {state}", text)
                for state, text in NEXT_OF_ORDER.items()
                if text != ORDER_UNFINISHED
            ),
            ("The payment has just ended", _SAME_AGAIN),
        ),
    ),
    "idempotency_key_in_use": Problem(
        409,
        "The first request with this idempotency key is unfinished",
        "The same request arrived again within 20 seconds, while the first one is still waiting for the "
        "bank.",
        Again.SAME_KEY,
        "Send the same request again after `Retry-After` seconds with the same idempotency key, or read the "
        "payment.",
        money_moved="unknown",
        retry_after=2,
    ),
    "too_many_api_keys": Problem(
        409,
        "Too many API keys",
        "A merchant may have at most 100 API keys in force in each mode.",
        Again.LATER,
        "Disable keys that are no longer used: `last_used_at` says which.",
    ),
    "payload_too_large": Problem(
        413,
        "Payload too large",
        "The body is larger than 64 KiB.",
        Again.CORRECTED,
        "Send a smaller body. Shorten `description` or `metadata`.",
    ),
    "unsupported_media_type": Problem(
        415,
        "Unsupported media type",
        "The body is not declared as UTF-8 JSON, or it is compressed.",
        Again.CORRECTED,
        "Send an uncompressed body with the header `Content-Type: application/json`.",
    ),
    "idempotency_key_reused": Problem(
        422,
        "The idempotency key was used for another request",
        "The key was first used with a different path or body. The security code (CVV) is not compared.",
        Again.NEW_KEY,
        "Use a new key for a new operation. To retry, send the first request unchanged.",
    ),
    "amount_mismatch": Problem(
        422,
        "The amount is not possible",
        "The amount is more than what is left, or it is a part and the payment's bank accepts only full "
        "amounts.",
        Again.CORRECTED,
        "Leave `amount` out to use all that is left.",
    ),
    "rate_limited": Problem(
        429,
        "Too many requests",
        "The merchant has sent as many requests in this minute as its limit allows. Writes, reads and "
        "retries are counted apart. Nothing was recorded or sent for this request.",
        Again.SAME_KEY,
        "Send the same request again after `Retry-After` seconds; a POST with the same idempotency key.",
        retry_after=60,
    ),
    "internal_error": Problem(
        500,
        "Internal error",
        "A bug in FicPay. It is logged with the request's id.",
        Again.SAME_KEY,
        _SAME_AGAIN,
        money_moved="unknown",
    ),
    "bank_unavailable": Problem(
        503,
        "The bank is unavailable",
        "The bank could not be reached, did not take the operation, or does not know it: it was not "
        "executed.",
        Again.SAME_KEY,
        "Send the same request again after `Retry-After` seconds with the same idempotency key. It starts "
        "over.",
        retry_after=30,
    ),
    "service_unavailable": Problem(
        503,
        "FicPay's database is unavailable",
        "FicPay cannot read or write its records right now. An operation already sent to the bank is not "
        "lost.",
        Again.SAME_KEY,
        _SAME_AGAIN,
        money_moved="unknown",
        retry_after=5,
    ),
    "overloaded": Problem(
        503,
        "Too many bank calls are in flight",
        "FicPay already has its maximum number of requests waiting for this bank. Nothing was recorded or "
        "sent.",
        Again.SAME_KEY,
        "Send the same request again after `Retry-After` seconds with the same idempotency key.",
        retry_after=5,
    ),
}


def type_of(code: str) -> str:
    """An error's `type`: the path of its page, on the instance that responded."""
    return f"{TYPES}{code}"
