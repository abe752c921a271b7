"""Settlements: query parameters, and what responses contain."""

from datetime import date
from typing import Any

from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from payments.api.fields import DayField
from payments.api.pages import LineCursor, SettlementCursor
from payments.api.serializers import CURSOR_HELP, CursorField, PageSerializer
from payments.domain.money import Currency
from payments.domain.states import OperationKind
from reconciliation.models.settlements import SETTLEMENT_PREFIX

SETTLEMENT_ID_PATTERN = f"^{SETTLEMENT_PREFIX}[0-9a-f]{{32}}$"
SETTLED_KINDS = [OperationKind.CAPTURE.value, OperationKind.REFUND.value, "correction"]


@extend_schema_field({"type": "string", "pattern": SettlementCursor.pattern})
class SettlementCursorField(CursorField):
    kind = SettlementCursor


@extend_schema_field({"type": "string", "pattern": LineCursor.pattern})
class LineCursorField(CursorField):
    kind = LineCursor


class SettlementFilterSerializer(PageSerializer):
    """Which settlements to list: those that match all given filters."""

    cursor = SettlementCursorField(required=False, help_text=CURSOR_HELP)
    currency = serializers.ChoiceField(
        required=False,
        choices=[currency.value for currency in Currency],
        error_messages={"invalid_choice": f"Must be one of {', '.join(Currency)}, in upper case."},
    )
    date_from = DayField(required=False, help_text="YYYY-MM-DD (UTC), inclusive.")
    date_to = DayField(required=False, help_text="YYYY-MM-DD (UTC), inclusive.")

    def conditions(self) -> dict[str, str | date]:
        """The filters in the validated data, as ORM lookups."""
        names = {"currency": "currency", "date_from": "date__gte", "date_to": "date__lte"}
        data = self.validated_data
        return {lookup: data[name] for name, lookup in names.items() if name in data}


class LinePageSerializer(PageSerializer):
    """Which page of a settlement's lines, and its size."""

    cursor = LineCursorField(required=False, help_text=CURSOR_HELP)


class SettlementSerializer(serializers.Serializer[Any]):
    """What you get for one day at one bank in one currency.

    `captured_amount` - `refunded_amount` - `fees_amount` + `corrected_amount` + `brought_forward` is
    `amount`, or where it is negative `carried_forward`. Amounts are in the currency's minor unit.
    """

    id = serializers.RegexField(SETTLEMENT_ID_PATTERN)
    livemode = serializers.BooleanField(help_text="True: real money.")
    date = serializers.DateField(
        help_text="The UTC day that it ends with. What the bank's statement shows late is in a later one."
    )
    bank = serializers.CharField(help_text="The bank that pays it.")
    currency = serializers.CharField()
    amount = serializers.IntegerField(help_text="What is paid to you. Never negative.")
    captured_amount = serializers.IntegerField()
    refunded_amount = serializers.IntegerField()
    fees_amount = serializers.IntegerField()
    corrected_amount = serializers.IntegerField(
        help_text="Corrections of earlier settlements; negative: against you."
    )
    brought_forward = serializers.IntegerField(
        help_text="What you owed after the settlement before: nought, or negative."
    )
    carried_forward = serializers.IntegerField(
        help_text="What you owe now: nought, or negative. The next settlement begins with it."
    )
    created_at = serializers.DateTimeField()


@extend_schema_serializer(many=False)  # drf-spectacular would describe a list of pages
class SettlementPageSerializer(serializers.Serializer[Any]):
    """A page of settlements, newest first."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = SettlementSerializer(many=True)


class SettlementLineSerializer(serializers.Serializer[Any]):
    """One capture, refund or correction. Each is in one settlement only."""

    kind = serializers.ChoiceField(choices=SETTLED_KINDS)
    payment_id = serializers.CharField(
        allow_null=True, help_text="Null for a correction that is about no single payment."
    )
    order_id = serializers.CharField(allow_null=True)
    operation_id = serializers.CharField(
        allow_null=True, help_text="The `operation_id` of the payment's events. Null as `payment_id`."
    )
    amount = serializers.IntegerField(
        help_text="As your balance changes by it: a capture is positive, a refund negative."
    )
    fee = serializers.IntegerField(help_text="The fee of a capture. It is deducted besides `amount`.")
    bank_reference = serializers.CharField(allow_null=True, help_text="The bank's id of the operation.")
    reason = serializers.CharField(allow_null=True, help_text="Why it was corrected.")
    at = serializers.DateTimeField(help_text="When it was captured, refunded or corrected.")


@extend_schema_serializer(many=False)  # drf-spectacular would describe a list of pages
class SettlementLinePageSerializer(serializers.Serializer[Any]):
    """A page of a settlement's lines, newest first."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = SettlementLineSerializer(many=True)
