"""What the API takes, validated, and what it gives, described.

The receipt itself is made by `payments.engine.answers`; the serializers of answers describe it for the
OpenAPI document, and every answer of the tests is checked against that.
"""

import re
from datetime import datetime
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from payments.api.field_errors import FIELD_ERRORS
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
from payments.api.pages import CURSOR_PATTERN, Cursor
from payments.domain.cards import Card, has_expired, passes_luhn
from payments.domain.ids import PAYMENT_PREFIX
from payments.domain.meanings import DECLINES
from payments.domain.money import MAX_AMOUNT_MINOR, MIN_AMOUNT_MINOR, Currency
from payments.domain.states import FINISHED_OPERATIONS, OperationKind, PaymentState
from payments.engine import answers
from payments.models import Event
from payments.usecases.authorize import Order

_LATEST_EXPIRY_YEAR = 2099
_CARD_NUMBER = re.compile("[0-9]{13,19}")
_CVV = re.compile("[0-9]{3,4}")
FIELD_ERROR_CODES = list(FIELD_ERRORS)
FIELD_CODES_EXPLAINED = " ".join(f"`{code}`: {means}" for code, means in FIELD_ERRORS.items())
PAYMENT_ID_PATTERN = f"^{PAYMENT_PREFIX}[0-9a-f]{{32}}$"


@extend_schema_field({"type": "string", "format": "card-number", "pattern": "^[0-9]{13,19}$"})
class CardNumberField(StrictCharField):
    """13 to 19 digits that end in their Luhn check digit."""

    default_error_messages = {  # noqa: RUF012
        "digits": "Must be 13 to 19 digits, without blanks or dashes.",
        "luhn": "Is not a card number: its check digit is wrong. Have it typed again.",
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

    default_error_messages = {"digits": "Must be 3 or 4 digits, without blanks."}  # noqa: RUF012

    def to_internal_value(self, data: Any) -> str:
        cvv = super().to_internal_value(data)
        if not _CVV.fullmatch(cvv):
            self.fail("digits")
        return cvv

    def takes(self, data: Any, card_number: str) -> bool:
        return type(data) is str and bool(_CVV.fullmatch(data))


@extend_schema_field({"type": "string", "enum": [currency.value for currency in Currency]})
class CurrencyField(StrictCharField):
    """A currency; whether the merchant has a route for it is judged by `AuthorizeSerializer`."""


class AmountField(StrictIntegerField):
    """An amount in the currency's minor unit."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            min_value=MIN_AMOUNT_MINOR,
            max_value=MAX_AMOUNT_MINOR,
            remedy=f"Must be an integer in the currency's minor unit from {MIN_AMOUNT_MINOR} to "
            f"{MAX_AMOUNT_MINOR}, without quotes or a decimal point: 5000 is $50.00, and ¥5,000.",
            **kwargs,
        )


class CardSerializer(StrictSerializer):
    """A card, for the time of this request. It is sent to the bank and kept nowhere."""

    number = CardNumberField(help_text="13 to 19 digits, no blanks; the last one is the check digit (Luhn).")
    expiry_month = StrictIntegerField(
        min_value=1, max_value=12, remedy="Must be an integer from 1 to 12, without quotes."
    )
    expiry_year = StrictIntegerField(
        min_value=2000,
        max_value=_LATEST_EXPIRY_YEAR,
        remedy="Must be the year in four digits, without quotes: 2030, not 30.",
        help_text="Four digits. A card is good until its month has ended everywhere on earth: 12 hours after "
        "it has ended in UTC.",
    )
    cvv = CvvField(help_text="3 or 4 digits.")

    def to_internal_value(self, data: Any) -> Any:
        """The expiry is judged beside the other fields, so that all errors are named at once."""
        errors: dict[str, Any] = {}
        value: Any = None
        try:
            value = super().to_internal_value(data)
        except serializers.ValidationError as error:
            errors = dict(error.detail)  # type: ignore[arg-type]  # a serializer's are by field
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
    """What to hold, for which order and customer, on which card."""

    order_id = IdField(
        help_text="Yours: 1 to 64 visible characters, not `.` or `..`. An order has one live payment."
    )
    customer_id = IdField(help_text="Yours: 1 to 64 visible characters, not `.` or `..`.")
    amount = AmountField(help_text="In the currency's minor unit: 5000 is $50.00, and ¥5,000.")
    currency = CurrencyField(help_text="ISO 4217; one that you have a route for.")
    card = CardSerializer()
    description = TextField(required=False, allow_null=True, allow_blank=True, max_length=500)
    customer_email = EmailTextField(required=False, allow_null=True)
    metadata = MetadataField(
        required=False, allow_null=True, help_text="Up to 20 strings of up to 500 characters, kept for you."
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
        """The order of validated data."""
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
        """The card of validated data."""
        return Card(**self.validated_data["card"])


class OperationSerializer(StrictSerializer):
    """A capture, void or refund; an empty body will do."""

    amount = AmountField(
        required=False,
        help_text="In the currency's minor unit; left out, all that is left. A capture may be of less, once "
        "(the rest of the hold is released), and refunds may be several, where the payment's bank can. A "
        "void's is the payment's.",
    )
    reason = WrittenField(
        required=False,
        allow_null=True,
        allow_blank=True,
        max_length=500,
        help_text="For the payment's history.",
    )


@extend_schema_field({"type": "string", "pattern": CURSOR_PATTERN})
class CursorField(StrictCharField):
    """A place in a list."""

    default_error_messages = {"not_a_cursor": "Must be a cursor of this API."}  # noqa: RUF012

    def to_internal_value(self, data: Any) -> Any:
        try:
            return Cursor.parse(super().to_internal_value(data))
        except ValueError:
            self.fail("not_a_cursor")


class PageSerializer(StrictSerializer):
    """How much of a list, and from where."""

    cursor = CursorField(required=False, help_text="Not made by you: follow `next` or `previous`.")
    page_size = QueryIntegerField(
        required=False, min_value=1, max_value=100, default=25, remedy="Must be an integer from 1 to 100."
    )


class PaymentFilterSerializer(PageSerializer):
    """Which payments. All given conditions must hold."""

    order_id = IdField(required=False)
    customer_id = IdField(required=False)
    state = serializers.ChoiceField(
        required=False,
        choices=[state.value for state in PaymentState],
        error_messages={"invalid_choice": f"Must be one of {', '.join(PaymentState)}, in capitals."},
    )
    created_from = MomentField(required=False, help_text="RFC 3339, inclusive.")
    created_to = MomentField(required=False, help_text="RFC 3339, exclusive.")

    def conditions(self) -> dict[str, str | datetime]:
        """The filter of validated data, as the ORM takes it."""
        data = self.validated_data
        names = {"created_from": "created_at__gte", "created_to": "created_at__lt"}
        plain = ("order_id", "customer_id", "state")
        return {names.get(name, name): data[name] for name in (*plain, *names) if name in data}


# --- Answers, described ------------------------------------------------------------------------


# Named for the document (ENUM_NAME_OVERRIDES in the settings).
MERCHANT_OPERATIONS = [kind.value for kind in OperationKind if kind is not OperationKind.RELEASE]
MONEY_MOVED = ["no", "yes", "unknown"]
ACTORS = ["merchant", "staff", "system"]
DECLINE_CODES = list(DECLINES)
OUTCOMES = [state.value.lower() for state in FINISHED_OPERATIONS]
# Why an operation did not succeed.
OUTCOME_CODES = [
    *DECLINES,
    "authorization_expired",
    *answers.WHY_NOT_EXECUTED,
]


class CardShownSerializer(serializers.Serializer[Any]):
    brand = serializers.CharField(help_text="The card's network, as `visa`, or `unknown`.")
    last4 = serializers.CharField()
    expiry_month = serializers.IntegerField()
    expiry_year = serializers.IntegerField()


class BankReferencesSerializer(serializers.Serializer[Any]):
    """The bank's own ids. An id that is null has not come to exist, or is not known yet."""

    authorization_id = serializers.CharField(allow_null=True)
    capture_id = serializers.CharField(allow_null=True)
    void_id = serializers.CharField(allow_null=True)
    refund_id = serializers.CharField(allow_null=True, help_text="The latest refund's.")


class DeclineSerializer(serializers.Serializer[Any]):
    code = serializers.ChoiceField(choices=DECLINE_CODES)
    message = serializers.CharField()


class LastOperationSerializer(serializers.Serializer[Any]):
    """How the payment's latest finished operation ended: after a 202, how that one did."""

    kind = serializers.ChoiceField(choices=MERCHANT_OPERATIONS)
    outcome = serializers.ChoiceField(choices=OUTCOMES)
    code = serializers.ChoiceField(
        choices=OUTCOME_CODES,
        allow_null=True,
        help_text="Why it did not succeed; null if it did. `declined`: as the 402's code. `rejected`: "
        "`authorization_expired`. `not_executed`: `bank_unavailable` (nothing reached the bank), "
        "`not_found_at_bank` (the bank, asked twice, knows nothing of it) or `found_by_people` (FicPay's "
        "staff found it, on evidence).",
    )
    at = serializers.DateTimeField(help_text="When the outcome was recorded.")


class RefundSerializer(serializers.Serializer[Any]):
    """Money given back by one refund."""

    id = serializers.CharField(help_text="The operation's, as its events have it.")
    amount = serializers.IntegerField()
    reason = serializers.CharField(allow_null=True, help_text="The caller's, where one was given.")
    bank_reference = serializers.CharField(
        allow_null=True, help_text="Null where the bank's id is not known."
    )
    refunded_at = serializers.DateTimeField()


class ReceiptSerializer(serializers.Serializer[Any]):
    """A payment as FicPay knows it: the source of truth.

    Amounts are in the currency's minor unit, times RFC 3339 in UTC.
    """

    id = serializers.RegexField(PAYMENT_ID_PATTERN)
    livemode = serializers.BooleanField(help_text="True: real money. False: made with a test key.")
    order_id = serializers.CharField()
    customer_id = serializers.CharField()
    amount = serializers.IntegerField(min_value=MIN_AMOUNT_MINOR, max_value=MAX_AMOUNT_MINOR)
    currency = serializers.CharField()
    state = serializers.ChoiceField(
        choices=[state.value for state in PaymentState],
        help_text="`PENDING`: an authorize is unfinished. `AUTHORIZED`: the bank holds the money. "
        "`CAPTURED`: it is taken; a part of it may be given back. `REFUNDED`: all of it is. "
        "`VOIDED`: the hold was released. `EXPIRED`: the hold ran out. `DECLINED`: the issuer said no. "
        "`FAILED`: not executed; `last_operation.code` says why.",
    )
    pending_operation = serializers.ChoiceField(
        choices=MERCHANT_OPERATIONS,
        allow_null=True,
        help_text="An operation whose outcome is not known yet: in flight, in doubt or under review.",
    )
    last_operation = LastOperationSerializer(
        allow_null=True, help_text="Null until one has ended. In a stored answer, the one that it answers."
    )
    money_moved = serializers.ChoiceField(
        choices=MONEY_MOVED,
        help_text="In the payment's whole life: whether the customer's money has been taken. `yes` once "
        "it is captured (also if refunded later), `unknown` while an operation is unfinished, else `no`. A "
        "hold takes no money. In an error, the member of this name is about the request instead, and "
        "`payment` has none.",
    )
    card = CardShownSerializer()
    bank = BankReferencesSerializer()
    decline = DeclineSerializer(allow_null=True)
    captured_amount = serializers.IntegerField(help_text="May be less than `amount`: the rest is released.")
    refunded_amount = serializers.IntegerField(help_text="The sum of `refunds`.")
    refunds = RefundSerializer(many=True, help_text="Oldest first.")
    description = serializers.CharField(allow_null=True)
    customer_email = serializers.CharField(allow_null=True)
    metadata = serializers.DictField(child=serializers.CharField())
    authorization_expires_at = serializers.DateTimeField(
        allow_null=True, help_text="Until when the hold can be captured."
    )
    created_at = serializers.DateTimeField()
    pending_at = serializers.DateTimeField()
    authorized_at = serializers.DateTimeField(allow_null=True)
    captured_at = serializers.DateTimeField(allow_null=True)
    refunded_at = serializers.DateTimeField(allow_null=True)
    voided_at = serializers.DateTimeField(allow_null=True)
    expired_at = serializers.DateTimeField(allow_null=True)
    declined_at = serializers.DateTimeField(allow_null=True)
    failed_at = serializers.DateTimeField(allow_null=True)


class ReceiptInErrorSerializer(ReceiptSerializer):
    """The receipt as an error shows it: without `money_moved`, which in an error is about the request."""

    money_moved = None  # type: ignore[assignment]  # DRF's way to leave an inherited field out


@extend_schema_serializer(many=False)  # of a list's page there is one
class PaymentPageSerializer(serializers.Serializer[Any]):
    """A page of payments, newest first."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = ReceiptSerializer(many=True)


# What staff did among themselves is not told to merchants.
EVENT_TYPES = [choice for choice in Event.Type.choices if choice[0] not in Event.OF_STAFF]


class EventSerializer(serializers.Serializer[Any]):
    """Something that happened to the payment."""

    id = serializers.CharField()
    type = serializers.ChoiceField(choices=EVENT_TYPES)
    at = serializers.DateTimeField()
    actor = serializers.ChoiceField(choices=ACTORS)
    operation_id = serializers.CharField(allow_null=True)
    amount = serializers.IntegerField(allow_null=True, help_text="The operation's.")
    request_id = serializers.CharField(allow_null=True)
    reason = serializers.CharField(allow_null=True, help_text="The caller's, where one was given.")


class EventListSerializer(serializers.Serializer[Any]):
    """A payment's history, oldest first."""

    results = EventSerializer(many=True)


class OrderStatusSerializer(serializers.Serializer[Any]):
    """What an order's payments say about shipping it."""

    order_id = serializers.CharField()
    ready_to_ship = serializers.BooleanField(help_text="False on any doubt.")
    reason = serializers.CharField()
    payment = ReceiptSerializer(help_text="The live payment, else the newest.")
    payments = ReceiptSerializer(many=True, help_text="Newest first, at most 100.")


class FieldErrorSerializer(serializers.Serializer[Any]):
    field = serializers.CharField(help_text="As `card.number`; empty for the whole body.")
    code = serializers.ChoiceField(choices=FIELD_ERROR_CODES, help_text=FIELD_CODES_EXPLAINED)
    detail = serializers.CharField(help_text="What to send instead, in a sentence.")


class ProblemSerializer(serializers.Serializer[Any]):
    """An error (RFC 9457)."""

    type = serializers.CharField(
        help_text="`/problems/` and the code: on this instance, the page that explains it."
    )
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField(help_text="For programs. Codes may be added; the status says the kind.")
    request_id = serializers.CharField(
        help_text="The request's; in an answer about an operation, that of the request which instructed it."
    )
    errors = FieldErrorSerializer(many=True, required=False)  # type: ignore[assignment]  # DRF's own name
    payment = ReceiptInErrorSerializer(
        required=False, help_text="The payment that the error is about, as it was when this was answered."
    )
    money_moved = serializers.ChoiceField(
        choices=MONEY_MOVED,
        required=False,
        help_text="Of this request alone: whether the bank has executed what it asked for, as known "
        "when it was answered. Only of requests that ask for something (POST).",
    )
    next = serializers.CharField(help_text="What to do now, in a sentence.")
