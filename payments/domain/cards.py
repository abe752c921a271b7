"""Cards, which are kept in memory only.

A card's number and CVV leave this object only towards the bank; its repr omits them. The functions below find
card numbers in other text. Text that people type is refused if it contains anything like a card number. Text
from a merchant's system is refused only if it contains the number of the card in the same request, since real
order numbers look like card numbers. Logs are always masked.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import accumulate
from unicodedata import decimal

# Leading digits and lengths by network (ISO/IEC 7812 and the networks' published ranges).
_NETWORKS: tuple[tuple[str, re.Pattern[str], frozenset[int]], ...] = (
    ("visa", re.compile(r"4"), frozenset({13, 16, 19})),
    ("mastercard", re.compile(r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720"), frozenset({16})),
    ("amex", re.compile(r"3[47]"), frozenset({15})),
    ("discover", re.compile(r"6011|64[4-9]|65"), frozenset({16, 17, 18, 19})),
    ("diners", re.compile(r"30[0-5]|309|36|3[89]"), frozenset({14, 15, 16, 17, 18, 19})),
    ("jcb", re.compile(r"35(2[89]|[3-8])"), frozenset({16, 17, 18, 19})),
    ("unionpay", re.compile(r"62|81"), frozenset({16, 17, 18, 19})),
    ("maestro", re.compile(r"50|5[6-9]|6"), frozenset(range(13, 20))),
)
# Digits as people write them: in groups separated by up to three spaces, dashes, dots, slashes, underscores,
# plus signs (an encoded form's spaces) or invisible characters.
_GROUP = re.compile(r"\d+")
_PART = r"[\s\u00ad\u200b-\u200d\u2060\ufeff+./_\u00b7\u2010-\u2015\u2212-]{1,3}"
_RUN = re.compile(rf"\d+(?:{_PART}\d+)*")
# RFC 9562, the versions that callers use for keys and orders, with or without dashes. One in 1,500 contains
# digits that would pass for a card number.
_UUID = re.compile(
    r"(?<![0-9a-z])[0-9a-f]{8}(-?)[0-9a-f]{4}\1[457][0-9a-f]{3}\1[89ab][0-9a-f]{3}\1[0-9a-f]{12}(?![0-9a-z])",
    re.IGNORECASE | re.ASCII,
)
_LENGTHS = range(13, 20)
_NO_DIGITS = re.compile(r"\D+")
_PARTED = re.compile(r"[\s,;:|*']+")
_LAST_ON_EARTH = timedelta(hours=12)  # a month that has ended in UTC lasts this much longer in UTC-12
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)  # Luhn: every second digit is doubled, 10 to 18 lose 9


@dataclass(frozen=True)
class Card:
    """A customer's card for the time of one request. `repr` shows neither number nor CVV."""

    number: str = field(repr=False)
    expiry_month: int
    expiry_year: int
    cvv: str = field(repr=False)

    @property
    def last4(self) -> str:
        return self.number[-4:]

    @property
    def brand(self) -> str:
        """The network that issued the number, or `unknown`."""
        return brand_of(self.number)


def passes_luhn(digits: str) -> bool:
    """Whether the digits end in their check digit (ISO/IEC 7812-1, annex B)."""
    values = [int(digit) for digit in reversed(digits)]
    return (sum(values[::2]) + sum(_DOUBLED[value] for value in values[1::2])) % 10 == 0


def brand_of(number: str) -> str:
    for brand, prefix, lengths in _NETWORKS:
        if len(number) in lengths and prefix.match(number):
            return brand
    return "unknown"


def has_expired(year: int, month: int, now: datetime) -> bool:
    """Whether the card's last month has ended everywhere on earth."""
    latest = (now - _LAST_ON_EARTH).astimezone(UTC)
    return (year, month) < (latest.year, latest.month)


def contains_number(text: str, number: str) -> bool:
    """Whether the text contains the digits of this number, in any script and with any separators."""
    digits = _NO_DIGITS.sub("", text)
    return number in (digits if digits.isascii() else "".join(str(decimal(digit)) for digit in digits))


def contains_card_number(text: str) -> bool:
    """Whether the text contains a Luhn-valid run of 13 to 19 digits that begins like a network's number.

    The network's own lengths do not matter: a mistyped number is secret, too. UUIDs are skipped.
    """
    return _has_digits_enough(text) and next(_card_numbers(text), None) is not None


def contains_typed_card_number(text: str) -> bool:
    """Like `contains_card_number`, for typed text, where commas, bars and many spaces separate digits too."""
    return contains_card_number(_PARTED.sub(" ", text))


def mask_card_numbers(text: str) -> str:
    """The text with all but the last four digits of each card number replaced by asterisks."""
    if not _has_digits_enough(text):
        return text
    masked = list(text)
    for positions in _card_numbers(text):
        for position in positions[:-4]:
            masked[position] = "*"
    return "".join(masked)


def _has_digits_enough(text: str) -> bool:
    """A cheap first test, which most texts fail."""
    return len(text) >= _LENGTHS.start and len(_NO_DIGITS.sub("", text)) >= _LENGTHS.start


def _card_numbers(text: str) -> Iterator[Sequence[int]]:
    """The positions of the digits of each card number. A number begins and ends at a group's edge.

    Takes linear time for any text: request bodies come through here.
    """
    without_ids = _UUID.sub(_crossed_out, text)
    for run in _RUN.finditer(without_ids):
        if run.end() - run.start() >= _LENGTHS.start:
            yield from _card_numbers_in(without_ids, run.start(), run.end())


def _crossed_out(uuid: re.Match[str]) -> str:
    """As many x's. A UUID without a letter is left: no generator ever makes one."""
    return "x" * len(uuid.group()) if re.search("[a-f]", uuid.group(), re.IGNORECASE) else uuid.group()


def _card_numbers_in(text: str, start: int, end: int) -> Iterator[Sequence[int]]:
    positions: list[int] = []
    begins: list[int] = []  # how many digits precede each group
    ends: set[int] = set()  # how many digits there are at each group's end
    for group in _GROUP.finditer(text, start, end):
        begins.append(len(positions))
        positions.extend(range(group.start(), group.end()))
        ends.add(len(positions))
    if len(positions) < _LENGTHS.start:
        return
    digits = [decimal(text[position]) for position in positions]  # other scripts' digits are digits too
    # Luhn's sum of any stretch is the difference of two sums that begin at the first digit.
    doubled = [_DOUBLED[digit] for digit in digits]
    pairs = list(zip(digits, doubled, strict=True))
    even = [0, *accumulate(pair[place % 2] for place, pair in enumerate(pairs))]  # odd places doubled
    odd = [0, *accumulate(pair[1 - place % 2] for place, pair in enumerate(pairs))]  # even places doubled
    for begin in begins:
        if not _begins_like_a_network(tuple(digits[begin : begin + 4])):
            continue
        for stop in range(begin + _LENGTHS.start, begin + _LENGTHS.stop):
            sums = odd if stop % 2 == 0 else even  # the last digit is not doubled
            if stop in ends and (sums[stop] - sums[begin]) % 10 == 0:
                yield positions[begin:stop]


@cache
def _begins_like_a_network(digits: tuple[int, ...]) -> bool:
    beginning = "".join(map(str, digits))
    return any(prefix.match(beginning) for _, prefix, _ in _NETWORKS)
