"""Request bodies and query parameters: how they are validated and what the use cases receive."""

import re
from datetime import datetime
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from payments.api.fields import (
    EmailTextField,
    IdField,
    MetadataField,
    MomentField,
    QueryIntegerField,
    StrictCharField,
    StrictIntegerField,
    StrictSerializer,
    TextField,
    WrittenField,
)
from payments.api.pages import Cursor, PaymentCursor
from payments.domain.cards import Card, has_expired, passes_luhn
from payments.domain.money import MAX_AMOUNT_MINOR, MIN_AMOUNT_MINOR, Currency
from payments.domain.states import PaymentState
from payments.usecases.authorize import Order

_LATEST_EXPIRY_YEAR = 2099
_CARD_NUMBER = re.compile("[0-9]{13,19}")
_CVV = re.compile("[0-9]{3,4}")


@extend_schema_field({"type": "string", "format": "card-number", "pattern": "^[0-9]{13,19}$"})
class CardNumberField(StrictCharField):
    """13 to 19 digits that end in their Luhn check digit."""

    default_error_messages = {  # noqa: RUF012
        "digits": "Must be 13 to 19 digits, without spaces or dashes.",
        "luhn": "Is not a valid card number: its check digit is wrong. Ask the customer to enter it again.",
    }

    def to_internal_value(self, data: Any) -> str:
        number = super().to_internal_value(data)
        if not _CARD_NUMBER.fullmatch(number):
            self.fail("digits")
        if not passes_luhn(number):
            self.fail("luhn")
        return number

    def takes(self, data: Any, card_number: str) -> bool:
        return type(data) is str and bool(_CARD_NUMBER.fullmatch(data)) and passes_luhn(data)


@extend_schema_field({"type": "string", "pattern": "^[0-9]{3,4}$"})
class CvvField(StrictCharField):
    """3 or 4 digits."""

    default_error_messages = {"digits": "Must be 3 or 4 digits, without spaces."}  # noqa: RUF012

    def to_internal_value(self, data: Any) -> str:
        cvv = super().to_internal_value(data)
        if not _CVV.fullmatch(cvv):
            self.fail("digits")
        return cvv

    def takes(self, data: Any, card_number: str) -> bool:
        return type(data) is str and bool(_CVV.fullmatch(data))


@extend_schema_field({"type": "string", "enum": [currency.value for currency in Currency]})
class CurrencyField(StrictCharField):
    """A currency. `AuthorizeSerializer` checks that the merchant has a route for it."""


class AmountField(StrictIntegerField):
    """An amount in the currency's minor unit."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            min_value=MIN_AMOUNT_MINOR,
            max_value=MAX_AMOUNT_MINOR,
            remedy=f"Must be an integer in the currency's minor unit from {MIN_AMOUNT_MINOR} to "
            f"{MAX_AMOUNT_MINOR}, without quotes or a decimal point: 5000 is $50.00 or ¥5,000.",
            **kwargs,
        )


class CardSerializer(StrictSerializer):
    """The customer's card. FicPay sends it to the bank and never stores it."""

    number = CardNumberField(help_text="13 to 19 digits without spaces, with a valid Luhn check digit.")
    expiry_month = StrictIntegerField(
        min_value=1, max_value=12, remedy="Must be an integer from 1 to 12, without quotes."
    )
    expiry_year = StrictIntegerField(
        min_value=2000,
        max_value=_LATEST_EXPIRY_YEAR,
        remedy="Must be a four-digit year, without quotes: 2030, not 30.",
        help_text="Four digits. A card is accepted until 12 hours after the end of its expiry month in UTC, "
        "when the month has ended in every time zone.",
    )
    cvv = CvvField(help_text="3 or 4 digits.")

    def to_internal_value(self, data: Any) -> Any:
        """The expiry is checked together with the fields, so that all errors are reported at once."""
        errors: dict[str, Any] = {}
        value: Any = None
        try:
            value = super().to_internal_value(data)
        except serializers.ValidationError as error:
            errors = dict(error.detail)  # type: ignore[arg-type]  # a serializer's errors are a dict
        is_dated = isinstance(data, dict) and not errors.keys() & {"expiry_year", "expiry_month"}
        if is_dated and has_expired(data["expiry_year"], data["expiry_month"], timezone.now()):
            errors["expiry_year"] = [serializers.ErrorDetail("The card has expired.", code="in_the_past")]
        if errors:
            raise serializers.ValidationError(errors)
        return value

    def takes(self, data: Any, card_number: str) -> bool:
        is_card = super().takes(data, card_number)
        return is_card and not has_expired(data["expiry_year"], data["expiry_month"], timezone.now())


class AuthorizeSerializer(StrictSerializer):
    """How much to hold on which card, for which order and customer."""

    order_id = IdField(
        help_text="Your id of the order: 1 to 64 visible ASCII characters, not `.` or `..`. An order can "
        "have one live payment."
    )
    customer_id = IdField(
        help_text="Your id of the customer: 1 to 64 visible ASCII characters, not `.` or `..`."
    )
    amount = AmountField(help_text="In the currency's minor unit: 5000 is $50.00 or ¥5,000.")
    currency = CurrencyField(help_text="ISO 4217 code of a currency that you have a route for.")
    card = CardSerializer()
    description = TextField(required=False, allow_null=True, allow_blank=True, max_length=500)
    customer_email = EmailTextField(required=False, allow_null=True)
    metadata = MetadataField(
        required=False,
        allow_null=True,
        help_text="Your own data: up to 20 strings of up to 500 characters each.",
    )

    def validate_currency(self, value: str) -> str:
        routes = self.context["routes"]
        if value not in routes:
            remedy = f"Use one of: {', '.join(sorted(routes))}." if routes else "Ask FicPay's staff for one."
            raise serializers.ValidationError(
                f"You have no route for this currency. {remedy}", code="unsupported_currency"
            )
        return str(value)

    def takes(self, data: Any, card_number: str) -> bool:
        return super().takes(data, card_number) and data["currency"] in self.context["routes"]

    def order(self) -> Order:
        """The order in the validated data."""
        data = self.validated_data
        return Order(
            order_id=data["order_id"],
            customer_id=data["customer_id"],
            amount_minor=data["amount"],
            currency=data["currency"],
            bank=self.context["routes"][data["currency"]],
            description=data.get("description") or "",
            customer_email=data.get("customer_email") or "",
            metadata=data.get("metadata") or {},
        )

    def presented_card(self) -> Card:
        """The card in the validated data."""
        return Card(**self.validated_data["card"])


class OperationSerializer(StrictSerializer):
    """A capture, void or refund. The body may be empty."""

    amount = AmountField(
        required=False,
        help_text="In the currency's minor unit. The default is all that is left. If the payment's bank "
        "supports it, a single capture may take less (the rest of the hold is freed), and several "
        "refunds may each give back a part. A void always frees the full amount.",
    )
    reason = WrittenField(
        required=False,
        allow_null=True,
        allow_blank=True,
        max_length=500,
        help_text="Recorded in the payment's history.",
    )


class CursorField(StrictCharField):
    """A position in a list."""

    kind: type[Cursor]
    default_error_messages = {"not_a_cursor": "Must be a cursor from `next` or `previous`."}  # noqa: RUF012

    def to_internal_value(self, data: Any) -> Any:
        try:
            return self.kind.parse(super().to_internal_value(data))
        except ValueError:
            self.fail("not_a_cursor")


CURSOR_HELP = "Comes from `next` or `previous`. Do not build your own."


@extend_schema_field({"type": "string", "pattern": PaymentCursor.pattern})
class PaymentCursorField(CursorField):
    kind = PaymentCursor


class PageSerializer(StrictSerializer):
    """Which page of a list, and its size."""

    cursor: CursorField = PaymentCursorField(required=False, help_text=CURSOR_HELP)
    page_size = QueryIntegerField(
        required=False, min_value=1, max_value=100, default=25, remedy="Must be an integer from 1 to 100."
    )


class PaymentFilterSerializer(PageSerializer):
    """Which payments to list: those that match all given filters."""

    order_id = IdField(required=False)
    customer_id = IdField(required=False)
    state = serializers.ChoiceField(
        required=False,
        choices=[state.value for state in PaymentState],
        error_messages={"invalid_choice": f"Must be one of {', '.join(PaymentState)}, in upper case."},
    )
    created_from = MomentField(required=False, help_text="RFC 3339, inclusive.")
    created_to = MomentField(required=False, help_text="RFC 3339, exclusive.")

    def conditions(self) -> dict[str, str | datetime]:
        """The filters in the validated data, as ORM lookups."""
        data = self.validated_data
        names = {"created_from": "created_at__gte", "created_to": "created_at__lt"}
        plain = ("order_id", "customer_id", "state")
        return {names.get(name, name): data[name] for name in (*plain, *names) if name in data}
