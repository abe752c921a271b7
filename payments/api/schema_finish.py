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
            "description": "The methods that the URL supports, such as `GET, HEAD`.",
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
    "receipt": _link("read_payment", "Read the payment's current state."),
    "history": _link("read_payment_events", "Read the payment's history."),
}
# The calls that may follow a response, by operation and status.
_LINKS = {
    ("authorize_payment", "201"): {
        "capture": _link("capture_payment", "Take the money when the goods ship."),
        "void": _link("void_payment", "Void the hold when the order is cancelled."),
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
    """Add what the views cannot describe: 405 for every call, links, the server, and that unknown fields are
    refused. Move each error's example to the components, so that the document has it once.
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
            schema["additionalProperties"] = False  # StrictSerializer refuses unknown fields
            for field in schema["properties"].values():
                _drop_repeated_blank(field)
    return result


def _drop_repeated_blank(field: dict[str, Any]) -> None:
    """Drop drf-spectacular's alternative for empty strings: our patterns match them already."""
    match field:
        case {"oneOf": [dict(text), {"type": "string", "maxLength": 0}]}:
            del field["oneOf"]
            field |= text
