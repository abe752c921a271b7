"""A fast path for validation: nearly all requests are valid, and `takes` recognizes most of them cheaply.

A field or serializer defines `takes` beside its full validation. If `takes` returns False, the full
validation decides: the data may still be valid, and otherwise it makes the error messages.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from django.core import validators
from rest_framework import serializers
from rest_framework.validators import ProhibitSurrogateCharactersValidator

Taker = Callable[[Any, str], bool]
_VALIDATING = ("run_validation", "to_internal_value", "validate_empty_values", "get_fields")
# Validators whose rules each field's own `takes` already checks.
_IMPLIED = (
    validators.MaxLengthValidator,
    validators.MaxValueValidator,
    validators.MinValueValidator,
    validators.ProhibitNullCharactersValidator,
    ProhibitSurrogateCharactersValidator,
)


class Plain:
    """A field or serializer with a fast path."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """A class that overrides validation loses its parent's `takes` unless it defines its own."""
        super().__init_subclass__(**kwargs)
        validates = any(name in _VALIDATING or name.startswith("validate") for name in vars(cls))
        if validates and "takes" not in vars(cls):
            cls.takes = Plain.takes  # type: ignore[method-assign]

    def takes(self, data: Any, card_number: str) -> bool:
        """Whether validation is certain to return `data` unchanged. False if in doubt.

        `card_number`: the digits of the card number in the same request, or empty.
        """
        return False


class Part:
    """What the fast path needs to know about a serializer's field."""

    def __init__(self, field: serializers.Field[Any, Any, Any, Any]) -> None:
        self.may_be_null: bool = field.allow_null
        self.may_be_missing = not field.required and field.default is serializers.empty
        self.takes: Taker = Plain().takes
        is_known = all(type(validator) in _IMPLIED for validator in field.validators)
        if isinstance(field, Plain) and is_known and field.source == field.field_name:
            self.takes = field.takes


@cache
def parts_of(kind: type[serializers.Serializer[Any]]) -> dict[str, Part]:
    """The parts of a serializer class, made once. Their fields belong to no request; `takes` needs none."""
    return {name: Part(field) for name, field in kind().fields.items()}


def takes_parts(kind: type[serializers.Serializer[Any]], data: Any, card_number: str) -> bool:
    """Whether `data` is an object without unknown fields whose fields are all valid by their `takes`."""
    parts = parts_of(kind)
    if type(data) is not dict or not data.keys() <= parts.keys():
        return False
    for name, part in parts.items():
        if name not in data:
            if not part.may_be_missing:
                return False
        elif (value := data[name]) is None:
            if not part.may_be_null:
                return False
        elif not part.takes(value, card_number):
            return False
    return True
