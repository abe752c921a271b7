"""What the calls of the OpenAPI document share: parameters, error responses and receipts."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse

from payments.api.fields import ID_SCHEMA
from payments.api.problem_examples import problem
from payments.api.response_serializers import PAYMENT_ID_PATTERN, ProblemSerializer, ReceiptSerializer

PROBLEM = "application/problem+json"
JSON = "application/json"
# Error codes by status: `ALWAYS` for every call, `BODY` for every POST, `POST` for those about payments,
# `OPERATION` for capture, void and refund.
ALWAYS = {
    400: ["validation_error"],
    401: ["authentication_failed"],
    403: ["permission_denied"],
    429: ["rate_limited"],
    500: ["internal_error"],
    503: ["service_unavailable"],
}
BODY = {
    400: ["validation_error", "idempotency_key_missing", "idempotency_key_invalid"],
    408: ["request_timeout"],
    413: ["payload_too_large"],
    415: ["unsupported_media_type"],
    422: ["idempotency_key_reused"],
}
POST = BODY | {
    503: ["bank_unavailable", "overloaded", "service_unavailable"],
}
OPERATION = {
    404: ["not_found"],
    409: [
        "invalid_transition",
        "not_supported",
        "operation_in_progress",
        "needs_review",
        "idempotency_key_in_use",
    ],
    422: ["idempotency_key_reused", "amount_mismatch"],
}


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Describes API keys to drf-spectacular."""

    target_class = "payments.api.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        description = (
            "`Authorization: Bearer sk_test_...` for test payments, which move no money, or `sk_live_...` "
            "for real ones. A key belongs to one merchant and one mode, and gives access only to their data. "
            "Its scopes say which calls it may make."
        )
        return {"type": "http", "scheme": "bearer", "description": description}


def problems(*groups: dict[int, list[str]]) -> dict[tuple[int, str], OpenApiResponse]:
    codes: dict[int, list[str]] = {}
    for group in groups:
        for status, more in group.items():
            codes[status] = [*more, *(code for code in codes.get(status, []) if code not in more)]
    return {
        (status, PROBLEM): OpenApiResponse(
            ProblemSerializer,
            description=", ".join(f"`{code}`" for code in named),
            examples=[OpenApiExample(code, value=problem(code), response_only=True) for code in named],
        )
        for status, named in sorted(codes.items())
    }


def receipt(description: str, example: dict[str, Any]) -> OpenApiResponse:
    return OpenApiResponse(ReceiptSerializer, description=description, examples=[_shown_as(example)])


def _shown_as(payment: dict[str, Any]) -> OpenApiExample:
    """An example of a receipt, named after its state: `captured`, `captured_refund_unfinished`."""
    pending = payment["pending_operation"]
    name = payment["state"].lower() + (f"_{pending}_unfinished" if pending else "")
    summary = payment["state"] + (f", the {pending} is unfinished" if pending else "")
    return OpenApiExample(name, summary=summary, value=payment, response_only=True)


IN_DOUBT = (
    "Unfinished: the operation is in flight or in doubt, and has not failed as far as FicPay knows. Send the "
    "same request again with the same key, or read the payment, until `pending_operation` is null. Never "
    "retry it with another key."
)
PAYMENT_ID = OpenApiParameter(
    "payment_id",
    {"type": "string", "pattern": PAYMENT_ID_PATTERN},
    OpenApiParameter.PATH,
    description="The payment's `id`.",
)
ORDER_ID = OpenApiParameter("order_id", ID_SCHEMA, OpenApiParameter.PATH, description="Your id of the order.")
CUSTOMER_ID = OpenApiParameter(
    "customer_id", ID_SCHEMA, OpenApiParameter.PATH, description="Your id of the customer."
)
_REQUEST_ID = OpenApiParameter(
    "X-Request-ID",
    {"type": "string"},
    OpenApiParameter.HEADER,
    description="Your id for finding this request in the logs: 1 to 64 characters of `A-Za-z0-9._:/+=-`. "
    "FicPay makes one if it is missing or invalid.",
)
_REQUEST_ID_BACK = OpenApiParameter(
    "X-Request-ID",
    {"type": "string"},
    OpenApiParameter.HEADER,
    response=True,
    description="The id under which FicPay logged this request.",
)
_LOCATION = OpenApiParameter(
    "Location",
    {"type": "string"},
    OpenApiParameter.HEADER,
    response=[200, 201, 202, 402, 409, 422, 503],
    description="The payment's URL, if the response is about one: a path on this server.",
)
_WAIT_FOR = "Seconds to wait before you retry, or read the payment."
_RETRY_AFTER = OpenApiParameter(
    "Retry-After",
    {"type": "integer"},
    OpenApiParameter.HEADER,
    response=[202, 409, 429, 503],
    description=_WAIT_FOR,
)
REPLAYED = OpenApiParameter(
    "Idempotent-Replayed",
    {"type": "string", "enum": ["true"]},
    OpenApiParameter.HEADER,
    response=[200, 201, 402, 409],
    description="Present if this is the stored response to an earlier request with the same key.",
)
_AUTHENTICATE = OpenApiParameter(
    "WWW-Authenticate", {"type": "string"}, OpenApiParameter.HEADER, response=[401], description="`Bearer`."
)
_POLICY = OpenApiParameter(
    "RateLimit-Policy",
    {"type": "string"},
    OpenApiParameter.HEADER,
    response=True,
    description='The rate limit that the request counts against, as `"writes";q=100;w=60`: 100 requests in '
    "60 seconds. Not on a 401.",
)
_STANDING = OpenApiParameter(
    "RateLimit",
    {"type": "string"},
    OpenApiParameter.HEADER,
    response=True,
    description='What is left of it, as `"writes";r=42;t=17`: 42 requests, until all are back in 17 seconds.',
)
_WAIT = OpenApiParameter(
    "Retry-After",
    {"type": "integer"},
    OpenApiParameter.HEADER,
    response=[429, 503],
    description=_WAIT_FOR,
)
_ALWAYS = [_REQUEST_ID, _REQUEST_ID_BACK, _AUTHENTICATE, _POLICY, _STANDING]
COMMON = [*_ALWAYS, _WAIT]
IDEMPOTENCY_KEY_SCHEMA = {"type": "string", "pattern": "^[\\x21-\\x2b\\x2d-\\x7e]{1,255}$"}


def parameters_of_post(verb: str) -> list[OpenApiParameter]:
    # Each call has its own example key, so that you can try all calls one after another.
    key = OpenApiParameter(
        "Idempotency-Key",
        IDEMPOTENCY_KEY_SCHEMA,
        OpenApiParameter.HEADER,
        required=True,
        description="1 to 255 visible ASCII characters without commas, in a single header. Use a new key "
        "for each new operation, and the same key for every retry of it. Once the operation has ended, the "
        "same request gets its stored response, byte for byte. While it is unfinished, the same request "
        "gets a 409, and after 20 seconds a 202. After a 503 `bank_unavailable` it starts over. A "
        "different request with the same key gets a 422. Keys are kept for 30 days.",
        examples=[OpenApiExample(f"{verb}_key", value=f"{verb}-order-1001-b5c1a5f0")],
    )
    return [*_ALWAYS, key, _LOCATION, _RETRY_AFTER, REPLAYED]
