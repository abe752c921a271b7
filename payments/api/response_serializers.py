"""What the API's responses contain, described for the OpenAPI document.

`payments.engine.answers` makes the receipt itself. The tests check every response against these serializers.
"""

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from payments.api.field_errors import FIELD_ERRORS
from payments.domain.ids import PAYMENT_PREFIX
from payments.domain.meanings import DECLINES
from payments.domain.money import MAX_AMOUNT_MINOR, MIN_AMOUNT_MINOR
from payments.domain.states import FINISHED_OPERATIONS, OperationKind, PaymentState
from payments.engine import answers
from payments.models import Event

PAYMENT_ID_PATTERN = f"^{PAYMENT_PREFIX}[0-9a-f]{{32}}$"
FIELD_ERROR_CODES = list(FIELD_ERRORS)
FIELD_CODES_EXPLAINED = " ".join(f"`{code}`: {means}" for code, means in FIELD_ERRORS.items())
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
