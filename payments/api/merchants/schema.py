"""The OpenAPI document of the calls about the merchant."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema

from payments.api.merchants import examples
from payments.api.merchants.response_serializers import (
    API_KEY_ID_PATTERN,
    ApiKeyListSerializer,
    DisabledApiKeySerializer,
    IssuedApiKeySerializer,
    MerchantSerializer,
)
from payments.api.merchants.serializers import CreateApiKeySerializer, RotateApiKeySerializer
from payments.api.schema import Decorator
from payments.api.schema_parts import (
    ALWAYS,
    BODY,
    COMMON,
    IDEMPOTENCY_KEY_SCHEMA,
    JSON,
    REPLAYED,
    problems,
)

_TAG = "Merchant and API keys"
_KEY_ID = OpenApiParameter(
    "key_id",
    {"type": "string", "pattern": API_KEY_ID_PATTERN},
    OpenApiParameter.PATH,
    description="The API key's `id`.",
)


def _response(serializer: Any, description: str, *named: tuple[str, dict[str, Any]]) -> OpenApiResponse:
    shown = [
        OpenApiExample(name, summary=name.replace("_", " ").capitalize(), value=value, response_only=True)
        for name, value in named
    ]
    return OpenApiResponse(serializer, description=description, examples=shown)


def _post(verb: str) -> list[OpenApiParameter]:
    key = OpenApiParameter(
        "Idempotency-Key",
        IDEMPOTENCY_KEY_SCHEMA,
        OpenApiParameter.HEADER,
        required=True,
        description="Makes a retry safe: the same request gets the key that the first one issued, but not "
        "its secret. Apart from the idempotency keys of payments.",
        examples=[OpenApiExample(f"{verb}_key", value=f"{verb}-api-key-3d0c")],
    )
    return [*COMMON, key, REPLAYED]


read_merchant: Decorator = extend_schema(
    operation_id="read_merchant",
    summary="Read about yourself",
    description="The merchant that the API key belongs to: its currencies, its limits, and the key. Needs no "
    "scope.",
    tags=[_TAG],
    parameters=COMMON,
    responses={
        (200, JSON): _response(MerchantSerializer, "The merchant.", ("merchant", examples.MERCHANT)),
        **problems(ALWAYS),
    },
)
list_api_keys: Decorator = extend_schema(
    operation_id="list_api_keys",
    summary="List API keys",
    description="Those of the mode of the key in use, newest first, without secrets. Keys that ended more "
    "than 30 days ago are left out. Needs the scope `keys`.",
    tags=[_TAG],
    parameters=COMMON,
    responses={
        (200, JSON): _response(ApiKeyListSerializer, "The keys.", ("keys", examples.KEYS)),
        **problems(ALWAYS),
    },
)
create_api_key: Decorator = extend_schema(
    operation_id="create_api_key",
    summary="Create an API key",
    description="A key for the same mode. The response has its secret, once. A key cannot give scopes that "
    "it lacks. Needs the scope `keys`.",
    tags=[_TAG],
    parameters=_post("create"),
    request={JSON: CreateApiKeySerializer},
    examples=[
        OpenApiExample("payments", summary="For payments only", value=examples.CREATE, request_only=True)
    ],
    responses={
        (201, JSON): _response(
            IssuedApiKeySerializer,
            "The new key.",
            ("created", examples.CREATED),
            ("repeated", examples.REPLAYED),
        ),
        **problems(ALWAYS, BODY, {409: ["too_many_api_keys"]}),
    },
)
rotate_api_key: Decorator = extend_schema(
    operation_id="rotate_api_key",
    summary="Rotate an API key",
    description="A new key with the old one's name and scopes. The old one works for another 24 hours, or "
    "for `overlap_seconds`. Needs the scope `keys` and all scopes of the old key.",
    tags=[_TAG],
    parameters=[_KEY_ID, *_post("rotate")],
    request={JSON: RotateApiKeySerializer},
    examples=[
        OpenApiExample("overlap", summary="A day to change over", value=examples.ROTATE, request_only=True)
    ],
    responses={
        (201, JSON): _response(
            IssuedApiKeySerializer, "The new key, and the old one.", ("rotated", examples.ROTATED)
        ),
        **problems(ALWAYS, BODY, {404: ["not_found"], 409: ["too_many_api_keys"]}),
    },
)
disable_api_key: Decorator = extend_schema(
    operation_id="disable_api_key",
    summary="Disable an API key",
    description="It fails the next request, in every process, and cannot be enabled again. This may be the "
    "key in use, or the last one. Repeating it changes nothing. Needs the scope `keys`.",
    tags=[_TAG],
    parameters=[_KEY_ID, *COMMON],
    request=None,
    responses={
        (200, JSON): _response(
            DisabledApiKeySerializer, "The key is disabled.", ("disabled", examples.DISABLED)
        ),
        **problems(ALWAYS, {404: ["not_found"]}),
    },
)
