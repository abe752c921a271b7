"""What the API's responses contain, described for the OpenAPI document.

`payments.engine.responses` makes the receipt itself. The tests check every response against these.
"""

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from payments.api.field_errors import FIELD_ERRORS
from payments.domain.ids import PAYMENT_PREFIX
from payments.domain.meanings import DECLINES
from payments.domain.money import MAX_AMOUNT_MINOR, MIN_AMOUNT_MINOR
from payments.domain.states import FINISHED_OPERATIONS, OperationKind, PaymentState
from payments.engine import responses
from payments.models import Event

PAYMENT_ID_PATTERN = f"^{PAYMENT_PREFIX}[0-9a-f]{{32}}$"
FIELD_ERROR_CODES = list(FIELD_ERRORS)
FIELD_CODES_EXPLAINED = " ".join(f"`{code}`: {means}" for code, means in FIELD_ERRORS.items())
# Enumerations that the document names (ENUM_NAME_OVERRIDES in the settings).
MERCHANT_OPERATIONS = [kind.value for kind in OperationKind if kind is not OperationKind.RELEASE]
MONEY_MOVED = ["no", "yes", "unknown"]
ACTORS = ["merchant", "staff", "system"]
DECLINE_CODES = list(DECLINES)
OUTCOMES = [state.value.lower() for state in FINISHED_OPERATIONS]
# Why an operation did not succeed.
OUTCOME_CODES = [
    *DECLINES,
    "authorization_expired",
    *responses.WHY_NOT_EXECUTED,
]


class CardShownSerializer(serializers.Serializer[Any]):
    brand = serializers.CharField(help_text="The card network, such as `visa`, or `unknown`.")
    last4 = serializers.CharField()
    expiry_month = serializers.IntegerField()
    expiry_year = serializers.IntegerField()


class BankReferencesSerializer(serializers.Serializer[Any]):
    """The bank's own ids. Each is null until it exists and FicPay knows it."""

    authorization_id = serializers.CharField(allow_null=True)
    capture_id = serializers.CharField(allow_null=True)
    void_id = serializers.CharField(allow_null=True)
    refund_id = serializers.CharField(allow_null=True, help_text="The latest refund's.")


class DeclineSerializer(serializers.Serializer[Any]):
    code = serializers.ChoiceField(choices=DECLINE_CODES)
    message = serializers.CharField()


class LastOperationSerializer(serializers.Serializer[Any]):
    """How the payment's latest finished operation ended. After a 202, read here how that operation ended."""

    kind = serializers.ChoiceField(choices=MERCHANT_OPERATIONS)
    outcome = serializers.ChoiceField(choices=OUTCOMES)
    code = serializers.ChoiceField(
        choices=OUTCOME_CODES,
        allow_null=True,
        help_text="Why it did not succeed; null if it did. If `outcome` is `declined`: the same code as in "
        "the 402. If `rejected`: `authorization_expired`. If `not_executed`: `bank_unavailable` (nothing "
        "reached the bank), `not_found_at_bank` (FicPay asked the bank twice, and it has no record of the "
        "operation), `found_by_people` (FicPay's staff established it on evidence) or "
        "`ruled_out_by_statement` (the bank's statement shows it).",
    )
    at = serializers.DateTimeField(help_text="When the outcome was recorded.")


class RefundSerializer(serializers.Serializer[Any]):
    """One refund that succeeded."""

    id = serializers.CharField(help_text="The operation's id, the `operation_id` of its events.")
    amount = serializers.IntegerField()
    reason = serializers.CharField(allow_null=True, help_text="The reason given in the request, if any.")
    bank_reference = serializers.CharField(
        allow_null=True, help_text="The bank's id of the refund. Null if it is unknown."
    )
    refunded_at = serializers.DateTimeField()


class ReceiptSerializer(serializers.Serializer[Any]):
    """A payment in its current state: the source of truth.

    Amounts are in the currency's minor unit. Times are RFC 3339 in UTC.
    """

    id = serializers.RegexField(PAYMENT_ID_PATTERN)
    livemode = serializers.BooleanField(help_text="True: real money. False: created with a test key.")
    order_id = serializers.CharField()
    customer_id = serializers.CharField()
    amount = serializers.IntegerField(min_value=MIN_AMOUNT_MINOR, max_value=MAX_AMOUNT_MINOR)
    currency = serializers.CharField()
    state = serializers.ChoiceField(
        choices=[state.value for state in PaymentState],
        help_text="`PENDING`: the authorize is unfinished. `AUTHORIZED`: the bank holds the money. "
        "`CAPTURED`: the money was taken; a part of it may have been refunded. `REFUNDED`: all of it was "
        "refunded. `VOIDED`: the hold was voided. `EXPIRED`: the hold expired. `DECLINED`: the card's "
        "issuer declined the card. `FAILED`: the authorize was not executed; `last_operation.code` says "
        "why.",
    )
    pending_operation = serializers.ChoiceField(
        choices=MERCHANT_OPERATIONS,
        allow_null=True,
        help_text="The operation whose outcome is not known yet: in flight, in doubt or under review.",
    )
    last_operation = LastOperationSerializer(
        allow_null=True,
        help_text="Null until an operation has ended. In a stored response, the operation it responds to.",
    )
    money_moved = serializers.ChoiceField(
        choices=MONEY_MOVED,
        help_text="Whether the customer's money has ever been taken for this payment: `yes` once it is "
        "captured, even if it is refunded later; `unknown` while an operation is unfinished; otherwise "
        "`no`. A hold takes no money. In an error, `money_moved` is about the request instead, and the "
        "error's `payment` has no such field.",
    )
    card = CardShownSerializer()
    bank = BankReferencesSerializer()
    decline = DeclineSerializer(allow_null=True)
    captured_amount = serializers.IntegerField(
        help_text="May be less than `amount`. The rest of the hold was freed."
    )
    refunded_amount = serializers.IntegerField(help_text="The sum of `refunds`.")
    refunds = RefundSerializer(many=True, help_text="Oldest first.")
    description = serializers.CharField(allow_null=True)
    customer_email = serializers.CharField(allow_null=True)
    metadata = serializers.DictField(child=serializers.CharField())
    authorization_expires_at = serializers.DateTimeField(
        allow_null=True, help_text="The hold can be captured until this time."
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
    """The receipt within an error: without `money_moved`, which in an error is about the request."""

    money_moved = None  # type: ignore[assignment]  # DRF's way to remove an inherited field


@extend_schema_serializer(many=False)  # drf-spectacular would describe a list of pages
class PaymentPageSerializer(serializers.Serializer[Any]):
    """A page of payments, newest first."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = ReceiptSerializer(many=True)


# Merchants do not see the events of staff's internal work, and a settlement is of many payments.
_NOT_OF_A_PAYMENT = (*Event.OF_STAFF, Event.Type.SETTLEMENT_CREATED)
EVENT_TYPES = [choice for choice in Event.Type.choices if choice[0] not in _NOT_OF_A_PAYMENT]


class EventSerializer(serializers.Serializer[Any]):
    """Something that happened to the payment."""

    id = serializers.CharField()
    type = serializers.ChoiceField(choices=EVENT_TYPES)
    at = serializers.DateTimeField()
    actor = serializers.ChoiceField(choices=ACTORS)
    operation_id = serializers.CharField(allow_null=True)
    amount = serializers.IntegerField(allow_null=True, help_text="The operation's amount.")
    request_id = serializers.CharField(allow_null=True)
    reason = serializers.CharField(allow_null=True, help_text="The reason given in the request, if any.")


class EventListSerializer(serializers.Serializer[Any]):
    """A payment's history, oldest first."""

    results = EventSerializer(many=True)


class OrderStatusSerializer(serializers.Serializer[Any]):
    """Whether an order can be shipped, and its payments."""

    order_id = serializers.CharField()
    ready_to_ship = serializers.BooleanField(help_text="False if there is any doubt.")
    reason = serializers.CharField()
    payment = ReceiptSerializer(help_text="The live payment, or the newest if none is live.")
    payments = ReceiptSerializer(many=True, help_text="Newest first, at most 100.")


class FieldErrorSerializer(serializers.Serializer[Any]):
    field = serializers.CharField(help_text="A path such as `card.number`; empty for the whole body.")
    code = serializers.ChoiceField(choices=FIELD_ERROR_CODES, help_text=FIELD_CODES_EXPLAINED)
    detail = serializers.CharField(help_text="A sentence that says what to send instead.")


class ProblemSerializer(serializers.Serializer[Any]):
    """An error (RFC 9457)."""

    type = serializers.CharField(
        help_text="`/problems/` plus the code: the path of the page that explains the error."
    )
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField(
        help_text="For programs. New codes may be added; handle unknown ones by their status."
    )
    request_id = serializers.CharField(
        help_text="The request's id. In the response about an operation, the id of the request that started "
        "it."
    )
    errors = FieldErrorSerializer(many=True, required=False)  # type: ignore[assignment]  # DRF's own name
    payment = ReceiptInErrorSerializer(
        required=False, help_text="The payment that the error is about, at the time of the response."
    )
    money_moved = serializers.ChoiceField(
        choices=MONEY_MOVED,
        required=False,
        help_text="Whether the bank has executed what this request asked for, as known at the time of the "
        "response. Only in responses to a POST.",
    )
    next = serializers.CharField(help_text="A sentence that says what to do next.")
