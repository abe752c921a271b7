"""The quick yes: it takes nothing that the serializers refuse, and nothing otherwise than they would."""

from typing import Any
from unittest import mock

import pytest
from django.core.validators import RegexValidator
from hypothesis import given, settings
from hypothesis import strategies as st
from rest_framework import serializers

from payments.api.fields import StrictIntegerField, StrictSerializer, card_digits
from payments.api.plain import Part, Plain
from payments.api.serializers import AuthorizeSerializer, CurrencyField, OperationSerializer, PageSerializer
from tests.support.api_client import CARDS

EXAMPLES = settings.default.max_examples
NUMBER = CARDS["visa"]["number"]
SOMETIMES = ["order_id", "card", *["nothing"] * 20]
CONTEXT = {"routes": {"USD": "ficmart", "EUR": "acquirer"}}

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.sampled_from(
        ["", " ", ".", "..", "a/../b", "a\x00", "\ud800", "a\nb", "\x7f", "4111 1111 1111 1111"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
ids = st.text(".a/\\", min_size=1, max_size=4) | st.sampled_from(
    ["a b", "é", "a" * 64, "a" * 65, NUMBER, "?"]
)
texts = st.text(max_size=40) | st.sampled_from(["x" * 500, "x" * 501, "Zwei ☕\n\t", NUMBER, f"no {NUMBER}"])
emails = st.emails() | st.sampled_from([f"{NUMBER}@shop.example", "nobody", "a b@c.example", "a@b"])
metadata = st.dictionaries(texts, texts | anything, max_size=4) | st.just({str(n): "" for n in range(21)})
in_card = {
    "number": st.sampled_from(["4111111111111112", "411111111111", "4" * 20, "", *(NUMBER, "5" * 16)]),
    "expiry_month": st.integers(0, 13),
    "expiry_year": st.sampled_from([1999, 2020, 2026, 2099, 2100]),
    "cvv": st.text("019१", max_size=5),
    "holder": texts,
}
in_order = {
    "order_id": ids,
    "customer_id": ids,
    "amount": st.integers(-1, 10**8) | st.sampled_from([True, 1.0, "1"]),
    "currency": st.sampled_from(["USD", "EUR", "JPY", "usd", ""]),
    "card": st.just({}),
    "description": texts,
    "customer_email": emails,
    "metadata": metadata,
    "unknown": anything,
}
honest = st.fixed_dictionaries(
    {
        "order_id": st.uuids().map(str) | st.integers(1, 10**9).map(lambda number: f"order-{number}"),
        "customer_id": st.uuids().map(lambda uuid: uuid.hex),
        "amount": st.integers(1, 99_999_999),
        "currency": st.sampled_from(["USD", "EUR"]),
        "card": st.sampled_from(list(CARDS.values())),
    },
    optional={
        "description": st.none() | st.sampled_from(["", "Zwei Becher ☕\n", "x" * 500]),
        "customer_email": st.none() | st.just("o'brien+shop@example.co.uk"),
        "metadata": st.none() | st.dictionaries(st.sampled_from("abcdef"), st.just("v"), max_size=6),
    },
)
operations = st.fixed_dictionaries(
    {}, optional={"amount": st.integers(-1, 10**8) | anything, "reason": texts | anything}
)


def one_of_them(fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """One field with a value that it may take or not, now and then of another kind altogether."""
    either = [(st.just(name), value | value | anything) for name, value in fields.items()]
    return st.one_of(*(st.tuples(*one) for one in either)).map(lambda pair: dict([pair]))


@st.composite
def orders(draw: st.DrawFn) -> dict[str, Any]:
    """An honest order with one or two fields changed, and now and then one of its card, or one left out."""
    body: dict[str, Any] = draw(honest)
    body.pop(draw(st.sampled_from(SOMETIMES)), None)
    for change in draw(st.lists(one_of_them(in_order), min_size=1, max_size=2)):
        body |= change
    if isinstance(body.get("card"), dict) and draw(st.booleans()):
        body["card"] = body["card"] | draw(one_of_them(in_card))
    return body


def serializer_of(kind: type[StrictSerializer], body: Any) -> StrictSerializer:
    return kind(data=body, context=CONTEXT)


def is_taken(serializer: StrictSerializer) -> bool:
    return serializer.takes(serializer.initial_data, card_digits(serializer.initial_data))


def assert_is_judged_alike(kind: type[StrictSerializer], body: Any) -> None:
    """Quickly and in full: with the same values in the same order, or refused."""
    serializer = serializer_of(kind, body)
    if not is_taken(serializer):
        return
    with mock.patch.object(StrictSerializer, "takes", Plain.takes):
        in_full = serializer_of(kind, body)
        in_full.is_valid(raise_exception=True)
    assert serializer.is_valid()
    assert serializer.validated_data == in_full.validated_data
    assert list(serializer.validated_data) == list(in_full.validated_data)


class TestTheQuickYes:
    @given(orders() | anything)
    @settings(max_examples=3 * EXAMPLES)
    def test_of_an_authorize_is_the_serializers_own(self, body: Any) -> None:
        assert_is_judged_alike(AuthorizeSerializer, body)

    @given(operations | anything)
    @settings(max_examples=2 * EXAMPLES)
    def test_of_another_operation_is_the_serializers_own(self, body: Any) -> None:
        assert_is_judged_alike(OperationSerializer, body)

    @given(honest)
    def test_is_said_to_what_honest_callers_send(self, body: Any) -> None:
        assert is_taken(serializer_of(AuthorizeSerializer, body))
        assert_is_judged_alike(AuthorizeSerializer, body)

    @pytest.mark.parametrize(
        ("change", "is_plain"),
        [
            ({}, True),
            ({"order_id": "4512345678908"}, True),  # looks like a card, and is not this one
            ({"order_id": f"o-{NUMBER}"}, False),
            ({"metadata": {"a": "4111-1111-1111-1111"}}, False),
            ({"amount": True}, False),
            ({"amount": 5.0}, False),
            ({"currency": "JPY"}, False),
            ({"card": CARDS["visa"] | {"expiry_year": 2020}}, False),
            ({"description": "a\x1b"}, False),
            ({"customer_email": ""}, False),
            ({"customer_email": "nobody"}, False),
            ({"order_id": "a/../b"}, False),
            ({"order_id": "a b"}, False),
            ({"metadata": {str(number): "" for number in range(21)}}, False),
            ({"extra": None}, False),
        ],
    )
    def test_is_not_said_to_what_is_wrong(self, change: dict[str, Any], is_plain: bool) -> None:
        body = {
            "order_id": "order-1",
            "customer_id": "customer-7",
            "amount": 5000,
            "currency": "USD",
            "card": CARDS["visa"],
        }
        assert is_taken(serializer_of(AuthorizeSerializer, body | change)) is is_plain

    def test_is_not_said_where_a_default_would_have_to_be_filled_in(self) -> None:
        serializer = serializer_of(PageSerializer, {})
        assert not is_taken(serializer)
        assert serializer.is_valid()
        assert serializer.validated_data == {"page_size": 25}


class TestWhatJudgesAnew:
    """A rule that is added says nothing to the quick yes, so the quick yes is not said."""

    def test_is_a_serializer_with_a_rule_of_its_own(self) -> None:
        class Even(StrictSerializer):
            amount = StrictIntegerField()

            def validate_amount(self, value: int) -> int:
                if value % 2:
                    raise serializers.ValidationError("odd")
                return value

        assert not serializer_of(Even, {"amount": 2}).takes({"amount": 2}, "")
        assert not serializer_of(Even, {"amount": 1}).is_valid()

    def test_is_a_field_with_a_rule_of_its_own(self) -> None:
        class Odd(StrictIntegerField):
            def to_internal_value(self, data: Any) -> int:
                return super().to_internal_value(data) | 1

        assert not Odd().takes(1, "")

    def test_is_a_field_with_another_validator_or_source(self) -> None:
        class Codes(StrictSerializer):
            plain = CurrencyField()
            matched = CurrencyField(validators=[RegexValidator("[A-Z]+")])
            renamed = CurrencyField(source="plain_one")

        parts = [Part(field) for field in Codes().fields.values()]
        assert [part.takes("EUR", "") for part in parts] == [True, False, False]
