"""How the API judges what it is sent, as functions: no HTTP, no key, no database.

What they say reaches a client as it is; `TestAllAtOnce` and its like send the same over HTTP.
"""

import json
from io import BytesIO
from typing import Any

from rest_framework.exceptions import APIException

from payments.api.errors import error_response
from payments.api.field_errors import FIELD_ERRORS
from payments.api.fields import StrictSerializer
from payments.api.parsers import StrictJSONParser
from payments.api.serializers import AuthorizeSerializer, OperationSerializer
from tests.support.api_client import CARDS, ApiResponse

NUMBER = CARDS["visa"]["number"]
ROUTES = {"USD": "ficmart", "EUR": "acquirer"}


def named(error: dict[str, Any]) -> dict[str, str]:
    """The invalid fields and their codes, of a 400 that repeats no card number."""
    assert (error["status"], error["code"]) == (400, "validation_error"), error
    assert NUMBER not in json.dumps(error, ensure_ascii=False)
    codes = {each["field"]: each["code"] for each in error["errors"]}
    assert set(codes.values()) <= FIELD_ERRORS.keys()
    return codes


def problems(answer: ApiResponse) -> dict[str, str]:
    """What a POST's response says is invalid."""
    assert answer.json["money_moved"] == "no"
    return named(answer.json)


def problems_of_read(answer: ApiResponse) -> dict[str, str]:
    """What a GET's response says is invalid."""
    return named(answer.json)


def refusal(kind: type[StrictSerializer], content: bytes) -> dict[str, Any] | None:
    """The error that a body is refused with; None for one that is taken."""
    try:
        body = StrictJSONParser().parse(BytesIO(content), "application/json")
        kind(data=body, context={"routes": ROUTES}).is_valid(raise_exception=True)
    except APIException as error:
        refused: dict[str, Any] = json.loads(error_response(error, "", writes=True).body)
        assert refused["money_moved"] == "no"
        return refused
    return None


def problems_of_authorize(body: Any) -> dict[str, str]:
    return _problems(AuthorizeSerializer, body)


def problems_of_operation(body: Any) -> dict[str, str]:
    return _problems(OperationSerializer, body)


def problems_of_query(kind: type[StrictSerializer], **query: str) -> dict[str, str]:
    """Of a query without repeated names."""
    try:
        kind(data=query).is_valid(raise_exception=True)
    except APIException as error:
        return named(json.loads(error_response(error, "", writes=False).body))
    return {}


def _problems(kind: type[StrictSerializer], body: Any) -> dict[str, str]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    refused = refusal(kind, content)
    return named(refused) if refused else {}
