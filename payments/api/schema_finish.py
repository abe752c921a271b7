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
    refused. Move headers and the errors' examples to the components, so that the document has each once.
    """
    if request is not None:
        result["servers"] = [{"url": request.build_absolute_uri("/").rstrip("/")}]
    shared: dict[str, Any] = {}
    headers: dict[str, Any] = {}
    for operations in result["paths"].values():
        for operation in operations.values():
            operation["responses"]["405"] = _method_not_allowed(operation["responses"]["500"])
            _share_headers(operation["responses"], headers)
            for status, response in operation["responses"].items():
                if (operation["operationId"], status) in _LINKS:
                    response["links"] = _LINKS[operation["operationId"], status]
                content = response["content"].get(PROBLEM)
                if content:
                    own = {example["value"]["code"]: example for example in content["examples"].values()}
                    shared |= own
                    content["examples"] = {code: {"$ref": f"#/components/examples/{code}"} for code in own}
    result["components"] |= {"examples": dict(sorted(shared.items())), "headers": headers}
    for name, schema in result["components"]["schemas"].items():
        if name.endswith("Request"):
            schema["additionalProperties"] = False  # StrictSerializer refuses unknown fields
            for field in schema["properties"].values():
                _drop_repeated_blank(field)
    return result


def _method_not_allowed(other: dict[str, Any]) -> dict[str, Any]:
    """The 405 of a call, with the headers that all its responses have, as this other one."""
    response = deepcopy(_METHOD_NOT_ALLOWED)
    return response | {"headers": response["headers"] | other["headers"]}


def _share_headers(responses: dict[str, Any], shared: dict[str, Any]) -> None:
    """Refer to the shared headers, and add those that are not among them yet."""
    for response in responses.values():
        for name, header in response.get("headers", {}).items():
            if shared.setdefault(name, header) == header:
                response["headers"][name] = {"$ref": f"#/components/headers/{name}"}


def _drop_repeated_blank(field: dict[str, Any]) -> None:
    """Drop drf-spectacular's alternative for empty strings: our patterns match them already."""
    match field:
        case {"oneOf": [dict(text), {"type": "string", "maxLength": 0}]}:
            del field["oneOf"]
            field |= text
