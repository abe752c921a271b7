"""docs/ficpay.postman_collection.json is what the OpenAPI document makes it, and can be run as imported."""

import json
import re
from typing import Any

import pytest
import yaml

from docs.postman import DOCUMENT, PROJECT, CallMissing, collection, text

FILE = PROJECT / "docs" / "ficpay.postman_collection.json"


def requests() -> list[dict[str, Any]]:
    return [item for folder in json.loads(FILE.read_text())["item"] for item in folder["item"]]


class TestCollection:
    def test_the_committed_one_is_the_generated_one(self) -> None:
        made = text((PROJECT / DOCUMENT).read_text())
        assert FILE.read_text() == made, "docs/ficpay.postman_collection.json is not current: make postman"

    def test_a_call_that_no_story_has_is_noticed(self) -> None:
        document = yaml.safe_load((PROJECT / DOCUMENT).read_text())
        del document["paths"]["/api/v1/orders/{order_id}"]
        with pytest.raises(CallMissing, match="read_order"):
            collection(document)

    def test_every_variable_is_declared_or_set_before_it_is_used(self) -> None:
        known = {each["key"] for each in json.loads(FILE.read_text())["variable"]}
        for item in requests():
            scripts = json.dumps(item["event"])
            known |= set(re.findall(r'Variables\.set\(\\"(\w+)', scripts))
            assert set(re.findall(r"\{\{(\w+)\}\}", json.dumps(item["request"]))) <= known

    def test_a_key_is_new_for_a_new_instruction_and_kept_for_a_retry(self) -> None:
        writes = [item for item in requests() if item["request"]["method"] == "POST"]
        assert len(writes) == 7
        for item in writes:
            before, after = ("\n".join(event["script"]["exec"]) for event in item["event"])
            (key,) = re.findall(r'get\("(key_of_\w+)"\)', before)
            assert {"key": "Idempotency-Key", "value": f"{{{{{key}}}}}"} in item["request"]["header"]
            assert 'if (pm.response.code < 500 && !pm.response.headers.has("Retry-After")) ' in after
            assert f'unset("{key}")' in after
