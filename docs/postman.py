"""docs/ficpay.postman_collection.json, made from docs/openapi.yaml: `make postman`.

Stories to be run from top to bottom, every call of the document among them. A request keeps its
idempotency key until its response is final, as a client should.
"""

import json
import sys
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).resolve().parents[1]
DOCUMENT = "docs/openapi.yaml"
_SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
STORIES = {
    "An order that ships and comes back": (
        *("authorize_payment", "read_order", "read_payment", "capture_payment", "refund_payment"),
        *("read_payment_events", "list_payments", "list_customer_payments"),
    ),
    "An order that is cancelled": ("authorize_payment", "void_payment", "read_order"),
    "What was paid for orders": ("list_settlements", "read_settlement", "list_settlement_lines"),
    "Your API keys": (
        *("read_merchant", "create_api_key", "list_api_keys", "rotate_api_key", "disable_api_key"),
    ),
}
_ABOUT = """Set the collection's variable `api_key` to a key that begins with `sk_test_` (and `base_url`, \
if FicPay is not at {server}), then run the folders from top to bottom. Made from the OpenAPI document.

With newman: `newman run docs/ficpay.postman_collection.json --env-var api_key=sk_test_...`"""


# Before anything is settled, there is no settlement to read.
_NONE = "none_yet"


class CallMissing(Exception):
    """A call of the document that no story has, or the other way round."""


def collection(document: dict[str, Any]) -> dict[str, Any]:
    """The collection (format 2.1). Raises CallMissing."""
    calls = {
        operation["operationId"]: (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    told = {name for story in STORIES.values() for name in story}
    if told != calls.keys():
        raise CallMissing(f"{told ^ calls.keys()}")
    server = document["servers"][0]["url"]
    variables = {"base_url": server, "api_key": "", "order_id": "", "payment_id": ""}
    variables |= {"settlement_id": _NONE, "key_id": ""}
    return {
        "info": {
            "name": f"{document['info']['title']} {document['info']['version']}",
            "description": _ABOUT.format(server=server),
            "schema": _SCHEMA,
        },
        "auth": {"type": "bearer", "bearer": [{"key": "token", "value": "{{api_key}}", "type": "string"}]},
        "variable": [{"key": key, "value": value, "type": "string"} for key, value in variables.items()],
        "item": [
            {"name": story, "item": [_item(document, *calls[name]) for name in names]}
            for story, names in STORIES.items()
        ],
    }


def _item(document: dict[str, Any], method: str, path: str, operation: dict[str, Any]) -> dict[str, Any]:
    parameters = [
        parameter
        for parameter in operation["parameters"]
        if parameter["in"] == "query" or parameter["name"] == "Idempotency-Key"
    ]
    queries = [each for each in parameters if each["in"] == "query"]
    filled = path.replace("{", "{{").replace("}", "}}").replace("{{customer_id}}", _customer(document))
    url: dict[str, Any] = {
        "raw": f"{{{{base_url}}}}{filled}",
        "host": ["{{base_url}}"],
        "path": filled.strip("/").split("/"),
    }
    if queries:
        url["query"] = [
            {
                "key": each["name"],
                "value": "",
                "description": each.get("description", ""),
                "disabled": True,
            }
            for each in queries
        ]
    request: dict[str, Any] = {
        "method": method.upper(),
        "header": [],
        "url": url,
        "description": operation["description"],
    }
    key = f"key_of_{operation['operationId']}"
    writes = method == "post"
    if writes:
        request["header"] = [
            {"key": "Content-Type", "value": "application/json"},
            {"key": "Idempotency-Key", "value": f"{{{{{key}}}}}"},
        ]
        body = json.dumps(_body(operation), indent=2)
        request["body"] = {"mode": "raw", "raw": body, "options": {"raw": {"language": "json"}}}
    before = [_event("prerequest", _new_key(key, operation))] if writes else []
    after = _event("test", _checks(key if writes else "", operation))
    return {"name": operation["summary"], "event": [*before, after], "request": request}


def _body(operation: dict[str, Any]) -> dict[str, Any]:
    """The first example of the document, for a new order each time."""
    examples = operation["requestBody"]["content"]["application/json"]["examples"]
    body: dict[str, Any] = dict(next(iter(examples.values()))["value"])
    return body | ({"order_id": "{{order_id}}"} if "order_id" in body else {})


def _customer(document: dict[str, Any]) -> str:
    """Whose payments are listed: the customer of the authorize's example."""
    operation = document["paths"]["/api/v1/payments"]["post"]
    return str(_body(operation)["customer_id"])


def _new_key(key: str, operation: dict[str, Any]) -> list[str]:
    """A new idempotency key, and for an authorize a new order, unless the earlier one still waits."""
    new = [_set(key, 'pm.variables.replaceIn("{{$guid}}")')]
    if operation["operationId"] == "authorize_payment":
        new.append(_set("order_id", '"order-" + pm.variables.replaceIn("{{$guid}}")'))
    return [
        "// The key is kept until the response is final.",
        f'if (!pm.collectionVariables.get("{key}")) {{',
        *(f"  {line}" for line in new),
        "}",
    ]


def _checks(key: str, operation: dict[str, Any]) -> list[str]:
    status = next(status for status in sorted(operation["responses"]) if status.startswith("2"))
    told, code = status, status
    if any(each["name"] == "settlement_id" for each in operation["parameters"]):
        told = f"{status}, or 404 before anything is settled"
        code = f'pm.collectionVariables.get("settlement_id") === "{_NONE}" ? 404 : {status}'
    expected = f"pm.expect(pm.response.code, pm.response.text()).to.equal({code})"
    lines = [f'pm.test("answers {told}", () => {expected});']
    if operation["operationId"] == "list_settlements":
        lines += [
            "const [newest] = pm.response.json().results;",
            f"if (newest) {_set('settlement_id', 'newest.id')}",
        ]
    if key:
        is_final = 'pm.response.code < 500 && !pm.response.headers.has("Retry-After")'
        lines.append(f'if ({is_final}) pm.collectionVariables.unset("{key}");')
    if operation["operationId"] == "authorize_payment":
        lines += [
            "const receipt = pm.response.code < 300 ? pm.response.json() : pm.response.json().payment;",
            f"if (receipt) {_set('payment_id', 'receipt.id')}",
        ]
    if operation["operationId"] in ("create_api_key", "rotate_api_key"):
        lines.append(f"if (pm.response.code < 300) {_set('key_id', 'pm.response.json().api_key.id')}")
    return lines


def _set(variable: str, value: str) -> str:
    return f'pm.collectionVariables.set("{variable}", {value});'


def _event(listen: str, lines: list[str]) -> dict[str, Any]:
    return {"listen": listen, "script": {"type": "text/javascript", "exec": lines}}


def text(document: str) -> str:
    """The file, from the OpenAPI document's text."""
    return json.dumps(collection(yaml.safe_load(document)), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text((PROJECT / DOCUMENT).read_text()))
