"""Parses the text in the search box: ids, a card's last four digits, an amount, an email address, words.

No database access. Ids are visible ASCII (the API refuses others), so invisible characters are dropped.
"""

import re
import unicodedata
from dataclasses import dataclass, replace
from functools import cached_property
from uuid import UUID

from payments.domain.money import DENOMINATIONS, MAX_AMOUNT_MINOR, Denomination, display

_SHOWN_IN = {"US$": DENOMINATIONS["USD"]} | {
    name: one for one in DENOMINATIONS.values() for name in (one.symbol, one.code)
}
_CURRENCY = "|".join(map(re.escape, sorted(_SHOWN_IN, key=len, reverse=True)))
# `50`, `50.5`, `50,00`, `1,234.56`, `1.234,56`, `1 234`
_NUMBER = (
    r"(?P<whole>[0-9]{1,3}(?:[, '][0-9]{3})+(?![0-9])|[0-9]{1,3}(?:[. '][0-9]{3})+(?=,)|[0-9]{1,8})"
    r"(?:[.,](?P<part>[0-9]{1,2}))?"
)
_AMOUNTS = (
    re.compile(rf"(?:(?P<currency>{_CURRENCY}) ?)?{_NUMBER}"),
    re.compile(rf"{_NUMBER} ?(?P<currency>{_CURRENCY})"),
)
_OTHERS = "AUD|CAD|CHF|CNY|DKK|INR|NOK|SEK"
_ELSEWHERE = re.compile(rf"^(?:{_OTHERS})|(?:{_OTHERS})$")
# Digits alone are whole units up to 999. From four digits on they are minor units, as in the API: hardly
# anybody searches for less than ten dollars in cents. The page offers the other reading.
_DIGITS_OF_MINOR_UNITS = 4
_BRANDS = "VISA|MASTERCARD|AMEX|DISCOVER|DINERS|JCB|UNIONPAY|MAESTRO|CARD|ENDING|IN"
_MASK = r"(?:[0-9]{4}[0-9 -]{0,6})?(?:[ -]*[*\u2022\u00b7\u25cfX.]){2,}[ -]*"
_LAST_FOUR = re.compile(rf"(?:(?:{_BRANDS}) )*(?:{_MASK})?([0-9]{{4}})")
_BETWEEN = re.compile(r"[\s;/]+|,\s+")
_CARD_BEGINS = re.compile(r"[2-6][0-9]{5}(?:[0-9]{2})?")
_ID = re.compile(r"[!-~]{1,255}")
_UUID = re.compile(r"[0-9a-f]{8}(-?)[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}")
_HEX = re.compile(r"[0-9a-f-]+")
_HEX_FROM = 4  # digits of one of our ids after its prefix; without the prefix, twice as many
_QUOTES = "\"'`\u00ab\u00bb\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u2039\u203a()[]{}<> "
_STOPS = ",;:.!?"
_CUT = ("\u2026", "...", "*")  # ends of an id that was shortened
_EMAIL = re.compile(r"[^\s@<>,;:\"']+@[^\s@<>,;:\"']+\.[^\s@<>,;:\"']+")
_WORD = re.compile(r"[^\W_]+")
_LETTERS_FROM = 3  # shorter beginnings match too much
_WORDS_AT_MOST = 12


@dataclass(frozen=True)
class Amount:
    """An amount in minor units, by possible currency. `other` is the second reading of digits alone."""

    minor: dict[str, int]
    other: "Amount | None" = None

    @property
    def shown(self) -> str:
        """How to type this amount: `$50.00`, or `50.00` without a currency."""
        return self._texts[0]

    @property
    def read(self) -> str:
        """How the amount was read: `$50.00`, or `50.00 or 5,000 in any currency` without a currency."""
        return " or ".join(self._texts) + (" in any currency" if len(self.minor) > 1 else "")

    @property
    def _texts(self) -> list[str]:
        texts = {
            display(minor, currency): DENOMINATIONS[currency].symbol for currency, minor in self.minor.items()
        }
        if len(texts) == 1:
            return list(texts)
        return list(dict.fromkeys(text.removeprefix(symbol) for text, symbol in texts.items()))


@dataclass(frozen=True)
class CardAndAmount:
    """A card's last digits, an amount, or both. `together`: both were typed and both must match."""

    last_four: str = ""
    amount: Amount | None = None
    together: bool = False


@dataclass(frozen=True)
class Typed:
    """A text from the search box, and what it may mean."""

    term: str

    @cached_property
    def text(self) -> str:
        """The text without invisible characters, and with plain single spaces."""
        shown = (" " if one.isspace() else one for one in self.term if one.isspace() or one.isprintable())
        return " ".join("".join(shown).split())

    @cached_property
    def spellings(self) -> list[str]:
        """Possible spellings of an id: without quotes and punctuation around it, with and without a `#`."""
        bare = self.text.strip(_QUOTES + _STOPS)
        spelled = [one for one in (self.text, bare) if one]
        spelled += [_other_sharp(one) for one in spelled]
        return [one for one in dict.fromkeys(spelled) if _ID.fullmatch(one)]

    @cached_property
    def uuids(self) -> list[UUID]:
        """All UUIDs in the text, in any case, also inside a prefixed id or a URL."""
        return [UUID(found.group()) for found in _UUID.finditer(self.text.lower())]

    @cached_property
    def begins(self) -> str:
        """The beginning of an id that was shortened with an ellipsis."""
        text = self.text.strip(_QUOTES)
        end = next((end for end in _CUT if text.endswith(end)), "")
        begin = text.removesuffix(end).rstrip(".*")
        return begin if end and len(begin) >= _LETTERS_FROM and _ID.fullmatch(begin) else ""

    def ids_of_ours(self, prefix: str) -> tuple[UUID, UUID] | None:
        """The lowest and highest id of ours that begin with the text; None if none can."""
        small = (self.begins or self.text.strip(_QUOTES + _STOPS)).lower()
        digits = small.removeprefix(prefix)
        named = digits != small
        if not _HEX.fullmatch(digits):
            return None
        digits = digits.replace("-", "")
        if digits.isdigit() and not named:
            return None
        if not (_HEX_FROM if named else 2 * _HEX_FROM) <= len(digits) < 32:
            return None
        return UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))

    @cached_property
    def money(self) -> CardAndAmount:
        """A card's last digits, an amount, or both side by side: `$50 1111`."""
        text = unicodedata.normalize("NFKC", self.text).upper().lstrip(_QUOTES).rstrip(_QUOTES + _STOPS)
        last_four, amount = _last_four(text), _amount(text)
        if last_four or amount:
            return CardAndAmount(last_four, amount)
        parts = _BETWEEN.split(text)
        for at in range(1, min(len(parts), _WORDS_AT_MOST)):
            left, right = " ".join(parts[:at]), " ".join(parts[at:])
            for one, other in ((left, right), (right, left)):
                last_four, amount = _last_four(other), _amount(one)
                if last_four and amount:
                    return CardAndAmount(last_four, amount, together=True)
        return CardAndAmount()

    @property
    def may_begin_a_card(self) -> bool:
        """Whether the text may be a card's first digits, which are not stored."""
        bare = self.text.strip(_QUOTES + _STOPS)
        return bool(_CARD_BEGINS.fullmatch(bare) or (self.money.last_four and _CARD_BEGINS.match(bare)))

    @property
    def is_in_another_currency(self) -> bool:
        """Whether it is an amount in a currency that FicPay does not support."""
        text = self.text.upper().strip(_QUOTES + _STOPS)
        return bool(_ELSEWHERE.search(text) and _amount(_ELSEWHERE.sub("", text).strip()))

    @cached_property
    def email(self) -> str:
        found = _EMAIL.search(self.text.lower())
        return found.group().rstrip(_STOPS + ")") if found else ""

    @cached_property
    def words(self) -> list[str]:
        """Words to search in descriptions and metadata; none if all are too short."""
        words = _WORD.findall(unicodedata.normalize("NFKC", self.text).lower())[:_WORDS_AT_MOST]
        return words if any(len(word) >= _LETTERS_FROM for word in words) else []


def _amount(text: str) -> Amount | None:
    found = next(filter(None, (pattern.fullmatch(text) for pattern in _AMOUNTS)), None)
    if found is None:
        return None
    whole, part = re.sub(r"[^0-9]", "", found["whole"]), found["part"] or ""
    named = found["currency"]
    units = _read(whole, part, [_SHOWN_IN[named]] if named else list(DENOMINATIONS.values()))
    if not text.isdigit():
        return units
    minor = Amount(dict.fromkeys(DENOMINATIONS, int(whole))) if 0 < int(whole) <= MAX_AMOUNT_MINOR else None
    first, second = (minor, units) if len(text) >= _DIGITS_OF_MINOR_UNITS else (units, minor)
    return replace(first, other=second) if first else None


def _read(whole: str, part: str, denominations: list[Denomination]) -> Amount | None:
    """The amount in minor units, in each denomination that has enough decimals."""
    minor = {
        one.code: int(whole + part.ljust(one.exponent, "0"))
        for one in denominations
        if len(part) <= one.exponent
    }
    possible = {code: amount for code, amount in minor.items() if 0 < amount <= MAX_AMOUNT_MINOR}
    return Amount(possible) if possible else None


def _last_four(text: str) -> str:
    found = _LAST_FOUR.fullmatch(text)
    return found[1] if found else ""


def _other_sharp(text: str) -> str:
    return text.removeprefix("#") if text.startswith("#") else f"#{text}"
