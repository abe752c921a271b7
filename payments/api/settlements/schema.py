"""The calls about settlements in the OpenAPI document."""

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse

from payments.api.schema import Decorator, read
from payments.api.settlements import examples
from payments.api.settlements.serializers import (
    SETTLEMENT_ID_PATTERN,
    LinePageSerializer,
    SettlementFilterSerializer,
    SettlementLinePageSerializer,
    SettlementPageSerializer,
    SettlementSerializer,
)

_TAG = "Settlements"
_SETTLEMENT_ID = OpenApiParameter(
    "settlement_id",
    {"type": "string", "pattern": SETTLEMENT_ID_PATTERN},
    OpenApiParameter.PATH,
    description="The settlement's `id`.",
)

list_settlements: Decorator = read(
    "list_settlements",
    summary="List settlements",
    description="Newest first. Only settlements that match all given filters. There is one for each day, "
    "bank and currency with anything to settle.",
    response=OpenApiResponse(
        SettlementPageSerializer,
        description="A page.",
        examples=[OpenApiExample("page", summary="A page", value=examples.PAGE, response_only=True)],
    ),
    parameters=[SettlementFilterSerializer],
    tag=_TAG,
)
read_settlement: Decorator = read(
    "read_settlement",
    summary="Read a settlement",
    description="What is paid for one day, and what it consists of. It never changes: what turns out wrong "
    "is corrected in a later one.",
    response=OpenApiResponse(
        SettlementSerializer,
        description="The settlement.",
        examples=[
            OpenApiExample("paid", summary="Paid", value=examples.SETTLEMENT, response_only=True),
        ],
    ),
    parameters=[_SETTLEMENT_ID],
    tag=_TAG,
    errors={404: ["not_found"]},
)
list_settlement_lines: Decorator = read(
    "list_settlement_lines",
    summary="List a settlement's lines",
    description="The captures, refunds and corrections that it consists of, newest first.",
    response=OpenApiResponse(
        SettlementLinePageSerializer,
        description="A page.",
        examples=[OpenApiExample("page", summary="A page", value=examples.LINES, response_only=True)],
    ),
    parameters=[_SETTLEMENT_ID, LinePageSerializer],
    tag=_TAG,
    errors={404: ["not_found"]},
)
