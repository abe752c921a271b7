"""How the dashboard words what was counted: figures, and rows of tables with bars."""

from dataclasses import dataclass
from datetime import datetime

from django.utils.safestring import SafeString

from office.dashboard.figures import Amounts, Bank, Behaviour, Made, Unsettled
from office.dashboard.links import Links
from office.pages.words import BAD, COLOURS, GOOD, WAITING, age, label, state_label
from payments.domain.money import Currency, display
from payments.domain.states import PaymentState

# From these shares of a bank's attempts on, its failures are marked. It fails one in twenty on a good day.
_OFTEN, _MOSTLY = 0.15, 0.5


@dataclass(frozen=True)
class Choice:
    """One way to look at the page, and whether it is the one in force."""

    text: str
    link: str
    chosen: bool = False


@dataclass(frozen=True)
class Figure:
    """A number with its words, and the list it leads to, if there is one."""

    name: str
    number: str
    note: str
    link: str = ""
    mark: SafeString | str = ""


@dataclass(frozen=True)
class StateRow:
    """The payments of the period that have this state now; `length` of 100 is drawn."""

    label: SafeString
    colour: str
    count: int
    length: float
    amounts: str
    link: str


@dataclass(frozen=True)
class DeclineRow:
    """The period's declines with one code, and their share of what was answered; `length` of 100 is drawn."""

    code: str
    count: int
    share: str
    length: float
    link: str


@dataclass(frozen=True)
class BankRow:
    """A bank's behaviour in one of the two periods. `failed` is a share of the attempts."""

    bank: str
    period: str
    behaviour: Behaviour
    failed: str
    mark: SafeString


def unsettled(
    name: str, found: Unsettled, *, colour: str, link: str, releases: Unsettled | None, now: datetime
) -> Figure:
    """What waits, and for how long the oldest. Releases belong to no payment's list, so they are a note."""
    notes: list[str] = []
    if releases and releases.count:
        notes.append(f"and {counted(releases.count, 'release', 'releases')} of holds")
    times = [one.since for one in (found, releases) if one and one.since]
    if times:
        notes.append(f"oldest {age(now - min(times))}")
    waits = label("waiting" if colour == WAITING else "for people", colour)
    return Figure(
        name=name,
        number=f"{found.count:,}",
        note=", ".join(notes) or "nothing waits",
        link=link if found.count else "",
        mark=waits if times else label("clear", GOOD),
    )


def decline_rate(made: Made, links: Links) -> Figure:
    """Declines of what was answered."""
    declined = made.in_state(PaymentState.DECLINED)
    return Figure(
        name="Decline rate",
        number=percent(declined, made.answered) if made.answered else "none yet",
        note=f"{declined:,} of {made.answered:,} answered",
        link=links.made(state=PaymentState.DECLINED) if declined else "",
    )


def states(made: Made, links: Links) -> list[StateRow]:
    """Every state in the order of a payment's life, also those that no payment has."""
    counts = {state: made.in_state(state) for state in PaymentState}
    highest = max(counts.values()) or 1
    return [
        StateRow(
            label=state_label(state),
            colour=COLOURS[state] or "neutral",
            count=count,
            length=round(100 * count / highest, 1),
            amounts=shown(made.amounts_in(state)),
            link=links.made(state=state) if count else "",
        )
        for state, count in counts.items()
    ]


def declines(made: Made, links: Links) -> list[DeclineRow]:
    """The codes, the most frequent first."""
    codes = made.declines
    return [
        DeclineRow(
            code=code,
            count=count,
            share=percent(count, made.answered),
            length=round(100 * count / codes[0][1], 1),
            link=links.made(state=PaymentState.DECLINED, decline_code=code),
        )
        for code, count in codes
    ]


def of_bank(bank: Bank) -> list[BankRow]:
    """Its last hour and its day."""
    return [_bank_row(bank.name, "Last hour", bank.last_hour), _bank_row(bank.name, "Today", bank.today)]


def _bank_row(bank: str, period: str, behaviour: Behaviour) -> BankRow:
    if not behaviour.attempts:
        return BankRow(bank, period, behaviour, "", label("not asked"))
    share = behaviour.failures / behaviour.attempts
    mark = label("steady", GOOD)
    if share >= _MOSTLY:
        mark = label("mostly failing", BAD)
    elif share >= _OFTEN:
        mark = label("failing often", WAITING)
    return BankRow(bank, period, behaviour, percent(behaviour.failures, behaviour.attempts), mark)


def percent(part: int, whole: int) -> str:
    """`14.7%`."""
    return f"{100 * part / whole:.1f}%"


def shown(amounts: Amounts) -> str:
    """`$50.00`; of several currencies one after another: they are never added."""
    if not amounts:
        return display(0, Currency.USD)
    return " and ".join(display(amount, currency) for currency, amount in amounts.items())


def counted(count: int, one: str, several: str) -> str:
    """`1 payment`, `1,200 payments`."""
    return f"{count:,} {one if count == 1 else several}"
