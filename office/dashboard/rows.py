"""Puts the dashboard's figures into words: single figures, and rows of tables with bars."""

from dataclasses import dataclass
from datetime import datetime

from django.utils.safestring import SafeString

from office.dashboard.banks import Bank, Health
from office.dashboard.figures import Amounts, Made, Unsettled
from office.dashboard.links import Links
from office.pages.words import BAD, COLORS, GOOD, WAITING, age, label, state_label
from payments.domain.money import Currency, display
from payments.domain.states import PaymentState

# Shares of failed attempts from which a bank is marked. FicMart's bank fails one in twenty on a good day.
_OFTEN, _MOSTLY = 0.15, 0.5


@dataclass(frozen=True)
class Choice:
    """One mode or period, and whether it is selected."""

    text: str
    link: str
    chosen: bool = False


@dataclass(frozen=True)
class Figure:
    """A number with its label, and the list that it links to, if any."""

    name: str
    number: str
    note: str
    link: str = ""
    mark: SafeString | str = ""


@dataclass(frozen=True)
class StateRow:
    """The period's payments that are in this state now. `length` is the bar's, in percent."""

    label: SafeString
    color: str
    count: int
    length: float
    amounts: str
    link: str


@dataclass(frozen=True)
class DeclineRow:
    """The period's declines with one code; `share` is of decided payments, `length` the bar's in percent."""

    code: str
    count: int
    share: str
    length: float
    link: str


@dataclass(frozen=True)
class BankRow:
    """A bank's health in one of the two periods. `failed` is a share of the attempts."""

    bank: str
    period: str
    health: Health
    failed: str
    mark: SafeString


def unsettled(
    name: str, found: Unsettled, *, color: str, link: str, releases: Unsettled | None, now: datetime
) -> Figure:
    """The number of items and the age of the oldest. Releases are on no payment list, so they are a note."""
    notes: list[str] = []
    if releases and releases.count:
        notes.append(f"plus {counted(releases.count, 'release', 'releases')} of holds")
    times = [one.since for one in (found, releases) if one and one.since]
    if times:
        notes.append(f"oldest {age(now - min(times))}")
    mark = label("waiting" if color == WAITING else "needs staff", color)
    return Figure(
        name=name,
        number=f"{found.count:,}",
        note=", ".join(notes) or "None",
        link=link if found.count else "",
        mark=mark if times else label("clear", GOOD),
    )


def decline_rate(made: Made, links: Links) -> Figure:
    """Declines as a share of decided payments."""
    declined = made.in_state(PaymentState.DECLINED)
    return Figure(
        name="Decline rate",
        number=percent(declined, made.decided) if made.decided else "none yet",
        note=f"{declined:,} of {made.decided:,} decided",
        link=links.made(state=PaymentState.DECLINED) if declined else "",
    )


def states(made: Made, links: Links) -> list[StateRow]:
    """Every state in the order of a payment's life, including those without payments."""
    counts = {state: made.in_state(state) for state in PaymentState}
    highest = max(counts.values()) or 1
    return [
        StateRow(
            label=state_label(state),
            color=COLORS[state] or "neutral",
            count=count,
            length=round(100 * count / highest, 1),
            amounts=shown(made.amounts_in(state)),
            link=links.made(state=state) if count else "",
        )
        for state, count in counts.items()
    ]


def declines(made: Made, links: Links) -> list[DeclineRow]:
    """The decline codes, the most frequent first."""
    codes = made.declines
    return [
        DeclineRow(
            code=code,
            count=count,
            share=percent(count, made.decided),
            length=round(100 * count / codes[0][1], 1),
            link=links.made(state=PaymentState.DECLINED, decline_code=code),
        )
        for code, count in codes
    ]


def of_bank(bank: Bank) -> list[BankRow]:
    """The bank's last hour and its UTC day."""
    return [_bank_row(bank.name, "Last hour", bank.last_hour), _bank_row(bank.name, "Today", bank.today)]


def _bank_row(bank: str, period: str, health: Health) -> BankRow:
    if not health.attempts:
        return BankRow(bank, period, health, "", label("no attempts"))
    share = health.failures / health.attempts
    mark = label("available", GOOD)
    if share >= _MOSTLY:
        mark = label("mostly unavailable", BAD)
    elif share >= _OFTEN:
        mark = label("often unavailable", WAITING)
    return BankRow(bank, period, health, percent(health.failures, health.attempts), mark)


def percent(part: int, whole: int) -> str:
    """`14.7%`."""
    return f"{100 * part / whole:.1f}%"


def shown(amounts: Amounts) -> str:
    """`$50.00`, or several currencies one after another. They are never added."""
    if not amounts:
        return display(0, Currency.USD)
    return " and ".join(display(amount, currency) for currency, amount in amounts.items())


def counted(count: int, one: str, several: str) -> str:
    """`1 payment`, `1,200 payments`."""
    return f"{count:,} {one if count == 1 else several}"
