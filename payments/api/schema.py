"""The OpenAPI document: every call with its examples and all its possible errors.

The views use these as decorators (`@schema.capture`). A response that differs from the document is a bug; the
tests look for it.
"""

from collections.abc import Callable
from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema

from payments.api import examples
from payments.api.response_serializers import (
    EventListSerializer,
    OrderStatusSerializer,
    PaymentPageSerializer,
)
from payments.api.schema_parts import (
    ALWAYS,
    COMMON,
    CUSTOMER_ID,
    IN_DOUBT,
    JSON,
    OPERATION,
    ORDER_ID,
    PAYMENT_ID,
    POST,
    parameters_of_post,
    problems,
    receipt,
)
from payments.api.serializers import (
    AuthorizeSerializer,
    OperationSerializer,
    PageSerializer,
    PaymentFilterSerializer,
)
from payments.domain.meanings import DECLINES

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def _operation(
    verb: str, *, description: str, state: str, conflicts: list[str], example: dict[str, Any]
) -> Decorator:
    own = {409: [*conflicts, *OPERATION[409]]}
    return extend_schema(
        operation_id=f"{verb}_payment",
        summary=f"{verb.capitalize()} a payment",
        description=description,
        tags=["Payments"],
        parameters=[PAYMENT_ID, *parameters_of_post(verb)],
        request={JSON: OperationSerializer},
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
            (200, JSON): receipt(f"{state}.", example),
            (202, JSON): receipt(IN_DOUBT, examples.pending(verb)),
            **problems(ALWAYS, POST, OPERATION, own),
        },
    )


authorize: Decorator = extend_schema(
    operation_id="authorize_payment",
    summary="Authorize a payment",
    description="Hold an order's amount on the customer's card. An order can have one live payment at a "
    "time. FicPay sends the card to the bank and never stores it.",
    tags=["Payments"],
    parameters=parameters_of_post("authorize"),
    request={JSON: AuthorizeSerializer},
    examples=[
        OpenApiExample("order", summary="An order of $50.00", value=examples.AUTHORIZE, request_only=True)
    ],
    responses={
        (201, JSON): receipt("AUTHORIZED: the bank holds the money.", examples.AUTHORIZED),
        (202, JSON): receipt(IN_DOUBT, examples.pending("authorize")),
        **problems(
            ALWAYS,
            POST,
            {
                402: list(DECLINES),
                409: ["order_already_has_payment", "idempotency_key_in_use"],
            },
        ),
    },
)
capture: Decorator = _operation(
    "capture",
    description="Take the held money when the goods ship. Only an AUTHORIZED payment can be captured, and "
    "only once. If its bank supports it, you can capture less; the rest of the hold is freed.",
    state="CAPTURED: the money is taken",
    conflicts=["authorization_expired"],
    example=examples.CAPTURED,
)
void: Decorator = _operation(
    "void",
    description="Void the hold when the order is cancelled before shipping. Only an AUTHORIZED payment "
    "can be voided.",
    state="VOIDED: the hold is freed",
    conflicts=[],
    example=examples.VOIDED,
)
refund: Decorator = _operation(
    "refund",
    description="Give captured money back after a return. Only a CAPTURED payment can be refunded. If its "
    "bank supports it, you can refund it in parts; it is REFUNDED once nothing is left.",
    state="REFUNDED: the money is given back",
    conflicts=[],
    example=examples.REFUNDED,
)


def read(
    operation_id: str,
    *,
    summary: str,
    description: str,
    response: OpenApiResponse,
    parameters: list[Any],
    tag: str = "Payments",
    errors: dict[int, list[str]] | None = None,
) -> Decorator:
    return extend_schema(
        operation_id=operation_id,
        summary=summary,
        description=description,
        tags=[tag],
        parameters=[*parameters, *COMMON],
        responses={(200, JSON): response, **problems(ALWAYS, errors or {})},
    )


read_payment: Decorator = read(
    "read_payment",
    summary="Read a receipt",
    description="The payment's current state.",
    response=receipt("The receipt.", examples.CAPTURED),
    parameters=[PAYMENT_ID],
    errors={404: ["not_found"]},
)
list_payments: Decorator = read(
    "list_payments",
    summary="List payments",
    description="Newest first. Only payments that match all given filters.",
    response=OpenApiResponse(
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
read_events: Decorator = read(
    "read_payment_events",
    summary="Read a payment's history",
    description="The payment's events, oldest first.",
    response=OpenApiResponse(
        EventListSerializer,
        description="The history.",
        examples=[
            OpenApiExample("authorized", summary="An authorize", value=examples.EVENTS, response_only=True)
        ],
    ),
    parameters=[PAYMENT_ID],
    errors={404: ["not_found"]},
)
read_order: Decorator = read(
    "read_order",
    summary="Check whether an order can be shipped",
    description="`ready_to_ship` is true if the order's payment is CAPTURED, or AUTHORIZED with a hold that "
    "has not expired. It is false if there is any doubt.",
    response=OpenApiResponse(
        OrderStatusSerializer,
        description="The order's status and its payments.",
        examples=[OpenApiExample("ready", summary="Ready to ship", value=examples.ORDER, response_only=True)],
    ),
    parameters=[ORDER_ID],
    tag="Orders and customers",
    errors={404: ["not_found"]},
)
list_customer_payments: Decorator = read(
    "list_customer_payments",
    summary="List a customer's payments",
    description="Newest first. The list is empty for an unknown customer.",
    response=OpenApiResponse(
        PaymentPageSerializer,
        description="A page.",
        examples=[
            OpenApiExample(
                "page", summary="A page", value=examples.page(examples.AUTHORIZED), response_only=True
            )
        ],
    ),
    parameters=[CUSTOMER_ID, PageSerializer],
    tag="Orders and customers",
)
