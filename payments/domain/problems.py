"""Every error of the API: its cause, whether money has moved, whether to send it again, what to do.

The only place that knows. Answers, the OpenAPI document, the pages that an error's `type` names and the tests
read it. Sentences are for the engineers of a merchant's order service.
"""

from dataclasses import dataclass
from enum import Enum

from payments.domain.meanings import DECLINES
from payments.domain.states import OperationKind, PaymentState

TYPES = "/problems/"  # an error's `type` is this and its code: an address on the instance that answered


class Again(Enum):
    """Whether the same request may be sent again, and under which idempotency key."""

    SAME_KEY = "Yes: the same request with the same idempotency key."
    CORRECTED = "Once corrected. Nothing is stored under the idempotency key: keep it or take a new one."
    LATER = "Once what stands in the way has ended. Nothing is stored under the idempotency key: keep it."
    NEW_KEY = "Only with a new idempotency key. The old one repeats its first answer for 30 days."
    NO = "No: it would be refused again."


@dataclass(frozen=True)
class Problem:
    """One code. `money_moved` is about the request that is answered, not about the payment's life."""

    status: int
    title: str
    cause: str
    again: Again
    next: str  # what to do now, where no case says it better
    money_moved: str = "no"
    retry_after: int | None = None  # seconds, where waiting helps and nobody knows better
    cases: tuple[tuple[str, str], ...] = ()  # in which case to do what, where it depends


_KIND, _STATE = OperationKind, PaymentState
_NEW_PAYMENT = "Authorize a new payment for the order, with a new idempotency key."
_NOTHING_HELD = "Nothing is held; nothing to do."
_NOTHING_TAKEN = "No money was taken; nothing to do."
# What to do now where the payment's state does not allow the operation. While an operation is unfinished
# another code says so.
NEXT_IN_STATE: dict[tuple[OperationKind, PaymentState], str] = {
    (_KIND.CAPTURE, _STATE.CAPTURED): "Already captured. A hold is captured once, and what a part left of it "
    "is released; nothing to do.",
    (_KIND.CAPTURE, _STATE.REFUNDED): "Captured and given back already; nothing to do.",
    (_KIND.CAPTURE, _STATE.VOIDED): f"The hold was released. {_NEW_PAYMENT}",
    (_KIND.CAPTURE, _STATE.DECLINED): f"The card was declined and nothing is held. {_NEW_PAYMENT}",
    (
        _KIND.CAPTURE,
        _STATE.FAILED,
    ): "The authorize was not executed. Send it again with its own idempotency key.",
    (_KIND.VOID, _STATE.CAPTURED): "The money has been taken: refund the payment instead.",
    (_KIND.VOID, _STATE.REFUNDED): "The money has been given back already; nothing to do.",
    (_KIND.VOID, _STATE.VOIDED): "Already voided; nothing to do.",
    (_KIND.VOID, _STATE.EXPIRED): "The hold ran out, and FicPay releases it; nothing to do.",
    (_KIND.VOID, _STATE.DECLINED): _NOTHING_HELD,
    (_KIND.VOID, _STATE.FAILED): "The authorize was not executed. A hold found later is released by FicPay; "
    "nothing to do.",
    (_KIND.REFUND, _STATE.AUTHORIZED): "The money is held but not taken: void the payment instead.",
    (_KIND.REFUND, _STATE.REFUNDED): "Already refunded; nothing to do.",
    (_KIND.REFUND, _STATE.VOIDED): _NOTHING_TAKEN,
    (_KIND.REFUND, _STATE.EXPIRED): _NOTHING_TAKEN,
    (_KIND.REFUND, _STATE.DECLINED): _NOTHING_TAKEN,
    (_KIND.REFUND, _STATE.FAILED): _NOTHING_TAKEN,
}
# What to do instead where the payment's bank does not carry out the operation.
NEXT_WITHOUT: dict[OperationKind, str] = {
    _KIND.CAPTURE: "Nothing to do: this bank settles what is authorized by itself. Ship when the order's "
    "`ready_to_ship` is true.",
    _KIND.VOID: "Ask FicPay's staff to have the bank release the hold.",
    _KIND.REFUND: "Ask FicPay's staff to have the bank give the money back.",
}
_WAIT = "Read the payment until its `pending_operation` is null, then decide again."
# What to do now where the order has a live payment: by its state, while nothing of it is unfinished.
ORDER_UNFINISHED = (
    "The payment shown here is unfinished: send the request that began it again, with its own idempotency "
    "key, or read the payment until its `pending_operation` is null."
)
NEXT_OF_ORDER: dict[PaymentState, str] = {
    _STATE.PENDING: ORDER_UNFINISHED,
    _STATE.AUTHORIZED: "Use the payment shown here. For another amount or card, void it first.",
    _STATE.CAPTURED: "The order is paid; nothing to do. Only a refund frees it for another payment.",
}
_SAME_AGAIN = "Send the same request again, with the same idempotency key."
NEXT_OF_READ = "Send the request again."  # where a request that changes nothing met a failure of ours
NEXT_AT_NO_ADDRESS = "Check the address: the API is described at /api/docs/."

_NEW_CARD = "The order's id may be used again."
PROBLEMS: dict[str, Problem] = {
    "validation_error": Problem(
        400,
        "The request is invalid",
        "The address, a header or the body is not as described. `errors` names every invalid field.",
        Again.CORRECTED,
        "Correct what `detail` and `errors` name, and send the request again.",
    ),
    "idempotency_key_missing": Problem(
        400,
        "The idempotency key is missing",
        "A POST came without the header `Idempotency-Key`.",
        Again.CORRECTED,
        "Send a new random key with every new instruction, and the same key with every retry of it.",
    ),
    "idempotency_key_invalid": Problem(
        400,
        "The idempotency key is invalid",
        "The header `Idempotency-Key` is not 1 to 255 visible ASCII characters without a comma, or holds the "
        "card's number.",
        Again.CORRECTED,
        "Send a random UUID with every new instruction, and the same one with every retry of it.",
    ),
    "authentication_failed": Problem(
        401,
        "Authentication failed",
        "The header `Authorization` is missing, or its API key is unknown or disabled.",
        Again.CORRECTED,
        "Send an API key in the header `Authorization`. FicPay's operators issue keys.",
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
        "Ask the customer to check the number, or for another card, and authorize with a new idempotency "
        f"key. {_NEW_CARD}",
    ),
    "invalid_cvv": Problem(
        402,
        "The card was declined",
        DECLINES["invalid_cvv"],
        Again.NEW_KEY,
        "Ask the customer for the security code again and authorize with a new idempotency key: under the "
        f"old one this answer is repeated, whatever the code. {_NEW_CARD}",
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
        "The key's merchant is not active, or the request came by `http://` to an instance that answers "
        "`https://` only.",
        Again.LATER,
        "Ask FicPay's operators to activate the merchant.",
        cases=(
            ("The merchant is not active", "Ask FicPay's operators to activate the merchant."),
            ("The request came by `http://`", "Send the request to https://, with a new API key."),
        ),
    ),
    "not_found": Problem(
        404,
        "Not found",
        "There is nothing at this address, or no such payment or order of this merchant in this key's mode.",
        Again.NO,
        "Check the id, and that the key is of the mode, test or live, in which the payment was made.",
    ),
    "method_not_allowed": Problem(
        405,
        "Method not allowed",
        "The address does not take this method. The header `Allow` lists those that it takes.",
        Again.NO,
        "Use a method that the header `Allow` lists.",
    ),
    "request_timeout": Problem(
        408,
        "The body did not arrive",
        "The body of the request was not there within 10 seconds. Nothing was recorded or sent.",
        Again.SAME_KEY,
        _SAME_AGAIN,
    ),
    "invalid_transition": Problem(
        409,
        "The payment's state does not allow this",
        "Only an AUTHORIZED payment can be captured or voided, and only a CAPTURED one refunded.",
        Again.NO,
        "Read the payment's `state`: it says which operations are left.",
        cases=tuple(
            (f"{kind.capitalize()} of a payment that is {state}", text)
            for (kind, state), text in NEXT_IN_STATE.items()
        ),
    ),
    "operation_in_progress": Problem(
        409,
        "Another operation of this payment is unfinished",
        "A payment has one operation at a time, and the one that `pending_operation` names is unfinished.",
        Again.LATER,
        _WAIT,
        retry_after=2,
    ),
    "needs_review": Problem(
        409,
        "An operation of this payment is under review",
        "What the bank said of an operation contradicts itself or our books. FicPay's staff settle it.",
        Again.LATER,
        "Nothing you send settles it: read the payment until its `pending_operation` is null, and do not "
        "ship before that.",
    ),
    "not_supported": Problem(
        409,
        "The payment's bank does not do this",
        "Not every bank captures, voids and refunds. Nothing was recorded or sent.",
        Again.NO,
        "Settle it outside FicPay: `detail` names what the bank does not do.",
        cases=tuple((f"{kind.capitalize()} at such a bank", text) for kind, text in NEXT_WITHOUT.items()),
    ),
    "authorization_expired": Problem(
        409,
        "The authorization has expired",
        "The hold ran out before the capture. No money was taken, and FicPay releases the hold.",
        Again.NO,
        _NEW_PAYMENT,
    ),
    "order_already_has_payment": Problem(
        409,
        "The order already has a live payment",
        "An order has one payment at a time that is PENDING, AUTHORIZED or CAPTURED. `payment` shows it.",
        Again.LATER,
        _SAME_AGAIN,
        cases=(
            ("An operation of the payment is unfinished", ORDER_UNFINISHED),
            *(
                (f"The payment is {state}", text)
                for state, text in NEXT_OF_ORDER.items()
                if text != ORDER_UNFINISHED
            ),
            ("The payment has ended at this moment", _SAME_AGAIN),
        ),
    ),
    "idempotency_key_in_use": Problem(
        409,
        "The first request with this idempotency key is unfinished",
        "The same request came again within 20 seconds, while the first one still waits for the bank.",
        Again.SAME_KEY,
        "Send the same request again after `Retry-After`, with the same idempotency key, or read the "
        "payment.",
        money_moved="unknown",
        retry_after=2,
    ),
    "payload_too_large": Problem(
        413,
        "Payload too large",
        "The body is larger than 64 KiB.",
        Again.CORRECTED,
        "Send less: `description` and `metadata` are what may be long.",
    ),
    "unsupported_media_type": Problem(
        415,
        "Unsupported media type",
        "The body is not declared as JSON in UTF-8, or is compressed.",
        Again.CORRECTED,
        "Send the header `Content-Type: application/json`.",
    ),
    "idempotency_key_reused": Problem(
        422,
        "The idempotency key was used for another request",
        "The key stands for a request with another path or body. The security code (CVV) is not compared.",
        Again.NEW_KEY,
        "For a new instruction send a new key. For a retry send the first request unchanged.",
    ),
    "amount_mismatch": Problem(
        422,
        "The amount is not possible",
        "More than is left was asked for, or a part of it at a bank that takes full amounts only.",
        Again.CORRECTED,
        "Leave `amount` out: then it is all that is left.",
    ),
    "internal_error": Problem(
        500,
        "Internal error",
        "A defect of FicPay. It is recorded under the request's id.",
        Again.SAME_KEY,
        _SAME_AGAIN,
        money_moved="unknown",
    ),
    "bank_unavailable": Problem(
        503,
        "The bank is unavailable",
        "The bank could not be reached, so the operation was not executed.",
        Again.SAME_KEY,
        "Send the same request again after `Retry-After`, with the same idempotency key: it starts anew.",
        retry_after=30,
    ),
    "service_unavailable": Problem(
        503,
        "FicPay's database is unavailable",
        "FicPay cannot read or write its records for the moment. What the bank was asked is not lost.",
        Again.SAME_KEY,
        _SAME_AGAIN,
        money_moved="unknown",
        retry_after=5,
    ),
    "overloaded": Problem(
        503,
        "Too many bank calls are in flight",
        "As many requests wait for the bank as FicPay lets wait. Nothing was recorded or sent.",
        Again.SAME_KEY,
        "Send the same request again after `Retry-After`, with the same idempotency key.",
        retry_after=5,
    ),
}


def type_of(code: str) -> str:
    """An error's `type`: where its page is, on the instance that answered."""
    return f"{TYPES}{code}"
