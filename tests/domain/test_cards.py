"""Card numbers: recognised however they are written, and nothing else taken for one."""

import gc
import time
from datetime import UTC, datetime, timedelta, timezone
from unicodedata import decimal
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.domain.cards import (
    Card,
    brand_of,
    contains_card_number,
    contains_number,
    contains_typed_card_number,
    has_expired,
    mask_card_numbers,
    passes_luhn,
)
from payments.domain.ids import PAYMENT_PREFIX, new_id, public_id

VISA = "4111111111111111"
BRANDS = {
    "4222222222222": "visa",
    VISA: "visa",
    "4000000000000000006": "visa",
    "5555555555554444": "mastercard",
    "2221000000000009": "mastercard",
    "2720990000000007": "mastercard",
    "378282246310005": "amex",
    "6011111111111117": "discover",
    "6500000000000002": "discover",
    "30569309025904": "diners",
    "38520000023237": "diners",
    "3530111333300000": "jcb",
    "6200000000000005": "unionpay",
    "5000000000000009": "maestro",
    "6304000000000000": "maestro",
}


def luhn_by_the_book(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B, step by step."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value // 10 + value % 10
    return total % 10 == 0


def with_check_digit(digits: str) -> str:
    return next(number for last in "0123456789" if luhn_by_the_book(number := digits + last))


class TestLuhn:
    @given(st.text("0123456789", min_size=1, max_size=25))
    def test_agrees_with_the_standard(self, digits: str) -> None:
        assert passes_luhn(digits) == luhn_by_the_book(digits)

    @given(st.text("0123456789", min_size=12, max_size=18), st.data())
    def test_a_wrong_digit_is_noticed(self, digits: str, data: st.DataObject) -> None:
        number = with_check_digit(digits)
        place = data.draw(st.integers(0, len(number) - 1))
        other = data.draw(st.sampled_from([digit for digit in "0123456789" if digit != number[place]]))
        assert not passes_luhn(number[:place] + other + number[place + 1 :])


class TestBrands:
    def test_are_known_by_the_first_digits_and_the_length(self) -> None:
        assert {number: brand_of(number) for number in BRANDS} == BRANDS

    def test_are_unknown_where_no_network_issues_such_numbers(self) -> None:
        for number in (
            "4" + "1" * 13,
            "222099" + "0" * 10,
            "2721" + "0" * 12,
            "1234567890123456",
            "0" * 16,
            "",
        ):
            assert brand_of(number) == "unknown", number


class TestACard:
    def test_prints_neither_its_number_nor_its_cvv(self) -> None:
        card = Card(VISA, 12, 2030, "987")
        for printed in (repr(card), str(card), f"{card}", repr([card]), repr({"card": card})):
            assert "1111" not in printed
            assert "987" not in printed

    def test_tells_its_brand_and_last_four_digits(self) -> None:
        card = Card("5555555555554444", 12, 2030, "123")
        assert (card.brand, card.last4) == ("mastercard", "4444")


WRITTEN = [
    VISA,
    "4111 1111 1111 1111",
    "4111-1111-1111-1111",
    "4111.1111.1111.1111",
    "4111/1111/1111/1111",
    "4111_1111_1111_1111",
    "4111+1111+1111+1111",
    "4111\t1111\n1111\r\n1111",
    "4111  1111 - 1111--1111",
    "4111\u00a01111\u20091111\u20141111",
    "4111\u200b1111\u00ad1111\ufeff1111",
    "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
    "411111 1111111111",
    "３７８２ ８２２４６３ １０００５",  # fullwidth  # noqa: RUF001
    "٤١١١١١١١١١١١١١١١",  # arabic-indic
    "४१११-1111-११११-1111",  # devanagari and ASCII mixed
]


class TestExpiry:
    @pytest.mark.usefixtures("far_from_utc")
    def test_is_when_the_cards_last_month_has_ended_everywhere_on_earth(self) -> None:
        in_utc_minus_12 = datetime(2030, 12, 31, 23, 59, 59, tzinfo=timezone(-timedelta(hours=12)))
        assert not has_expired(2030, 12, in_utc_minus_12)
        assert has_expired(2030, 12, in_utc_minus_12 + timedelta(seconds=1))
        assert has_expired(2030, 12, datetime(2031, 1, 1, 12, tzinfo=UTC))
        assert not has_expired(2031, 1, datetime(2031, 1, 1, 12, tzinfo=UTC))


class TestFindingANumber:
    def test_of_every_network(self) -> None:
        assert all(map(contains_card_number, BRANDS))

    def test_however_it_is_written_and_wherever_it_stands(self) -> None:
        around = ("{}", "the card {}, please", "x{}y", "é{}é", '{{"a": ["{}"]}}', "12 {} 34")
        for text in (each.format(written) for written in WRITTEN for each in around):
            assert contains_card_number(text), text

    def test_that_people_wrote_with_commas_bars_and_many_blanks(self) -> None:
        for parted in ("4111,1111,1111,1111", "4111|1111|1111|1111", "4111      1111 ; 1111 : 1111", VISA):
            assert contains_typed_card_number(f"my card: {parted}!"), parted
        for text in ("4111,1111,1111", "4111,1111,1111,1112", "order 50, 11.12.2026"):
            assert not contains_typed_card_number(text), text

    def test_among_other_digits_in_one_run(self) -> None:
        """The number begins and ends with groups, not with the run."""
        assert contains_card_number(f"77 {VISA} 88")
        assert contains_card_number(f"2026-11-21 {VISA}")
        assert not contains_card_number(f"77{VISA}")
        assert mask_card_numbers(f"12 {VISA} 5") == "12 ************1111 5"

    @given(st.sampled_from(sorted(BRANDS)), st.data())
    def test_parted_anywhere(self, number: str, data: st.DataObject) -> None:
        separators = st.sampled_from(["", " ", "-", ".", "  ", " - ", "\u2013", "\u200b"])
        text = "".join(digit + data.draw(separators) for digit in number)
        before = data.draw(st.text("abc:,;|", max_size=5))
        assert contains_card_number(f"{before}{text}|end")

    @given(
        st.integers(13, 19),
        st.sampled_from(["4", "51", "2221", "34", "36", "3528", "62", "81", "50", "67"]),
        st.data(),
    )
    def test_of_any_length_from_13_to_19(self, length: int, beginning: str, data: st.DataObject) -> None:
        digits = st.text("0123456789", min_size=length, max_size=length)
        number = with_check_digit((beginning + data.draw(digits))[: length - 1])
        assert contains_card_number(number)

    def test_finds_nothing_in_what_is_none(self) -> None:
        for text in (
            "",
            "4111111111111112",  # the check digit is wrong
            "1234567890123452",  # no network begins so
            "0000000000000000",
            "411111111111",  # 12 digits
            "41111111111111111111",  # 20 digits
            "4111 1111 1111",
            "4111 1111 a 1111 1111",
            "4111 1111 1111 a 1111",
            "77 4111 1111 1111 88",  # no stretch of it passes
            "4111    1111    1111    1111",
            "4111,1111:1111;1111",
            "½²³①",
            "2026-11-21T09:30:00.123456Z",
        ):
            assert not contains_card_number(text), text
            assert mask_card_numbers(text) == text

    @given(st.lists(st.integers(0, 0x10FFFF).map(chr), max_size=200).map("".join))
    def test_takes_any_text(self, text: str) -> None:
        assert contains_card_number(text) == (mask_card_numbers(text) != text)


class TestThisVeryNumber:
    def test_is_found_however_it_is_written(self) -> None:
        for text in (*WRITTEN[:13], *WRITTEN[14:]):
            assert contains_number(f"a{text}b", VISA), text
            assert not contains_number(text[:-1], VISA), text

    @given(st.text(st.sampled_from("41a- ٤१\u00b2é"), max_size=40), st.text("41", min_size=1, max_size=4))
    def test_is_found_where_its_digits_stand_in_the_text(self, text: str, number: str) -> None:
        digits = [str(decimal(sign)) for sign in text if sign.isdecimal()]
        assert contains_number(text, number) == (number in "".join(digits))


class TestUuids:
    # As the first 16 digits of a UUID of version 4.
    NUMBER = with_check_digit("411111111111400")
    BEGINNING = f"{NUMBER[:8]}-{NUMBER[8:12]}-{NUMBER[12:]}"

    @given(st.uuids(version=4))
    def test_of_anybody_are_not_taken_for_a_card_number(self, uuid: UUID) -> None:
        for text in (
            str(uuid),
            uuid.hex,
            str(uuid).upper(),
            f"auth_{uuid}",
            f"order-{uuid.hex}",
            f"({uuid})",
        ):
            assert not contains_card_number(text)

    @pytest.mark.parametrize("dash", ["-", ""])
    def test_not_even_where_their_digits_would_pass_for_one(self, dash: str) -> None:
        assert contains_card_number(self.BEGINNING.replace("-", dash))
        uuid = f"{self.BEGINNING}-abcd-abcdefabcdef".replace("-", dash)
        for text in (uuid, uuid.upper(), f"auth_{uuid}", f"{uuid}, {uuid}"):
            assert not contains_card_number(text)
            assert mask_card_numbers(text) == text

    def test_of_ours_pass_every_check_for_card_numbers(self) -> None:
        assert not any(contains_card_number(public_id(PAYMENT_PREFIX, new_id())) for _ in range(5_000))

    def test_what_only_resembles_one_is_looked_into(self) -> None:
        for text in (
            self.BEGINNING,
            f"{self.BEGINNING}-8000-000000000000",  # no letter in it
            f"{self.BEGINNING}-abcd-abcdefabcde",  # 31 characters
            f"{self.BEGINNING}-abcd-abcdefabcdef0",  # 33
            f"x{self.BEGINNING}-abcd-abcdefabcdef",
            f"{self.BEGINNING}-abcdabcdefabcdef",
            "4111111111111111abcdefabcdefabcd",  # version 1
            "4111111111114111" + "1" * 16 + " " + VISA,
            f"{VISA} 00000000-0000-4000-a000-000000000000",
        ):
            assert contains_card_number(text), text

    def test_keeps_the_places_of_the_digits_around_it(self) -> None:
        uuid = f"{self.BEGINNING}-abcd-abcdefabcdef"
        assert mask_card_numbers(f"{uuid} {VISA}") == f"{uuid} ************1111"
        assert mask_card_numbers(f"{uuid.upper()} {VISA}") == f"{uuid.upper()} ************1111"


class TestMasking:
    def test_leaves_the_last_four_digits(self) -> None:
        masked = mask_card_numbers("card 4111 1111 1111 1234, cvv; card 4111-1111-1111-1111!")
        assert masked == "card 4111 1111 1111 1234, cvv; card ****-****-****-1111!"

    def test_however_it_is_written(self) -> None:
        for text in WRITTEN:
            masked = mask_card_numbers(f"a {text} b")
            assert not contains_card_number(masked), text
            assert masked.count("*") == sum(character.isdecimal() for character in text) - 4, text
            assert len(masked) == len(text) + 4, text

    @given(st.lists(st.one_of(st.sampled_from(sorted(BRANDS)), st.text("ab ,", max_size=5)), max_size=6))
    def test_leaves_no_number_whole(self, parts: list[str]) -> None:
        masked = mask_card_numbers("|".join(parts))
        assert not any(number in masked for number in BRANDS)
        assert not contains_card_number(masked)


class TestALongText:
    PIECES = (
        *("1 ", "4 ", "4", "4-_ ", "44444 ", "41111111-", "- ", ". ", "a4", "5 0 ", "٤ ", "0"),
        *("4111111111111111 ", "41111111-1111-4111-8111-111111111111", "4111-"),
        str(uuid4()),
    )

    def test_takes_time_in_proportion_to_its_length(self) -> None:
        for piece in self.PIECES:
            assert any(self._grows_in_proportion(piece) for _ in range(3)), piece

    def _grows_in_proportion(self, piece: str) -> bool:
        """Eight times the text: eight times as long, or 25 times if each group of digits is retried.

        Measured on this thread's own processor time, so a busy machine does not matter.
        """
        gc.disable()  # the next collection would come in the midst of the long text
        try:
            short, long = (min(self._seconds(piece, size * 1024) for _ in range(2)) for size in (2, 16))
        finally:
            gc.enable()
        return long < 14 * short

    @staticmethod
    def _seconds(piece: str, size: int) -> float:
        text = (piece * size)[:size]
        began = time.thread_time()
        contains_card_number(text)
        mask_card_numbers(text)
        return time.thread_time() - began
