"""Request bodies of the calls about API keys."""

from datetime import datetime
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from payments.api.fields import MomentField, StrictIntegerField, StrictSerializer, WrittenField
from payments.domain.scopes import Scope
from payments.usecases.merchants import DEFAULT_OVERLAP, LONGEST_OVERLAP

_SCOPES = ", ".join(f"`{scope}`" for scope in Scope)


@extend_schema_field(
    {
        "type": "array",
        "items": {"type": "string", "enum": [scope.value for scope in Scope]},
        "minItems": 1,
        "uniqueItems": True,
    }
)
class ScopesField(serializers.Field[Any, Any, Any, Any]):
    """A list of scopes, without repetition."""

    default_error_messages = {  # noqa: RUF012 - DRF's own way
        "invalid": "Must be a list of at least one scope, each once.",
        "invalid_choice": f"Must be among {_SCOPES}.",
    }

    def to_internal_value(self, data: Any) -> frozenset[Scope]:
        if not isinstance(data, list) or not data or not all(isinstance(one, str) for one in data):
            self.fail("invalid")
        if not set(data) <= set(Scope):
            self.fail("invalid_choice")
        if len(set(data)) < len(data):
            self.fail("invalid")
        return frozenset(Scope(one) for one in data)

    def to_representation(self, value: Any) -> Any:
        return value


class _ExpirySerializer(StrictSerializer):
    expires_at = MomentField(
        required=False, allow_null=True, help_text="RFC 3339. The new key works until then; null: forever."
    )

    def validate_expires_at(self, value: datetime | None) -> datetime | None:
        """By the database's clock, which is the one that the key expires by."""
        if value is not None and value <= self.context["now"]:
            raise serializers.ValidationError("Must be in the future.", code="in_the_past")
        return value


class CreateApiKeySerializer(_ExpirySerializer):
    """What the new API key is for."""

    name = WrittenField(max_length=100, help_text="Says what uses the key: `order service`.")
    scopes = ScopesField(required=False, help_text="The default is all scopes of the key in use.")


class RotateApiKeySerializer(_ExpirySerializer):
    """When the old API key ends, and the new one. The body may be empty."""

    overlap_seconds = StrictIntegerField(
        required=False,
        default=int(DEFAULT_OVERLAP.total_seconds()),
        min_value=0,
        max_value=int(LONGEST_OVERLAP.total_seconds()),
        remedy=f"Must be an integer from 0 to {int(LONGEST_OVERLAP.total_seconds())} (30 days).",
        help_text="How long the old key still works. It never works longer than it would have.",
    )
