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
# The codes of each status; every call can answer those of `ALWAYS`, every POST those of `POST` too.
ALWAYS = {
    400: ["validation_error"],
    401: ["authentication_failed"],
    403: ["permission_denied"],
    500: ["internal_error"],
    503: ["service_unavailable"],
}
POST = {
    400: ["validation_error", "idempotency_key_missing", "idempotency_key_invalid"],
    408: ["request_timeout"],
    413: ["payload_too_large"],
    415: ["unsupported_media_type"],
    422: ["idempotency_key_reused"],
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
    """How drf-spectacular describes the API keys."""

    target_class = "payments.api.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        description = (
            "`Authorization: Bearer sk_test_...` for test payments, which move no money, `sk_live_...` for "
            "real ones. "
            "A key belongs to a merchant and a mode, which never see another's data."
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
    """An example of a receipt, named by its state: `captured`, `captured_refund_unfinished`."""
    pending = payment["pending_operation"]
    name = payment["state"].lower() + (f"_{pending}_unfinished" if pending else "")
    summary = payment["state"] + (f", the {pending} is unfinished" if pending else "")
    return OpenApiExample(name, summary=summary, value=payment, response_only=True)


IN_DOUBT = (
    "Unfinished: in flight or in doubt. Nothing is known to have failed. Send the same request again under "
    "the same key, or read the payment, until `pending_operation` is null; never use another key for it."
)
PAYMENT_ID = OpenApiParameter(
    "payment_id",
    {"type": "string", "pattern": PAYMENT_ID_PATTERN},
    OpenApiParameter.PATH,
    description="The `id` of its receipt.",
)
ORDER_ID = OpenApiParameter("order_id", ID_SCHEMA, OpenApiParameter.PATH, description="Yours.")
CUSTOMER_ID = OpenApiParameter("customer_id", ID_SCHEMA, OpenApiParameter.PATH, description="Yours.")
_REQUEST_ID = OpenApiParameter(
    "X-Request-ID",
    {"type": "string"},
    OpenApiParameter.HEADER,
    description="Yours, for finding this request again: 1 to 64 of `A-Za-z0-9._:/+=-`. Else one is made.",
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
    description="The payment's path, if the response is about one. To be resolved against this server.",
)
_RETRY_AFTER = OpenApiParameter(
    "Retry-After",
    {"type": "integer"},
    OpenApiParameter.HEADER,
    response=[202, 409, 503],
    description="Seconds to wait before looking or asking again.",
)
_REPLAYED = OpenApiParameter(
    "Idempotent-Replayed",
    {"type": "string", "enum": ["true"]},
    OpenApiParameter.HEADER,
    response=[200, 201, 402, 409],
    description="Present where this is the stored answer to an earlier request with the same key.",
)
_AUTHENTICATE = OpenApiParameter(
    "WWW-Authenticate", {"type": "string"}, OpenApiParameter.HEADER, response=[401], description="`Bearer`."
)
COMMON = [_REQUEST_ID, _REQUEST_ID_BACK, _AUTHENTICATE]


def parameters_of_post(verb: str) -> list[OpenApiParameter]:
    # Each call's example is its own, so that trying one call after the other works as it stands.
    key = OpenApiParameter(
        "Idempotency-Key",
        {"type": "string", "pattern": "^[\\x21-\\x2b\\x2d-\\x7e]{1,255}$"},
        OpenApiParameter.HEADER,
        required=True,
        description="1 to 255 visible ASCII characters without comma, once, new for every new instruction, "
        "the same for every retry of it. The same request gets the first one's final answer, to the byte; "
        "while that one is unfinished a 409, and from 20 seconds on a 202; a new start after a 503 "
        "`bank_unavailable`. "
        "Another request with the key is a 422. Keys are kept 30 days.",
        examples=[OpenApiExample(f"{verb}_key", value=f"{verb}-order-1001-b5c1a5f0")],
    )
    return [*COMMON, key, _LOCATION, _RETRY_AFTER, _REPLAYED]
