"""FicMart's order service, as the tests play it. Every answer it gets must be one the document describes."""

import itertools
import json
import re
import time
import uuid
from functools import cache
from typing import Any

import yaml
from django.conf import settings
from django.http import HttpResponse
from django.test import Client
from jsonschema import Draft202012Validator
from jsonschema.validators import validator_for

CARDS = {
    "visa": {"number": "4111111111111111", "cvv": "123", "expiry_month": 12, "expiry_year": 2030},
    "visa-500": {"number": "4242424242424242", "cvv": "456", "expiry_month": 6, "expiry_year": 2030},
    "no-funds": {"number": "5555555555554444", "cvv": "789", "expiry_month": 9, "expiry_year": 2030},
    "expired": {"number": "5105105105105100", "cvv": "321", "expiry_month": 3, "expiry_year": 2030},
}
_orders = itertools.count(1)


def order(**changes: Any) -> dict[str, Any]:
    """The body of an authorize for a new order of $50.00."""
    body = {
        "order_id": f"order-{next(_orders)}-{uuid.uuid4().hex[:6]}",
        "customer_id": "customer-7",
        "amount": 5000,
        "currency": "USD",
        "card": CARDS["visa"],
    }
    return body | changes


class ApiResponse:
    """An answer: `status`, `json`, `headers`, `body`."""

    def __init__(self, response: HttpResponse) -> None:
        self.status = response.status_code
        self.headers = response.headers
        self.body = response.content
        self.json: Any = json.loads(response.content) if response.content else None

    def __repr__(self) -> str:
        return f"<{self.status} {self.body[:2000].decode()}>"


class ApiClient:
    """Speaks to `/api/v1` with one API key."""

    def __init__(self, key: str) -> None:
        self.key = key
        self._client = Client(raise_request_exception=False)

    def get(self, path: str, **query: Any) -> ApiResponse:
        return self.call("GET", path, query=query)

    def post(self, path: str, body: Any = None, *, key: str | None = "", **headers: str) -> ApiResponse:
        """POST with a new Idempotency-Key, unless one (or None for none) is given."""
        if key is not None:
            headers["Idempotency-Key"] = key or uuid.uuid4().hex
        return self.call("POST", path, body=body, headers=headers)

    def call(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        content_type: str = "application/json",
    ) -> ApiResponse:
        """Any call. `body` is sent as it is where it is bytes, else as JSON."""
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        sent = {"Authorization": f"Bearer {self.key}", **(headers or {})}
        response = self._client.generic(
            method,
            f"/api/v1{path}",
            content,
            content_type=content_type if content else "",
            query_params=query or None,
            headers=sent,
        )
        answer = ApiResponse(response)
        assert_documented(method, path, answer)
        return answer

    # The happy road, for tests that begin further along it.

    def authorized(self, **changes: Any) -> dict[str, Any]:
        """A new AUTHORIZED payment's receipt."""
        return self._done(self.post("/payments", order(**changes)), "AUTHORIZED")

    def captured(self, **changes: Any) -> dict[str, Any]:
        payment = self.authorized(**changes)
        return self._done(self.post(f"/payments/{payment['id']}/capture"), "CAPTURED")

    def receipt(self, payment_id: str) -> dict[str, Any]:
        answer = self.get(f"/payments/{payment_id}")
        assert answer.status == 200, answer
        receipt: dict[str, Any] = answer.json
        return receipt

    def _done(self, answer: ApiResponse, state: str) -> dict[str, Any]:
        """The receipt in this state. A busy machine may take longer for it than the client waits."""
        assert answer.status in (200, 201, 202), answer
        receipt: dict[str, Any] = answer.json
        patience = time.monotonic() + 30
        while receipt["pending_operation"] and time.monotonic() < patience:
            time.sleep(0.01)
            receipt = self.receipt(receipt["id"])
        assert receipt["state"] == state, receipt
        return receipt


# As the document's introduction promises them.
_HEADERS = {
    201: ("Location",),
    202: ("Location", "Retry-After"),
    401: ("WWW-Authenticate",),
    402: ("Location",),
    405: ("Allow",),
    429: ("Retry-After", "RateLimit", "RateLimit-Policy"),
    503: ("Retry-After",),
}


@cache
def document() -> dict[str, Any]:
    """The committed OpenAPI document."""
    written = (settings.BASE_DIR / "docs" / "openapi.yaml").read_text()
    loaded: dict[str, Any] = yaml.load(written, yaml.CSafeLoader)  # `safe_load` takes seconds for it
    return loaded


def assert_documented(method: str, path: str, answer: ApiResponse) -> None:
    """The document describes this status for this call, and the body is of the schema it gives."""
    assert answer.headers.get("X-Request-ID")
    operation = _operation(method, path)
    if operation is None:
        assert answer.status in (404, 405), answer
        return
    described = operation["responses"].get(str(answer.status))
    assert described, f"{method} {path} answered {answer}, which the document does not describe"
    media_type = answer.headers["Content-Type"].partition(";")[0]
    content = described["content"].get(media_type)
    assert content, f"{method} {path} answered {answer.status} as {media_type}"
    for header in _HEADERS.get(answer.status, ()):
        if header == "Location" and not path.startswith("/payments"):
            continue
        assert answer.headers.get(header), f"{header} is missing: {answer}"
    problems = [error.message for error in _validator(content["schema"]).iter_errors(answer.json)]
    assert not problems, (problems, answer)
    if media_type == "application/problem+json":
        assert answer.json["code"] in content["examples"], f"{answer.json['code']} is not described: {answer}"
        assert answer.json["status"] == answer.status
        replayed = "Idempotent-Replayed" in answer.headers  # then it names the first request
        assert replayed or answer.json["request_id"] == answer.headers["X-Request-ID"]


def _operation(method: str, path: str) -> dict[str, Any] | None:
    for template, operations in document()["paths"].items():
        # A merchant's own ids may hold a slash, ours do not.
        pattern = re.sub(r"\{\w+\}", "[^/]+", re.sub(r"\{(order|customer)_id\}", ".+", template))
        if re.fullmatch(pattern, f"/api/v1{path}"):
            found: dict[str, Any] | None = operations.get(method.lower()) or next(iter(operations.values()))
            return found
    return None


def _validator(schema: dict[str, Any]) -> Draft202012Validator:
    components = {
        name: {"additionalProperties": False, **component} if component.get("type") == "object" else component
        for name, component in document()["components"]["schemas"].items()
    }
    whole = schema | {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "components": {"schemas": components},
    }
    return validator_for(whole)(whole)
