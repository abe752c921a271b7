"""The admin's first page: how the day goes, and what needs somebody. `figures` counts, this words and links.

Each figure leads to the list of just the payments that it counts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.safestring import SafeString

from payments.admin import figures
from payments.admin.charts import Columns, Point, stacked_columns
from payments.admin.figures import MONEY_STATES, NOT_TAKEN_ON, Amounts, Behaviour, Made, Scope, Unsettled
from payments.admin.words import BAD, COLOURS, GOOD, WAITING, age, label, plain, state_label
from payments.domain.money import Currency, display
from payments.domain.states import Mode, PaymentState
from payments.models import Merchant
from payments.models.clock import read_clock

LIST = "admin:payments_payment_changelist"
REVIEW_QUEUE = "admin:payments_review_queue"
PERIODS = {1: "Today", 7: "7 days"}
# From these shares of a bank's attempts on, its errors are marked. It fails one in twenty on a good day.
_OFTEN, _MOSTLY = 0.15, 0.5


def add_dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """unfold's DASHBOARD_CALLBACK. Who may not view payments gets a page without figures."""
    context["title"] = "Dashboard"
    if request.user.has_perm("payments.view_payment"):
        context["dashboard"] = Dashboard(request)
    return context


@dataclass(frozen=True)
class Choice:
    """One way to look at the page, and whether it is the one in force."""

    text: str
    link: str
    chosen: bool


@dataclass(frozen=True)
class Figure:
    """A number with its words, and the list it leads to, if there is one."""

    name: str
    number: str
    note: str = ""
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
    """A bank's behaviour in one of the two periods."""

    bank: str
    period: str
    behaviour: Behaviour
    failed: str
    mark: SafeString | str


class Dashboard:
    """What the template draws. Everything is counted once, when it is made."""

    def __init__(self, request: HttpRequest) -> None:
        self.merchants = list(Merchant.objects.order_by("name").values_list("pk", "name"))
        self.scope = _scope_of(request.GET.dict(), {pk for pk, _ in self.merchants})
        self.made = figures.payments_made(self.scope)
        self._money = figures.money(self.scope)
        self._attention = figures.attention(self.scope)
        self._banks = figures.banks(self.scope)

    @property
    def modes(self) -> list[Choice]:
        return [
            Choice(plain(mode), self._here(mode=mode), mode is self.scope.mode)
            for mode in (Mode.LIVE, Mode.TEST)
        ]

    @property
    def periods(self) -> list[Choice]:
        return [
            Choice(text, self._here(days=days), days == self.scope.days) for days, text in PERIODS.items()
        ]

    @property
    def days(self) -> str:
        """`2026-11-21`, or the first and the last of several."""
        scope = self.scope
        return str(scope.last_day) if scope.days == 1 else f"{scope.first_day} to {scope.last_day}"

    @property
    def period(self) -> str:
        """The period in a sentence."""
        return "today" if self.scope.days == 1 else f"in these {self.scope.days} days"

    @property
    def as_of(self) -> datetime:
        return self.scope.now.astimezone(UTC)

    @property
    def other_choices(self) -> list[Choice]:
        """Where there may be payments when there are none here."""
        longer = (
            [Choice("Look at the last 7 days", self._here(days=7), False)] if self.scope.days == 1 else []
        )
        mode = Mode.TEST if self.scope.mode is Mode.LIVE else Mode.LIVE
        return [*longer, Choice(f"Look at {mode} mode", self._here(mode=mode), False)]

    @property
    def attention(self) -> list[Figure]:
        """What waits for somebody, or for the machine."""
        found = self._attention
        return [
            self._unsettled("In doubt", found.in_doubt, "in_doubt", WAITING, also=found.releases),
            self._unsettled("Needs review", found.needs_review, "needs_review", BAD),
            self._unsettled("Late holds", found.late_holds, "", BAD),
            self._unsettled("Awaiting statement", found.awaiting_statement, "awaiting_statement", WAITING),
        ]

    @property
    def review_queue(self) -> str:
        """Where one sees who looks after what; empty where there is no such page."""
        try:
            return reverse(REVIEW_QUEUE)
        except NoReverseMatch:
            return ""

    @property
    def money(self) -> list[Figure]:
        """What was authorized, captured and refunded in the period."""
        return [
            Figure(
                name=plain(state),
                number=_shown(self._money[state].amounts),
                note=_payments(self._money[state].count),
                link=self._reached(state) if self._money[state].count else "",
            )
            for state in MONEY_STATES
        ]

    @property
    def has_money(self) -> bool:
        return any(reached.count for reached in self._money.values())

    @property
    def decline_rate(self) -> Figure:
        """Declines of what was answered."""
        declined = self.made.in_state(PaymentState.DECLINED)
        answered = self.made.answered
        return Figure(
            name="Decline rate",
            number=_percent(declined, answered) if answered else "none yet",
            note=f"{declined:,} of {answered:,} answered",
            link=self._made(state=PaymentState.DECLINED) if declined else "",
        )

    @property
    def states(self) -> list[StateRow]:
        highest = max((self.made.in_state(state) for state in PaymentState), default=0) or 1
        return [
            StateRow(
                label=state_label(state),
                colour=COLOURS[state] or "neutral",
                count=count,
                length=round(100 * count / highest, 1),
                amounts=_shown(self.made.amounts_in(state)),
                link=self._made(state=state) if count else "",
            )
            for state in PaymentState
            for count in [self.made.in_state(state)]
        ]

    @property
    def declines(self) -> list[DeclineRow]:
        declines = self.made.declines
        return [
            DeclineRow(
                code=code,
                count=count,
                share=_percent(count, self.made.answered),
                length=round(100 * count / declines[0][1], 1),
                link=self._made(state=PaymentState.DECLINED, decline_code=code),
            )
            for code, count in declines
        ]

    @property
    def chart(self) -> Columns:
        """The payments made in each hour, or day, of the period."""
        return stacked_columns(map(self._point, self._steps()))

    @property
    def chart_title(self) -> str:
        return "Payments by hour (UTC)" if self.scope.days == 1 else "Payments by day (UTC)"

    @property
    def banks(self) -> list[BankRow]:
        return [
            row
            for bank in self._banks
            for row in (
                _bank_row(bank.name, "Last hour", bank.last_hour),
                _bank_row(bank.name, "Today", bank.today),
            )
        ]

    def _steps(self) -> Iterator[datetime]:
        begin = self.scope.begin
        while begin < self.scope.end:
            yield begin
            begin += self.scope.step

    def _point(self, begin: datetime) -> Point:
        made: Made = self.made.at(begin)
        bad = made.in_state(*NOT_TAKEN_ON)
        if self.scope.days == 1:
            tick = f"{begin:%H}" if begin.hour % 3 == 0 else ""
            return Point(f"{begin:%H:%M}", tick, made.count, bad)
        day = f"{begin:%Y-%m-%d}"
        link = self._list(created_from=day, created_to=day) if made.count else ""
        return Point(day, f"{begin:%a} {begin.day}", made.count, bad, link)

    def _unsettled(
        self, name: str, found: Unsettled, attention: str, colour: str, also: Unsettled | None = None
    ) -> Figure:
        count, notes, since = found.count, [], [found.since] if found.since else []
        if also and also.count:
            notes.append(f"and {_counted(also.count, 'release', 'releases')} of holds")
            since.append(also.since)  # type: ignore[arg-type]  # whoever counts has a time
        if since:
            notes.append(f"oldest {age(self.scope.now - min(since))}")
        link = self._list(attention=attention) if attention else self.review_queue
        return Figure(
            name=name,
            number=f"{count:,}",
            note=", ".join(notes) or "nothing waits",
            link=link if count else "",
            mark=label("waiting" if colour == WAITING else "for people", colour)
            if since
            else label("clear", GOOD),
        )

    def _made(self, **query: str) -> str:
        return self._list(
            **query, created_from=str(self.scope.first_day), created_to=str(self.scope.last_day)
        )

    def _reached(self, state: PaymentState) -> str:
        first, last = str(self.scope.first_day), str(self.scope.last_day)
        return self._list(reached=state, reached_from=first, reached_to=last)

    def _list(self, **query: str) -> str:
        mine = {"merchant": str(self.scope.merchant_id)} if self.scope.merchant_id else {}
        return f"{reverse(LIST)}?{urlencode(query | {'mode': self.scope.mode.value} | mine)}"

    def _here(self, **changed: Any) -> str:
        scope = self.scope
        query: dict[str, Any] = {"mode": scope.mode.value, "days": scope.days}
        if scope.merchant_id:
            query["merchant"] = scope.merchant_id
        return f"?{urlencode(query | changed)}"


def _scope_of(asked: dict[str, str], merchants: set[int]) -> Scope:
    """What the address asks for; live mode, today and all merchants where it says nothing that is known."""
    mode = Mode.TEST if asked.get("mode") == Mode.TEST else Mode.LIVE
    days = next((days for days in PERIODS if str(days) == asked.get("days")), 1)
    merchant = next((pk for pk in merchants if str(pk) == asked.get("merchant")), None)
    return Scope(mode=mode, days=days, merchant_id=merchant, now=read_clock())


def _bank_row(bank: str, period: str, behaviour: Behaviour) -> BankRow:
    failures = behaviour.errors + behaviour.silent + behaviour.not_sent
    share = failures / behaviour.attempts if behaviour.attempts else 0.0
    mark: SafeString | str = ""
    if behaviour.attempts:
        mark = label("mostly failing", BAD) if share >= _MOSTLY else label("steady", GOOD)
        if _OFTEN <= share < _MOSTLY:
            mark = label("failing often", WAITING)
    failed = _percent(failures, behaviour.attempts) if behaviour.attempts else ""
    return BankRow(bank, period, behaviour, failed, mark)


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}%"


def _shown(amounts: Amounts) -> str:
    """`$50.00`; of several currencies one after another."""
    return " + ".join(display(cents, currency) for currency, cents in amounts.items()) or display(
        0, Currency.USD
    )


def _payments(count: int) -> str:
    return _counted(count, "payment", "payments")


def _counted(count: int, one: str, several: str) -> str:
    return f"{count:,} {one if count == 1 else several}"
