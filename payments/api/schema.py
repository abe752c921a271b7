"""The OpenAPI document: every call with its examples and every error it can answer.

Used as decorators by the views (`@schema.capture`). Anything that answers otherwise than this says is a
defect, and the tests look for it.
"""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request

from payments.api import examples
from payments.api.fields import ID_SCHEMA
from payments.api.problem_examples import problem
from payments.api.serializers import (
    PAYMENT_ID_PATTERN,
    AuthorizeSerializer,
    EventListSerializer,
    OperationSerializer,
    OrderStatusSerializer,
    PageSerializer,
    PaymentFilterSerializer,
    PaymentPageSerializer,
    ProblemSerializer,
    ReceiptSerializer,
)
from payments.domain.meanings import DECLINES

_PROBLEM = "application/problem+json"
_JSON = "application/json"
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

# The codes of each status; every call can answer those of `_ALWAYS`, every POST those of `_POST` too.
_ALWAYS = {
    400: ["validation_error"],
    401: ["authentication_failed"],
    403: ["permission_denied"],
    500: ["internal_error"],
    503: ["service_unavailable"],
}
_POST = {
    400: ["validation_error", "idempotency_key_missing", "idempotency_key_invalid"],
    408: ["request_timeout"],
    413: ["payload_too_large"],
    415: ["unsupported_media_type"],
    422: ["idempotency_key_reused"],
    503: ["bank_unavailable", "overloaded", "service_unavailable"],
}
_OPERATION = {
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


def _problems(*groups: dict[int, list[str]]) -> dict[tuple[int, str], OpenApiResponse]:
    codes: dict[int, list[str]] = {}
    for group in groups:
        for status, more in group.items():
            codes[status] = [*more, *(code for code in codes.get(status, []) if code not in more)]
    return {
        (status, _PROBLEM): OpenApiResponse(
            ProblemSerializer,
            description=", ".join(f"`{code}`" for code in named),
            examples=[OpenApiExample(code, value=problem(code), response_only=True) for code in named],
        )
        for status, named in sorted(codes.items())
    }


def _receipt(description: str, example: dict[str, Any]) -> OpenApiResponse:
    return OpenApiResponse(ReceiptSerializer, description=description, examples=[_shown_as(example)])


def _shown_as(payment: dict[str, Any]) -> OpenApiExample:
    """An example of a receipt, named by its state: `captured`, `captured_refund_unfinished`."""
    pending = payment["pending_operation"]
    name = payment["state"].lower() + (f"_{pending}_unfinished" if pending else "")
    summary = payment["state"] + (f", the {pending} is unfinished" if pending else "")
    return OpenApiExample(name, summary=summary, value=payment, response_only=True)


_DOUBT = (
    "Unfinished: in flight or in doubt. Nothing is known to have failed. Send the same request again under "
    "the same key, or read the payment, until `pending_operation` is null; never use another key for it."
)
_PAYMENT_ID = OpenApiParameter(
    "payment_id",
    {"type": "string", "pattern": PAYMENT_ID_PATTERN},
    OpenApiParameter.PATH,
    description="The `id` of its receipt.",
)
_ORDER_ID = OpenApiParameter("order_id", ID_SCHEMA, OpenApiParameter.PATH, description="Yours.")
_CUSTOMER_ID = OpenApiParameter("customer_id", ID_SCHEMA, OpenApiParameter.PATH, description="Yours.")
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
_COMMON = [_REQUEST_ID, _REQUEST_ID_BACK, _AUTHENTICATE]


def _parameters_of_a_write(verb: str) -> list[OpenApiParameter]:
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
    return [*_COMMON, key, _LOCATION, _RETRY_AFTER, _REPLAYED]


def _operation(
    verb: str, *, description: str, state: str, conflicts: list[str], example: dict[str, Any]
) -> Decorator:
    own = {409: [*conflicts, *_OPERATION[409]]}
    return extend_schema(
        operation_id=f"{verb}_payment",
        summary=f"{verb.capitalize()} a payment",
        description=description,
        tags=["Payments"],
        parameters=[_PAYMENT_ID, *_parameters_of_a_write(verb)],
        request={_JSON: OperationSerializer},
        examples=[
            OpenApiExample("in_full", summary="In full", value={}, request_only=True),
            OpenApiExample(
                "with_amount_and_reason",
                summary="With amount and reason",
                value={"amount": 5000, "reason": f"{verb} by the order service"},
                request_only=True,
            ),
        ],
        responses={
            (200, _JSON): _receipt(f"{state}.", example),
            (202, _JSON): _receipt(_DOUBT, examples.pending(verb)),
            **_problems(_ALWAYS, _POST, _OPERATION, own),
        },
    )


authorize: Decorator = extend_schema(
    operation_id="authorize_payment",
    summary="Authorize a payment",
    description="Hold an order's amount on the customer's card. An order has one live payment at a time. "
    "The card goes to the bank and is kept nowhere.",
    tags=["Payments"],
    parameters=_parameters_of_a_write("authorize"),
    request={_JSON: AuthorizeSerializer},
    examples=[
        OpenApiExample("order", summary="An order of $50.00", value=examples.AUTHORIZE, request_only=True)
    ],
    responses={
        (201, _JSON): _receipt("AUTHORIZED: the bank holds the money.", examples.AUTHORIZED),
        (202, _JSON): _receipt(_DOUBT, examples.pending("authorize")),
        **_problems(
            _ALWAYS,
            _POST,
            {
                402: list(DECLINES),
                409: ["order_already_has_payment", "idempotency_key_in_use"],
            },
        ),
    },
)
capture: Decorator = _operation(
    "capture",
    description="Take the money that was held, when the goods ship. Only an AUTHORIZED payment, once; of "
    "less than was held where its bank can, and the rest of the hold is released.",
    state="CAPTURED: the money is taken",
    conflicts=["authorization_expired"],
    example=examples.CAPTURED,
)
void: Decorator = _operation(
    "void",
    description="Release the hold, when the order is cancelled before shipping. Only an AUTHORIZED payment.",
    state="VOIDED: the hold is released",
    conflicts=[],
    example=examples.VOIDED,
)
refund: Decorator = _operation(
    "refund",
    description="Give captured money back, after a return. Only a CAPTURED payment; in parts where its bank "
    "can, until nothing is left: then it is REFUNDED.",
    state="REFUNDED: the money is given back",
    conflicts=[],
    example=examples.REFUNDED,
)


def _read(
    operation_id: str,
    *,
    summary: str,
    description: str,
    answer: OpenApiResponse,
    parameters: list[Any],
    tag: str = "Payments",
    errors: dict[int, list[str]] | None = None,
) -> Decorator:
    return extend_schema(
        operation_id=operation_id,
        summary=summary,
        description=description,
        tags=[tag],
        parameters=[*parameters, *_COMMON],
        responses={(200, _JSON): answer, **_problems(_ALWAYS, errors or {})},
    )


read_payment: Decorator = _read(
    "read_payment",
    summary="Read a receipt",
    description="The payment as FicPay knows it now.",
    answer=_receipt("The receipt.", examples.CAPTURED),
    parameters=[_PAYMENT_ID],
    errors={404: ["not_found"]},
)
list_payments: Decorator = _read(
    "list_payments",
    summary="List payments",
    description="Newest first. All given conditions must hold.",
    answer=OpenApiResponse(
        PaymentPageSerializer,
        description="A page.",
        examples=[
            OpenApiExample(
                "page", summary="A page", value=examples.page(examples.CAPTURED), response_only=True
            )
        ],
    ),
    parameters=[PaymentFilterSerializer],
)
read_events: Decorator = _read(
    "read_payment_events",
    summary="Read a payment's history",
    description="What happened to the payment, oldest first.",
    answer=OpenApiResponse(
        EventListSerializer,
        description="The history.",
        examples=[
            OpenApiExample("authorized", summary="An authorize", value=examples.EVENTS, response_only=True)
        ],
    ),
    parameters=[_PAYMENT_ID],
    errors={404: ["not_found"]},
)
read_order: Decorator = _read(
    "read_order",
    summary="May the order be shipped?",
    description="`ready_to_ship` is true for an AUTHORIZED payment whose hold has not run out and for a "
    "CAPTURED one, and false on any doubt.",
    answer=OpenApiResponse(
        OrderStatusSerializer,
        description="The order's payments and what they say.",
        examples=[OpenApiExample("ready", summary="Ready to ship", value=examples.ORDER, response_only=True)],
    ),
    parameters=[_ORDER_ID],
    tag="Orders and customers",
    errors={404: ["not_found"]},
)
list_customer_payments: Decorator = _read(
    "list_customer_payments",
    summary="List a customer's payments",
    description="Newest first. Empty for a customer nobody has heard of.",
    answer=OpenApiResponse(
        PaymentPageSerializer,
        description="A page.",
        examples=[
            OpenApiExample(
                "page", summary="A page", value=examples.page(examples.AUTHORIZED), response_only=True
            )
        ],
    ),
    parameters=[_CUSTOMER_ID, PageSerializer],
    tag="Orders and customers",
)


_METHOD_NOT_ALLOWED = {
    "description": "`method_not_allowed`",
    "headers": {
        "Allow": {
            "schema": {"type": "string"},
            "description": "The methods that the address takes, as `GET, HEAD`.",
        },
        "X-Request-ID": {
            "schema": {"type": "string"},
            "description": "The id under which FicPay logged this request.",
        },
    },
    "content": {
        _PROBLEM: {
            "schema": {"$ref": "#/components/schemas/Problem"},
            "examples": {"method_not_allowed": {"value": problem("method_not_allowed")}},
        }
    },
}
_TO_THE_PAYMENT = {"parameters": {"payment_id": "$response.body#/id"}}


def _link(operation_id: str, description: str) -> dict[str, Any]:
    return {"operationId": operation_id, "description": description, **_TO_THE_PAYMENT}


_READS = {
    "receipt": _link("read_payment", "Read the payment as it is now."),
    "history": _link("read_payment_events", "Read the payment's history."),
}
# Where a response leads, by operation and status.
_LINKS = {
    ("authorize_payment", "201"): {
        "capture": _link("capture_payment", "Take the money when the goods ship."),
        "void": _link("void_payment", "Release the hold when the order is cancelled."),
        **_READS,
    },
    ("authorize_payment", "202"): _READS,
    ("capture_payment", "200"): {
        "refund": _link("refund_payment", "Give the money back after a return."),
        **_READS,
    },
    ("capture_payment", "202"): _READS,
    ("void_payment", "200"): _READS,
    ("void_payment", "202"): _READS,
    ("refund_payment", "200"): _READS,
    ("refund_payment", "202"): _READS,
}


def finish(result: dict[str, Any], *, request: Request | None = None, **_: Any) -> dict[str, Any]:
    """Finish the document: 405 for every call, which no view can describe, each error's example once, where
    responses lead, that unknown fields are refused, and which server has given the document.
    """
    if request is not None:
        result["servers"] = [{"url": request.build_absolute_uri("/").rstrip("/")}]
    shared: dict[str, Any] = {}
    for operations in result["paths"].values():
        for operation in operations.values():
            operation["responses"]["405"] = deepcopy(_METHOD_NOT_ALLOWED)
            for status, response in operation["responses"].items():
                if (operation["operationId"], status) in _LINKS:
                    response["links"] = _LINKS[operation["operationId"], status]
                content = response["content"].get(_PROBLEM)
                if content:
                    own = {example["value"]["code"]: example for example in content["examples"].values()}
                    shared |= own
                    content["examples"] = {code: {"$ref": f"#/components/examples/{code}"} for code in own}
    result["components"]["examples"] = dict(sorted(shared.items()))
    for name, schema in result["components"]["schemas"].items():
        if name.endswith("Request"):
            schema["additionalProperties"] = False  # as StrictSerializer has it
            for field in schema["properties"].values():
                _say_once_that_blank_will_do(field)
    return result


def _say_once_that_blank_will_do(field: dict[str, Any]) -> None:
    """Our texts' patterns match the empty string, which drf-spectacular allows a second time."""
    match field:
        case {"oneOf": [dict(text), {"type": "string", "maxLength": 0}]}:
            del field["oneOf"]
            field |= text
