"""The quick yes: nearly every request is plainly valid, and need not be asked what is wrong with it.

A field or serializer says in `takes` what it takes as it is, beside the method that judges in full. What is
not taken at once is judged in full: more may be valid, and each error gets its words there.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from django.core import validators
from rest_framework import serializers
from rest_framework.validators import ProhibitSurrogateCharactersValidator

Taker = Callable[[Any, str], bool]
_JUDGES = ("run_validation", "to_internal_value", "validate_empty_values", "get_fields")
# What `takes` of the field itself makes sure of.
_IMPLIED = (
    validators.MaxLengthValidator,
    validators.MaxValueValidator,
    validators.MinValueValidator,
    validators.ProhibitNullCharactersValidator,
    ProhibitSurrogateCharactersValidator,
)


class Plain:
    """A field or serializer that may know at once that data is valid."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """A class that judges in a way of its own takes nothing plainly, unless it says what."""
        super().__init_subclass__(**kwargs)
        judges = any(name in _JUDGES or name.startswith("validate") for name in vars(cls))
        if judges and "takes" not in vars(cls):
            cls.takes = Plain.takes  # type: ignore[method-assign]

    def takes(self, data: Any, card_number: str) -> bool:
        """Whether validation would surely return `data` as it is; False where it might not.

        `card_number`: the digits of the card in the same request, or empty.
        """
        return False


class Part:
    """A field of a serializer, as the quick yes needs it."""

    def __init__(self, field: serializers.Field[Any, Any, Any, Any]) -> None:
        self.may_be_null: bool = field.allow_null
        self.may_be_missing = not field.required and field.default is serializers.empty
        self.takes: Taker = Plain().takes
        is_known = all(type(validator) in _IMPLIED for validator in field.validators)
        if isinstance(field, Plain) and is_known and field.source == field.field_name:
            self.takes = field.takes


@cache
def parts_of(kind: type[serializers.Serializer[Any]]) -> dict[str, Part]:
    """Made once. The fields are nobody's: they know no request, which `takes` does not ask for."""
    return {name: Part(field) for name, field in kind().fields.items()}


def takes_parts(kind: type[serializers.Serializer[Any]], data: Any, card_number: str) -> bool:
    """Whether an object has no unknown field, and every field of it is plainly valid."""
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
