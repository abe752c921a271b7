"""The finishing touches to the OpenAPI document: what drf-spectacular cannot learn from the views."""

from copy import deepcopy
from typing import Any

from rest_framework.request import Request

from payments.api.problem_examples import problem
from payments.api.schema_parts import PROBLEM

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
        PROBLEM: {
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
                content = response["content"].get(PROBLEM)
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
