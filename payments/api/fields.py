"""Strict fields: they convert no types, and their error messages never repeat what was sent.

A number in quotes is not an integer, and a number is not a text. Text that may be stored or logged contains
no control characters, nothing that the database cannot store, and not the card number of the same request.
Text that people write contains nothing that looks like a card number.
"""

import re
from datetime import UTC, date, datetime
from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from django.core.validators import EmailValidator
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.fields import empty

from payments.api.plain import Plain, parts_of, takes_parts
from payments.domain.cards import contains_card_number, contains_number

_NO_DIGITS = re.compile(r"[^0-9]+")
_DIGITS = re.compile(r"[0-9]{1,9}")
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_VISIBLE = re.compile(r"[\x21-\x7e]+")
_DOTS = re.compile(r"(?:.*[/\\])?\.{1,2}(?:[/\\].*)?")
_EMAIL = EmailValidator()
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
ID_SCHEMA = {
    "type": "string",
    "minLength": 1,
    "maxLength": 64,
    "pattern": "^(?!(.*[/\\\\])?\\.{1,2}([/\\\\]|$))[\\x21-\\x7e]+$",
}
_TEXT_PATTERN = "^[^\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f]*$"  # no _CONTROL, as an ECMA-262 pattern
CARD_NUMBER_MESSAGE = "Must not contain a card number."
METADATA_KEYS = 20
METADATA_KEY_LENGTH = 64
METADATA_VALUE_LENGTH = 500


def card_digits(body: Any) -> str:
    """The digits of the card number in a body that is not validated yet; empty if there are fewer than 12."""
    card = body.get("card") if isinstance(body, dict) else None
    number = card.get("number") if isinstance(card, dict) else card  # some clients send the number as `card`
    digits = _NO_DIGITS.sub("", str(number))
    return digits if len(digits) >= 12 else ""  # a mistyped number is secret, too


def _is_printable(text: str) -> bool:
    return text.isprintable() or not _CONTROL.search(text)


def number_beside(field: serializers.Field[Any, Any, Any, Any]) -> str:
    """The digits of the card number in the field's request, or empty."""
    return card_digits(getattr(field.root, "initial_data", None))


def holds_the_card(text: str, card_number: str) -> bool:
    return bool(card_number) and contains_number(text, card_number)


class StrictSerializer(Plain, serializers.Serializer[Any]):
    """Refuses unknown fields, and reports all invalid fields at once."""

    default_error_messages = {"invalid": "Must be an object."}  # noqa: RUF012 - DRF's own way

    def run_validators(self, value: Any) -> None:
        if self.validators:  # without any, DRF would copy all fields for nothing
            super().run_validators(value)

    def takes(self, data: Any, card_number: str) -> bool:
        return takes_parts(type(self), data, card_number)

    def to_internal_value(self, data: Any) -> Any:
        if self.root is self and self.takes(data, card_digits(data)):
            return {name: data[name] for name in parts_of(type(self)) if name in data}
        errors: dict[str, Any] = {}
        value: Any = None
        try:
            value = super().to_internal_value(data)
        except serializers.ValidationError as error:
            errors = dict(error.detail)  # type: ignore[arg-type]  # a serializer's errors are a dict
        for name in data if isinstance(data, dict) else ():
            if name not in self.fields:
                errors[name] = [serializers.ErrorDetail(self._known(), code="unknown_field")]
        if errors:
            raise serializers.ValidationError(errors)
        return value

    def _known(self) -> str:
        return f"Unknown field. Known fields: {', '.join(self.fields) or 'none'}."


class StrictIntegerField(Plain, serializers.IntegerField):
    """A JSON integer, not a string, fraction or boolean. `remedy`, the error message, says what to send."""

    def __init__(
        self, *, remedy: str = "Must be an integer, without quotes or a decimal point.", **kwargs: Any
    ) -> None:
        super().__init__(
            error_messages=dict.fromkeys(("invalid", "min_value", "max_value"), remedy), **kwargs
        )

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return data

    def takes(self, data: Any, card_number: str) -> bool:
        if type(data) is not int or (self.min_value is not None and data < self.min_value):
            return False
        return self.max_value is None or data <= self.max_value


class QueryIntegerField(StrictIntegerField):
    """An integer query parameter: decimal digits only."""

    def to_internal_value(self, data: Any) -> int:
        if not (isinstance(data, str) and _DIGITS.fullmatch(data)):
            self.fail("invalid")
        return int(data)


class StrictCharField(Plain, serializers.CharField):
    """A JSON string, kept unchanged."""

    default_error_messages = {"invalid": "Must be a string, in quotes."}  # noqa: RUF012

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return data

    def takes(self, data: Any, card_number: str) -> bool:
        if type(data) is not str or not _is_printable(data):
            return False
        return bool(data or self.allow_blank) and len(data) <= (self.max_length or len(data))


@extend_schema_field({"type": "string", "pattern": _TEXT_PATTERN})
class TextField(StrictCharField):
    """Text that is stored: printable, and without the card number of the same request."""

    default_error_messages = {  # noqa: RUF012
        "unprintable": "Must not contain control characters.",
        "card_number": CARD_NUMBER_MESSAGE,
    }

    def run_validation(self, data: Any = empty) -> Any:
        # Checked before the base class, so that its error messages cannot repeat a card number.
        if isinstance(data, str) and len(data) <= (self.max_length or len(data)):
            if not _is_printable(data):
                self.fail("unprintable")
            if self.holds_card_number(data, number_beside(self)):
                self.fail("card_number")
        return super().run_validation(data)

    def takes(self, data: Any, card_number: str) -> bool:
        return super().takes(data, card_number) and not self.holds_card_number(data, card_number)

    def holds_card_number(self, text: str, number_beside: str) -> bool:
        return holds_the_card(text, number_beside)


class WrittenField(TextField):
    """Text that people write: printable, and with nothing that looks like a card number."""

    def holds_card_number(self, text: str, number_beside: str) -> bool:
        return contains_card_number(text)


@extend_schema_field(ID_SCHEMA)
class IdField(TextField):
    """A merchant's own id: 1 to 64 visible ASCII characters that can be part of a URL."""

    default_error_messages = {  # noqa: RUF012
        "invisible": "Must be visible ASCII characters without spaces.",
        "dots": "Must not be `.` or `..`, or have one between slashes: HTTP clients would rewrite the URL.",
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=64, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if not _VISIBLE.fullmatch(text):
            self.fail("invisible")
        if _DOTS.fullmatch(text):
            self.fail("dots")
        return text

    def takes(self, data: Any, card_number: str) -> bool:
        is_id = super().takes(data, card_number) and _VISIBLE.fullmatch(data) and not _DOTS.fullmatch(data)
        return bool(is_id)


@extend_schema_field({"type": "string", "format": "email", "maxLength": 254})
class EmailTextField(TextField):
    """An email address of at most 254 characters."""

    default_error_messages = {"not_email": "Must be an email address."}  # noqa: RUF012

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=254, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if not _is_email(text):
            self.fail("not_email")
        return text

    def takes(self, data: Any, card_number: str) -> bool:
        return super().takes(data, card_number) and _is_email(data)


def _is_email(text: str) -> bool:
    try:
        _EMAIL(text)
    except DjangoValidationError:
        return False
    return True


@extend_schema_field(
    {
        "type": "object",
        "maxProperties": METADATA_KEYS,
        "propertyNames": {"minLength": 1, "maxLength": METADATA_KEY_LENGTH, "pattern": _TEXT_PATTERN},
        "additionalProperties": {
            "type": "string",
            "maxLength": METADATA_VALUE_LENGTH,
            "pattern": _TEXT_PATTERN,
        },
    }
)
class MetadataField(Plain, serializers.Field[dict[str, str], Any, Any, Any]):
    """Up to 20 strings of up to 500 characters each, with keys of 1 to 64 characters."""

    default_error_messages = {  # noqa: RUF012
        "invalid": "Must be an object whose values are strings.",
        "too_many": f"Must not have more than {METADATA_KEYS} keys.",
        "card_number": CARD_NUMBER_MESSAGE,
    }

    def to_internal_value(self, data: Any) -> dict[str, str]:
        if not isinstance(data, dict):
            self.fail("invalid")
        if len(data) > METADATA_KEYS:
            self.fail("too_many")
        errors: dict[str, Any] = {}
        number = number_beside(self)
        for name, value in data.items():
            try:
                _METADATA_KEY.run_validation(name)
                _METADATA_VALUE.run_validation(value)
                if holds_the_card(value, number):
                    self.fail("card_number")
            except serializers.ValidationError as error:
                errors[name] = error.detail
            if holds_the_card(name, number):
                errors.pop(name, None)
                errors[""] = [serializers.ErrorDetail(CARD_NUMBER_MESSAGE, code="card_number")]
        if errors:
            raise serializers.ValidationError(errors)
        return data

    def takes(self, data: Any, card_number: str) -> bool:
        if type(data) is not dict or len(data) > METADATA_KEYS:
            return False
        return all(
            _METADATA_KEY.takes(name, card_number) and _METADATA_VALUE.takes(value, card_number)
            for name, value in data.items()
        )

    def to_representation(self, value: Any) -> Any:
        return value


_METADATA_KEY = TextField(max_length=METADATA_KEY_LENGTH)
_METADATA_VALUE = TextField(max_length=METADATA_VALUE_LENGTH, allow_blank=True)


@extend_schema_field({"type": "string", "format": "date"})
class DayField(serializers.Field[date, Any, Any, Any]):
    """A day of the calendar, such as `2026-11-21`."""

    default_error_messages = {"invalid": "Must be a day such as 2026-11-21."}  # noqa: RUF012

    def to_internal_value(self, data: Any) -> date:
        if not (isinstance(data, str) and _DAY.fullmatch(data)):
            self.fail("invalid")
        try:
            return date.fromisoformat(data)
        except ValueError:
            self.fail("invalid")

    def to_representation(self, value: Any) -> Any:
        return value


@extend_schema_field({"type": "string", "format": "date-time"})
class MomentField(serializers.Field[datetime, Any, Any, Any]):
    """An RFC 3339 date-time with an offset, such as `2026-11-21T09:30:00Z`."""

    default_error_messages = {  # noqa: RUF012
        "invalid": "Must be an RFC 3339 date-time with an offset, such as 2026-11-21T09:30:00Z.",
    }

    def to_internal_value(self, data: Any) -> datetime:
        if not (isinstance(data, str) and _RFC_3339.fullmatch(data)):
            self.fail("invalid")
        try:
            moment = datetime.fromisoformat(data.upper())
        except ValueError:
            self.fail("invalid")
        try:
            return moment.astimezone(UTC)  # PostgreSQL accepts no offset above 15:59
        except OverflowError:
            return moment.replace(tzinfo=UTC)  # on the first or last day of the calendar

    def to_representation(self, value: Any) -> Any:
        return value
