"""An error's `type` leads to its page on the instance that answered, and the pages know every code."""

import html
from pathlib import Path

from django.test import Client
from rest_framework import serializers

from payments.api import serializers as api_serializers
from payments.api.field_errors import FIELD_ERRORS
from payments.api.problem_examples import problem
from payments.domain.problems import PROBLEMS
from tests.support.api_client import ApiClient, document


class TestPages:
    def test_the_type_of_a_real_error_leads_to_its_page(self, mistaken: ApiClient) -> None:
        error = mistaken.get("/payments/x").json
        page = Client().get(error["type"])
        assert page.status_code == 200
        assert PROBLEMS["not_found"].cause in html.unescape(page.content.decode())

    def test_each_tells_what_the_code_does(self) -> None:
        for code in PROBLEMS:
            told = Client().get(problem(code)["type"], headers={"Accept": "application/json"}).json()
            known = PROBLEMS[code]
            for name in ("status", "cause", "money_moved", "next"):
                assert told[name] == getattr(known, name), code
            assert (told["again"], told["example"]) == (known.again.value, problem(code))

    def test_all_are_listed_and_linked(self) -> None:
        page = Client().get("/problems/").content.decode()
        assert all(f'href="/problems/{code}"' in page for code in PROBLEMS)
        assert all(f"<code>{code}</code>" in page for code in FIELD_ERRORS)
        assert "The POST has no <code>Idempotency-Key</code> header." in page
        assert Client().get("/problems").headers["Location"] == "/problems/"

    def test_a_code_that_is_none_has_no_page(self) -> None:
        assert Client().get("/problems/nothing").status_code == 404
        assert Client().post("/problems/not_found").status_code in (403, 405)

    def test_no_example_is_made_up(self) -> None:
        assert "What went wrong" not in Path("docs/openapi.yaml").read_text()


class TestFieldErrors:
    def test_every_code_of_our_own_fields_is_explained(self) -> None:
        kinds = [each for each in vars(api_serializers).values() if isinstance(each, type)]
        own = {
            code
            for kind in kinds
            if issubclass(kind, serializers.Field) and kind.__module__.startswith("payments.api")
            for code in vars(kind).get("default_error_messages", {})
        }
        assert own
        assert own <= FIELD_ERRORS.keys()

    def test_the_document_lists_them(self) -> None:
        """Every answer of every test is held to the list."""
        listed = document()["components"]["schemas"]["FieldErrorCode"]
        assert set(listed["enum"]) == FIELD_ERRORS.keys()
