"""Amounts: integers in the currency's minor unit (ISO 4217), each with its currency.

Never floats. Amounts of different currencies are never added.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

# In minor units, of one operation. Eight digits in every currency, as card processors commonly take:
# $999,999.99 and ¥99,999,999 are of the same order, though the yen has no minor unit.
MIN_AMOUNT_MINOR = 1
MAX_AMOUNT_MINOR = 99_999_999


class Currency(StrEnum):
    """The currencies that FicPay knows. The bank decides which of them a merchant may use."""

    USD = "USD"
    EUR = "EUR"
    GBP = "GBP"
    JPY = "JPY"


@dataclass(frozen=True)
class Denomination:
    """How a currency is written. `exponent` is ISO 4217's number of decimals."""

    code: str
    symbol: str
    exponent: int

    def display(self, amount_minor: int) -> str:
        """`$50.00`, `¥5,000`; a difference `-$1.50`."""
        whole, fraction = self._parts(abs(amount_minor))
        return f"{'-' if amount_minor < 0 else ''}{self.symbol}{whole:,}{fraction}"

    def number(self, amount_minor: int) -> str:
        """As programs read it: `1234.50`, `5000`; a difference `-1.50`."""
        whole, fraction = self._parts(abs(amount_minor))
        return f"{'-' if amount_minor < 0 else ''}{whole}{fraction}"

    def _parts(self, amount_minor: int) -> tuple[int, str]:
        whole, minor = divmod(amount_minor, 10**self.exponent)
        return whole, f".{minor:0{self.exponent}d}" if self.exponent else ""


DENOMINATIONS = {
    denomination.code: denomination
    for denomination in (
        Denomination("USD", "$", 2),
        Denomination("EUR", "€", 2),
        Denomination("GBP", "£", 2),
        Denomination("JPY", "¥", 0),
    )
}


@dataclass(frozen=True)
class TypedAmount:
    """An amount that somebody typed, in minor units, and the currencies it may be in (ISO 4217 codes)."""

    amount_minor: int
    currencies: frozenset[str]


def display(amount_minor: int, currency: str) -> str:
    """An amount as staff read it: `$50.00`, `€50.00`, `£50.00`, `¥5,000`, a difference `-$1.50`.

    A currency of unknown exponent is shown in minor units: `CHF 5,000 minor units`.
    """
    if denomination := DENOMINATIONS.get(currency):
        return denomination.display(amount_minor)
    return f"{currency} {amount_minor:,} minor units"


_MINOR_UNITS = re.compile(r"[0-9]{1,15}")
_WHOLE = r"(?P<whole>[0-9]{1,3}(?:,[0-9]{3}){1,4}|[0-9]{1,15})(?:\.(?P<fraction>[0-9]+))?"
_NAMES = {name: each for each in DENOMINATIONS.values() for name in (each.symbol, each.code)}
_NAME = f"(?P<name>{'|'.join(map(re.escape, _NAMES))})"
_NAME_FIRST = re.compile(f"{_NAME} ?{_WHOLE}", re.IGNORECASE)
_NAME_LAST = re.compile(f"{_WHOLE} ?{_NAME}", re.IGNORECASE)
_NO_NAME = re.compile(_WHOLE)


def read_amount(text: str) -> TypedAmount | None:
    """Parse an amount that somebody typed; None where the text is not one.

    With a currency: `$50`, `$1,234.50`, `¥5,000`, `EUR 50.00`, `50.00 eur`. With decimals but no currency
    (`50.00`): any currency with as many decimals. Digits alone (`5000`): minor units of any currency, as in
    the API.
    """
    text = text.strip()
    if _MINOR_UNITS.fullmatch(text):
        return TypedAmount(int(text), frozenset(DENOMINATIONS))
    if named := _NAME_FIRST.fullmatch(text) or _NAME_LAST.fullmatch(text):
        denomination = _NAMES[named["name"].upper()]
        return _typed(named["whole"], named["fraction"] or "0" * denomination.exponent, denomination)
    if (nameless := _NO_NAME.fullmatch(text)) and (fraction := nameless["fraction"]):
        return _typed(nameless["whole"], fraction, *DENOMINATIONS.values())
    return None


def _typed(whole: str, fraction: str, *denominations: Denomination) -> TypedAmount | None:
    """The amount in those denominations that have as many decimals."""
    fitting = frozenset(each.code for each in denominations if each.exponent == len(fraction))
    return TypedAmount(int(whole.replace(",", "") + fraction), fitting) if fitting else None
