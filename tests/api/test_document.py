"""The OpenAPI document is what the code generates, and its examples are what the API would send."""

import re
from pathlib import Path
from typing import Any

import yaml
from django.conf import settings
from django.core.management import call_command
from django.test import Client

from tests.support.api_client import _validator, document

RESERVED = {"fraud_suspected"}  # until its rules exist
# As the design's table of errors has them.
CODES = {
    *("validation_error", "idempotency_key_missing", "idempotency_key_invalid"),
    *("authentication_failed", "permission_denied", "not_found", "rate_limited"),
    *("insufficient_funds", "card_expired", "invalid_card", "invalid_cvv", "declined", "fraud_suspected"),
    *("invalid_transition", "operation_in_progress", "authorization_expired", "idempotency_key_in_use"),
    *("order_already_has_payment", "needs_review", "not_supported", "idempotency_key_reused"),
    *("amount_mismatch", "too_many_api_keys"),
    *(
        "request_timeout",
        "method_not_allowed",
        "payload_too_large",
        "unsupported_media_type",
        "internal_error",
    ),
    *("not_supported", "bank_unavailable", "service_unavailable", "overloaded"),
}


def operations() -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method.upper()} {path}", operation)
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
    ]


def examples(content: dict[str, Any]) -> dict[str, Any]:
    """The examples by name, references followed."""
    shared = document()["components"].get("examples", {})
    return {
        name: (shared[example["$ref"].rpartition("/")[2]] if "$ref" in example else example)["value"]
        for name, example in content.get("examples", {}).items()
    }


class TestDocument:
    def test_the_committed_one_is_the_generated_one(self, tmp_path: Path) -> None:
        generated = tmp_path / "openapi.yaml"
        call_command("spectacular", file=str(generated), validate=True, fail_on_warn=True)
        committed = settings.BASE_DIR / "docs" / "openapi.yaml"
        assert committed.read_text() == generated.read_text(), (
            "docs/openapi.yaml is not current: make openapi"
        )

    def test_the_served_one_is_the_committed_one(self) -> None:
        response = Client().get("/api/schema/")
        assert response.status_code == 200
        served = yaml.safe_load(response.content)
        assert served.pop("servers") == [{"url": "http://testserver"}]
        assert served | {"servers": document()["servers"]} == document()

    def test_every_example_is_of_its_schema(self) -> None:
        for call, operation in operations():
            bodies = [*operation["responses"].values(), operation.get("requestBody", {"content": {}})]
            checked = 0
            for content in (content for body in bodies for content in body["content"].values()):
                assert content.get("examples"), f"{call} has an answer or a body without an example"
                for name, example in examples(content).items():
                    problems = [error.message for error in _validator(content["schema"]).iter_errors(example)]
                    assert not problems, (call, name, problems)
                    checked += 1
            assert checked, call

    def test_every_error_is_of_its_status_and_named_by_its_code(self) -> None:
        for call, operation in operations():
            for status, response in operation["responses"].items():
                content = response["content"].get("application/problem+json", {})
                for code, example in examples(content).items():
                    assert example["code"] == code, (call, code)
                    assert example["type"] == f"/problems/{code}", call
                    assert f"`{code}`" in response["description"], call
                    if status not in ("402", "409", "503"):
                        assert str(example["status"]) == status, call

    def test_every_code_is_described_somewhere_but_the_reserved_ones(self) -> None:
        described = {
            code
            for _, operation in operations()
            for response in operation["responses"].values()
            for code in examples(response["content"].get("application/problem+json", {}))
        }
        assert described == CODES - RESERVED

    def test_every_call_says_what_it_is_and_what_it_can_answer(self) -> None:
        for call, operation in operations():
            assert operation["summary"], call
            assert operation["description"], call
            assert operation["security"] == [{"apiKey": []}], call
            assert set(operation["tags"]) <= {tag["name"] for tag in document()["tags"]}, call
            always = {"400", "401", "403", "405", "429", "500", "503"}
            assert always <= operation["responses"].keys(), call
            if call.startswith("POST"):
                assert {"409", "413", "415", "422"} <= operation["responses"].keys(), call
                assert ("202" in operation["responses"]) is ("/payments" in call), call
                (key,) = [one for one in operation["parameters"] if one["name"] == "Idempotency-Key"]
                assert key["required"] is True, call
            responses = operation["responses"]
            assert all("X-Request-ID" in one.get("headers", {}) for one in responses.values()), call
            assert "Allow" in operation["responses"]["405"]["headers"], call

    def test_no_schema_has_a_name_made_by_a_machine(self) -> None:
        names = document()["components"]["schemas"]
        assert [name for name in names if re.search(r"Enum\d*$|[0-9a-f]{3}Enum", name)] in ([], ["NullEnum"])

    def test_unknown_fields_are_said_to_be_refused(self) -> None:
        requests = {
            name: each
            for name, each in document()["components"]["schemas"].items()
            if name.endswith("Request")
        }
        assert requests
        assert all(each["additionalProperties"] is False for each in requests.values())


class TestPages:
    def test_they_are_found_without_the_slash(self) -> None:
        for path in ("/api/docs", "/api/redoc", "/api/schema"):
            response = Client().get(path, follow=True)
            assert (response.status_code, response.redirect_chain) == (200, [(f"{path}/", 302)]), path
            assert Client().get(f"{path}?format=json").headers["Location"] == f"{path}/?format=json", path

    def test_they_load_nothing_from_elsewhere(self, db: None) -> None:
        for path in ("/api/docs/", "/api/redoc/"):
            page = Client().get(path).content.decode()
            assert re.findall(r'(?:src|href)="([^"]+)"', page), path
            assert not re.findall(r'(?:src|href)="(?:https?:)?//', page), path
            for asset in re.findall(r'(?:src|href)="(/static/[^"]+)"', page):
                response = Client().get(asset)
                response.close()
                assert response.status_code == 200, asset
