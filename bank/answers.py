"""What a bank sends: JSON, errors with a code, and plain text."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

JSON = "application/json"
PLAIN_TEXT = "text/plain; charset=utf-8"


def _json(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode()


@dataclass(frozen=True)
class Answer:
    """A complete answer, ready to be sent."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)

    def with_fields(self, changes: Mapping[str, Any]) -> "Answer":
        """A copy with changed fields. A field changed to None is left out."""
        fields = {**json.loads(self.body), **changes}
        kept = {name: value for name, value in fields.items() if value is not None}
        return Answer(self.status, _json(kept), self.content_type, self.headers)


def failure(status: int, code: str, message: str) -> Answer:
    return json_answer(status, {"error": code, "message": message})


def json_answer(status: int, fields: Mapping[str, Any]) -> Answer:
    return Answer(status, _json(fields))


def plain_text(status: int, text: str) -> Answer:
    return Answer(status, text.encode(), PLAIN_TEXT)
