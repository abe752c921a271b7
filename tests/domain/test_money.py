"""Money: how amounts of each currency are shown, and what people's typing means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.domain.money import (
    DENOMINATIONS,
    MAX_AMOUNT_MINOR,
    MIN_AMOUNT_MINOR,
    TypedAmount,
    display,
    read_amount,
)

ALL = {"USD", "EUR", "GBP", "JPY"}
WITH_CENTS = ALL - {"JPY"}


class TestDisplay:
    @pytest.mark.parametrize(
        ("amount_minor", "currency", "shown"),
        [
            (MIN_AMOUNT_MINOR, "USD", "$0.01"),
            (5000, "USD", "$50.00"),
            (123456, "USD", "$1,234.56"),
            (MAX_AMOUNT_MINOR, "USD", "$999,999.99"),
            (MAX_AMOUNT_MINOR, "JPY", "¥99,999,999"),
            (0, "USD", "$0.00"),
            (-1, "USD", "-$0.01"),
            (-150, "USD", "-$1.50"),
            (5000, "EUR", "€50.00"),
            (5000, "GBP", "£50.00"),
            (5000, "JPY", "¥5,000"),
            (0, "JPY", "¥0"),
            (-1, "JPY", "-¥1"),
        ],
    )
    def test_is_in_the_currency_and_its_minor_units(
        self, amount_minor: int, currency: str, shown: str
    ) -> None:
        assert display(amount_minor, currency) == shown

    def test_of_an_unknown_currency_is_in_minor_units(self) -> None:
        """Nobody knows where its point belongs."""
        assert display(5000, "CHF") == "CHF 5,000 minor units"

    def test_for_programs_is_a_number_alone(self) -> None:
        numbers = {
            ("USD", 123450): "1234.50",
            ("USD", 5): "0.05",
            ("JPY", 5000): "5000",
            ("EUR", -150): "-1.50",
        }
        assert {key: DENOMINATIONS[key[0]].number(key[1]) for key in numbers} == numbers

    def test_exponents_are_iso_4217s(self) -> None:
        exponents = {code: denomination.exponent for code, denomination in DENOMINATIONS.items()}
        assert exponents == {"USD": 2, "EUR": 2, "GBP": 2, "JPY": 0}


class TestReadAmount:
    @pytest.mark.parametrize(
        ("text", "amount_minor", "currencies"),
        [
            ("$50", 5000, {"USD"}),
            ("$50.00", 5000, {"USD"}),
            ("$ 1,234.56", 123456, {"USD"}),
            ("€50.05", 5005, {"EUR"}),
            ("50.00 €", 5000, {"EUR"}),
            ("£0.01", 1, {"GBP"}),
            ("¥5,000", 5000, {"JPY"}),
            ("¥5000", 5000, {"JPY"}),
            ("EUR 50", 5000, {"EUR"}),
            ("50.00 eur", 5000, {"EUR"}),
            ("JPY 5000", 5000, {"JPY"}),
            ("50.00", 5000, WITH_CENTS),
            ("1,234.56", 123456, WITH_CENTS),
            ("5000", 5000, ALL),
            (" $50.00 ", 5000, {"USD"}),
            ("$999,999.99", MAX_AMOUNT_MINOR, {"USD"}),
            ("$90071992547409.93", 9007199254740993, {"USD"}),  # more than a float can tell apart
        ],
    )
    def test_what_people_type(self, text: str, amount_minor: int, currencies: set[str]) -> None:
        assert read_amount(text) == TypedAmount(amount_minor, frozenset(currencies))

    @pytest.mark.parametrize(
        "text",
        [
            *("", "$", "EUR", "$.50", "$50.", "$50.5", "$50.000", "¥50.00", "50.0", "50,00", "50,00 €"),
            *("1,234", "12,34.00", "$1,23", "$-5", "-5", "+5", "5e3", "$ $5", "$5 EUR", "CHF 50.00"),
            *("5 000", "\u0665\u0660", "$\u0665\u0660", "\u00bd", "1_000", "0x10", "nan", "order 50.00"),
            *("9" * 16, "$" + "9" * 16),
        ],
    )
    def test_what_means_no_amount(self, text: str) -> None:
        assert read_amount(text) is None

    @given(st.integers(0, 10**15 - 1), st.sampled_from(sorted(ALL)))
    def test_reads_what_it_shows(self, amount_minor: int, currency: str) -> None:
        assert read_amount(display(amount_minor, currency)) == TypedAmount(
            amount_minor, frozenset({currency})
        )
